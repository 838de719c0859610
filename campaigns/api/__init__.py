"""The one front door of the library, a file a topic; and the caller's transaction, in which its functions work.

For an application, which needs neither broker nor API key. `campaigns` itself has most of these:

campaign     create, estimate, created_rejects; start, pause, resume, cancel, send_uncertain
watch        get, newest, progress, why_waiting, build_report, export, export_rejects, preview
inbox        list_inbound, get_inbound, acknowledge
otp          order_otp, otp_state
suppression  suppress, unsuppress, suppressed, import_suppressed, export_suppressed

For the processes and the command line in `worker`, which also call the gateway:

work         every unit of work that a task runs
gateway      what a person asks the gateway: account, ledger, what was sent, block lists, the pace
admin        tables, lines, epochs, uncertain messages, a restored database; how the installation is, and its figures

`worker` imports the library through these files, `context` (the parts that a process is built of), `errors`, `clock`
and the pure values of `rules`; a contract in `pyproject.toml` keeps it so.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.store.gate import make_durable

# ── the caller's transaction ──

Bind = Connection | Session | scoped_session[Any]
"""A `scoped_session` is what Flask-SQLAlchemy calls `db.session`."""

_RIGHT: Final = "give a SQLAlchemy Connection or Session on postgresql+psycopg://…"
_ASYNC: Final = "sqlalchemy.ext.asyncio"  # needs greenlet to be imported, which only those have who use it


def connection_of(bind: Bind) -> Connection:
    """Return the connection of the caller's transaction. Raises: BadInput unless it is one on PostgreSQL."""
    if isinstance(bind, (Session, scoped_session)):
        connection: Connection = bind.connection()
    elif isinstance(bind, Connection):
        connection = bind
    else:
        raise BadInput(_objection(bind))
    if connection.dialect.name != "postgresql":
        raise BadInput(f"campaigns are in PostgreSQL, and this is {connection.dialect.name}: {_RIGHT}")
    return connection


def _objection(bind: object) -> str:
    """Say why an object is neither a connection nor a session."""
    name = type(bind).__name__
    if isinstance(bind, (Engine, sessionmaker)):
        return (
            f"an engine or a sessionmaker is in no transaction: {_RIGHT}, as `with engine.begin() as connection:` does"
        )
    if type(bind).__module__.startswith(_ASYNC):
        return (
            f"{name} is async and cannot be used: {_RIGHT}, in a thread (in FastAPI, an endpoint that is a plain def)"
        )
    return f"{name} is no transaction: {_RIGHT}"


def writing_connection(bind: Bind) -> Connection:
    """Return the connection for a function that writes, and make its commit durable whatever the database's default.

    Raises: BadInput outside a transaction: half of a change would be there for a moment, or after a crash for good.
    """
    connection = connection_of(bind)
    if getattr(connection.connection.driver_connection, "autocommit", False):
        raise BadInput("campaigns change whole or not at all: give a connection in a transaction, not in AUTOCOMMIT")
    make_durable(connection)
    return connection
