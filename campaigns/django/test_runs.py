"""Our tables in Django's test databases, from which nothing can be sent. A shop's TestCase needs no further set-up.

In production the operator runs `manage.py campaigns migrate`, and `manage.py migrate` does not: our upgrade gives way
to the senders and may wait for minutes, needs a role that owns the schema, and belongs before the new workers start.
A test database has none of these, so it gets the tables as soon as the first connection to it opens: that works with
`--keepdb`, with pytest-django and xdist, and in the clones of `manage.py test --parallel`. Django empties the tables of
its own models after a TransactionTestCase, and ours are emptied by the signal that follows.
"""

from __future__ import annotations

import threading
from typing import Any, Final

from django.core import mail
from django.db.backends.base.creation import TEST_DATABASE_PREFIX

from kavenegar_campaigns.django.address import alias, database_url

_prepared: Final[set[str]] = set()
_lock: Final = threading.RLock()


def is_test_process() -> bool:
    """Return whether this process runs tests of Django's.

    `mail.outbox` exists between Django's `setup_test_environment` and `teardown_test_environment`.
    """
    return hasattr(mail, "outbox")


def is_test_run(wrapper: Any) -> bool:
    """Return whether a connection leads to a test database of Django's, in a process that runs tests."""
    name = wrapper.settings_dict["NAME"] or ""
    chosen = (wrapper.settings_dict.get("TEST") or {}).get("NAME")
    return is_test_process() and (name.startswith(TEST_DATABASE_PREFIX) or name == chosen)


def _has_our_tests(wrapper: Any) -> bool:
    """Return whether a connection leads to the test database that our tables belong in."""
    return wrapper.alias == alias() and wrapper.vendor == "postgresql" and is_test_run(wrapper)


def prepare_database(connection: Any, **_: Any) -> None:
    """Create our tables when the first connection to a test database opens, and refuse calls to the gateway."""
    if not _has_our_tests(connection):
        return
    from kavenegar_campaigns.kavenegar import refusal  # noqa: PLC0415 - only a process that runs tests needs it
    from kavenegar_campaigns.store import testing  # noqa: PLC0415 - as above

    refusal.refuse_calls()
    name = connection.settings_dict["NAME"]
    with _lock:
        if name in _prepared:
            return
        testing.create_test_schema(database_url(connection))
        _prepared.add(name)


def empty_database(using: str, **_: Any) -> None:
    """Delete the rows that a TransactionTestCase has committed: Django sends post_migrate after it empties its own."""
    from django.db import connections  # noqa: PLC0415 - the signal comes when Django is set up

    connection = connections[using]
    if not _has_our_tests(connection):
        return
    from kavenegar_campaigns.store import testing  # noqa: PLC0415 - only a process that runs tests needs it

    testing.empty_test_schema(database_url(connection))
