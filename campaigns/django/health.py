"""The system checks: is the database PostgreSQL with psycopg 3, and are our tables there?

`manage.py check` looks at the settings alone. Django looks into a database only when told to, and so does the second
check: `manage.py check --database default`, and before `manage.py migrate`. It warns and does not refuse, because
`migrate` may run before `manage.py campaigns migrate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.db import connections

from kavenegar_campaigns.django.address import alias
from kavenegar_campaigns.django.test_runs import is_test_run
from kavenegar_campaigns.errors import CampaignsError

_MIGRATE = "Run `manage.py campaigns migrate`."


def check_database(**_: Any) -> list[checks.CheckMessage]:
    """Check that the database of CAMPAIGNS_DATABASE exists, is PostgreSQL, and is reached through psycopg 3."""
    name = alias()
    if name not in connections:
        return [_error("E001", f"CAMPAIGNS_DATABASE is {name!r}, and DATABASES has no such database.")]
    if connections[name].vendor != "postgresql":
        hint = "Set CAMPAIGNS_DATABASE to the alias of a PostgreSQL database."
        return [_error("E002", f"Campaigns are in PostgreSQL, and {name!r} is {connections[name].vendor}.", hint)]
    from django.db.backends.postgresql.psycopg_any import is_psycopg3  # noqa: PLC0415 - needs a driver

    if not is_psycopg3:
        hint = "psycopg 3 comes with this package, and Django prefers it: look why it cannot be imported."
        return [_error("E003", f"Campaigns need psycopg 3, and Django reaches {name!r} through psycopg2.", hint)]
    return []


def check_schema(databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """Check that the schema `sms` is there and not older than this package."""
    name = alias()
    if name not in (databases or ()) or check_database() or is_test_run(connections[name]):
        return []
    from kavenegar_campaigns.api import admin, connection_of  # noqa: PLC0415 - not needed by a process that checks nothing

    try:
        behind = admin.is_behind(connection_of(connections[name]))
    except CampaignsError as why:
        return [checks.Warning(f"The schema sms of {name!r} cannot be read: {why}", _MIGRATE, id=_id("W001"))]
    if not behind:
        return []
    return [
        checks.Warning(f"The schema sms of {name!r} is missing, or older than this package.", _MIGRATE, id=_id("W001"))
    ]


def _id(number: str) -> str:
    return f"kavenegar_campaigns.{number}"


def _error(number: str, what: str, hint: str | None = None) -> checks.CheckMessage:
    return checks.Error(what, hint, id=_id(number))
