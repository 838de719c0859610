"""The one front door of the library, a file a topic; and the caller's transaction, in which its functions work.

For an application, which needs neither broker nor API key. `campaigns` itself has most of these:

campaign     create, estimate, created_rejects; start, pause, resume, cancel, send_uncertain
watch        get, by_key, newest, progress, why_waiting, build_report, export, export_rejects, preview
inbox        list_inbound, get_inbound, acknowledge
otp          order_otp, otp_state
suppression  suppress, unsuppress, suppressed, import_suppressed, export_suppressed

Each goes out by `boundary.public`: errors of the driver become ours, and no frame of ours keeps personal data.

For the processes and the command line in `worker`, which also call the gateway:

work         every unit of work that a task runs
gateway      what a person asks the gateway: account, ledger, what was sent, block lists, the pace
admin        tables, lines, epochs, uncertain messages, a restored database; how the installation is, and its figures

`worker` imports the library through these files, `context` (the parts that a process is built of), `errors`, `clock`
and the pure values of `rules`; a contract in `pyproject.toml` keeps it so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import InvalidRequestError, PendingRollbackError
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from kavenegar_campaigns.borrowed import WHOLE, DjangoConnection, borrowed_connection
from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.store.forked import refuse_inherited
from kavenegar_campaigns.store.writing import durable_and_bounded, kept_usable

# ── the caller's transaction ──

Bind = Connection | Session | scoped_session[Any] | psycopg.Connection[Any] | DjangoConnection
"""A `scoped_session` is what Flask-SQLAlchemy calls `db.session`; SQLModel's Session is a Session."""

_RIGHT: Final = "give a SQLAlchemy Connection or Session on postgresql+psycopg://…"
_AUTOCOMMIT: Final = f"{WHOLE}: give a connection in a transaction, not in AUTOCOMMIT"
_SPEECH: Final = {"client_encoding": "UTF8", "DateStyle": "ISO"}
"""Settings of a session by which psycopg cannot read our rows or write our texts otherwise."""
_ASYNC: Final = "sqlalchemy.ext.asyncio"  # needs greenlet to be imported, which only those have who use it


def _of_sqlalchemy(bind: object) -> Connection | None:
    if isinstance(bind, Connection):
        return bind
    if not isinstance(bind, (Session, scoped_session)):
        return None
    try:
        connection: Connection = bind.connection()
    except PendingRollbackError:
        raise
    except InvalidRequestError as why:
        raise BadInput(f"this {name_of(bind)} cannot begin a transaction ({type(why).__name__}): {_RIGHT}") from None
    return connection


_KINDS: Final[tuple[Callable[[object], Connection | None], ...]] = (_of_sqlalchemy, borrowed_connection)
"""Each takes one kind of transaction, and returns its connection; None for any other kind."""


def connection_of(bind: Bind) -> Connection:
    """Return the connection of the caller's transaction. Raises: BadInput unless it is one of psycopg on PostgreSQL."""
    connection = next((found for kind in _KINDS if (found := kind(bind)) is not None), None)
    if connection is None:
        raise BadInput(_objection(bind))
    dialect = connection.dialect
    if dialect.name != "postgresql":
        raise BadInput(f"campaigns are in PostgreSQL, and this is {dialect.name}: {_RIGHT}")
    if dialect.driver != "psycopg":
        raise BadInput(f"campaigns are reached through psycopg 3, and this is {dialect.driver}: {_RIGHT}")
    if connection.closed:
        raise BadInput(f"this Connection is closed: {_RIGHT} that is open")
    refuse_inherited(connection)
    _check_speech(connection)
    return connection


def _check_speech(connection: Connection) -> None:
    """Check that psycopg understands what the server says and writes; it asks the server nothing. Raises: BadInput."""
    driver = connection.connection.driver_connection
    if driver is None:
        return
    for setting, right in _SPEECH.items():
        found = driver.info.parameter_status(setting)
        if found is not None and not found.startswith(right):
            raise BadInput(
                f"{setting} is {found} in this session, and campaigns need {right}: set {setting} = '{right}'"
            )


def name_of(bind: object) -> str:
    """Return what a sentence calls an object that was given in the place of a transaction."""
    return "None" if bind is None else type(bind).__name__


def _objection(bind: object) -> str:
    """Say why an object is neither a connection nor a session."""
    name = name_of(bind)
    if any(kind.__module__.startswith(_ASYNC) for kind in type(bind).__mro__):  # SQLModel's AsyncSession is below
        return (
            f"{name} is async and cannot be used here: give an AsyncSession or AsyncConnection on "
            "postgresql+psycopg://… to the function of this name in `kavenegar_campaigns.aio`, and await it"
        )
    if isinstance(bind, (Engine, sessionmaker)):
        return (
            f"an engine or a sessionmaker is in no transaction: {_RIGHT}, as `with engine.begin() as connection:` does"
        )
    return f"{name} is no transaction: {_RIGHT}"


@contextmanager
def reading_connection(bind: Bind) -> Iterator[Connection]:
    """Lend the connection to a function that reads: an error leaves the transaction usable."""
    connection = connection_of(bind)
    with kept_usable(connection):
        yield connection


@contextmanager
def writing_connection(bind: Bind) -> Iterator[Connection]:
    """Lend the connection to a function that writes: its commit is durable, and it waits for no lock without end.

    Both hold whatever the database's defaults are. An error leaves the transaction as it was.
    Raises: BadInput outside a transaction: half of a change would be there for a moment, or after a crash for good.
    """
    connection = connection_of(bind)
    driver = connection.connection.driver_connection
    if getattr(driver, "autocommit", False):
        raise BadInput(getattr(driver, "begin_hint", _AUTOCOMMIT))
    with durable_and_bounded(connection):
        yield connection
