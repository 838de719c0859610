"""Connections of others as the first argument: a psycopg connection, and Django's.

    with transaction.atomic():
        order.save()
        campaigns.create(connection, …)           # django.db.connection: one transaction, Django's commit

Django is recognised without being imported. What fails inside `atomic` and leaves PostgreSQL's transaction aborted
marks the block, as Django's own errors do: the COMMIT of an aborted transaction is a ROLLBACK that nothing reports.
"""

from __future__ import annotations

import sys
from typing import Any, Final, Protocol

import psycopg
from sqlalchemy import Connection

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.store.borrowing import borrow


class DjangoConnection(Protocol):
    """`django.db.connection`, or one of `django.db.connections`."""

    @property
    def alias(self) -> str:
        """Return its name in DATABASES."""

    @property
    def in_atomic_block(self) -> bool:
        """Return whether it is inside `transaction.atomic()`."""


WHOLE: Final = "campaigns change whole or not at all"
_PSYCOPG: Final = (
    f"{WHOLE}: call this inside `with connection.transaction():`, because this psycopg connection is in autocommit mode"
)


def borrowed_connection(bind: object) -> Connection | None:
    """Return a connection in the transaction of a psycopg or Django connection; None for any other object.

    Raises: BadInput where the connection leads to another database, to another driver, or cannot be used now.
    """
    if isinstance(bind, psycopg.Connection):
        return borrow(bind, begin_hint=_PSYCOPG)
    wrapper = _django_wrapper(bind)
    return None if wrapper is None else _of_django(wrapper)


def _django_wrapper(bind: object) -> Any | None:
    """Return the DatabaseWrapper that `bind` is or stands for; None where it is nothing of Django's."""
    base, django_db = sys.modules.get("django.db.backends.base.base"), sys.modules.get("django.db")
    if base is None or django_db is None:
        return None
    if isinstance(bind, base.BaseDatabaseWrapper):
        return bind
    if isinstance(bind, sys.modules["django.utils.connection"].ConnectionProxy):
        alias = getattr(bind, "alias", None)  # a cache has none
        return django_db.connections[alias] if isinstance(alias, str) else None
    return None


def _of_django(wrapper: Any) -> Connection:
    """Return a connection in the transaction of a DatabaseWrapper. Raises: BadInput."""
    name = f"Django's database {wrapper.alias!r}"
    if wrapper.vendor != "postgresql":
        raise BadInput(f"campaigns are in PostgreSQL, and {name} is {wrapper.vendor}: give the one that is PostgreSQL")
    _check_thread(wrapper, name)
    if wrapper.needs_rollback:
        raise BadInput(f"an earlier error has broken this atomic block of {name}: leave the block, and begin another")
    wrapper.ensure_connection()
    theirs = wrapper.connection
    if not isinstance(theirs, psycopg.Connection):
        raise BadInput(
            f"{name} is connected by {type(theirs).__module__.partition('.')[0]}, and campaigns need psycopg 3: "
            "`pip install 'psycopg[binary]'`, which Django prefers to psycopg2 wherever both are installed"
        )
    if theirs.closed:
        wrapper.errors_occurred = True  # so that Django connects again for the next request
        raise BadInput(f"the connection to {name} is lost: Django makes a new one for the next request")
    using = "" if wrapper.alias == "default" else f"using={wrapper.alias!r}"
    hint = f"{WHOLE}: call this inside `with transaction.atomic({using}):`, or in a view under ATOMIC_REQUESTS"
    return borrow(theirs, begin_hint=hint, observe=_AtomicBlock(wrapper))


def _check_thread(wrapper: Any, name: str) -> None:
    try:
        wrapper.validate_thread_sharing()
    except sys.modules["django.db"].DatabaseError:
        raise BadInput(
            f"{name} was opened by another thread: import `connection` from django.db in the thread that uses it"
        ) from None


class _AtomicBlock:
    """Tells Django what our statements did to its transaction, because Django does not see them."""

    def __init__(self, wrapper: Any) -> None:
        self._wrapper = wrapper
        self._marked = False

    def __call__(self, aborted: bool, failed: bool) -> None:
        """Mark the block while its transaction is aborted. A rollback to our savepoint takes the mark back."""
        if failed:
            self._wrapper.errors_occurred = True  # at the end of the request, Django looks whether it still answers
        if self._wrapper.in_atomic_block and (aborted or self._marked):
            self._wrapper.set_rollback(aborted)
            self._marked = aborted
