"""Errors of SQLAlchemy and psycopg, translated into ours.

Theirs hold the statement, its parameters and the row at fault: numbers and texts. Ours hold PostgreSQL's primary
message and its SQLSTATE.
"""

from __future__ import annotations

from typing import Final

import psycopg
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    NoResultFound,
    OperationalError,
    PendingRollbackError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kavenegar_campaigns.errors import DatabaseFailed, LockTimeout, SchemaMissing

DRIVER_ERRORS: Final = (SQLAlchemyError, psycopg.Error)
"""Errors that hold parameters and rows."""

NO_SCHEMA: Final = "the database has not our tables, or not those of this version: run `campaigns migrate`"

_QUOTES_VALUES: Final = "22"
"""Data exceptions, by the first digits of their SQLSTATE: their primary message quotes the value at fault."""

_LOST: Final = "the connection to the database was lost, or could not be made: roll back, and try again"
_OTHERWISE: Final = "roll back; nothing of this call was kept"

# By the SQLSTATE or its first digits, the longer first: the class, what to do, and whether a retry may succeed.
_BY_SQLSTATE: Final[dict[str, tuple[type[DatabaseFailed], str, bool]]] = {
    "42P01": (SchemaMissing, NO_SCHEMA, False),  # undefined table
    "42703": (SchemaMissing, NO_SCHEMA, False),  # undefined column
    "42883": (SchemaMissing, NO_SCHEMA, False),  # undefined function
    "3F000": (SchemaMissing, NO_SCHEMA, False),  # no such schema
    "55P03": (
        LockTimeout,
        "another transaction holds a row or a key that this one needs: roll back, and try again",
        True,
    ),
    "0A000": (
        DatabaseFailed,
        "the tables have changed meanwhile: roll back, and run the whole transaction again",
        True,
    ),
    "40": (DatabaseFailed, "another transaction was in the way: roll back, and run the whole transaction again", True),
    "08": (DatabaseFailed, _LOST, True),
    "57P": (DatabaseFailed, _LOST, True),  # the server stops, starts, or ended the session
    "25P03": (DatabaseFailed, _LOST, True),  # ended because the transaction was idle
    "53300": (DatabaseFailed, "the database takes no more connections: try again", True),
    "53": (DatabaseFailed, "the database has not enough left of something: see its log", False),
    "57014": (DatabaseFailed, "the statement was cancelled, or ran into statement_timeout: roll back", False),
    "25P02": (DatabaseFailed, "an earlier statement of this transaction failed: roll back, and begin anew", False),
    "25006": (DatabaseFailed, "the database takes no writes: give a connection to the primary", False),
    "42501": (DatabaseFailed, "the database's role lacks a right on the schema sms", False),
}


def translate(error: BaseException) -> DatabaseFailed:
    """Return our error for one of `DRIVER_ERRORS`: without parameters, rows and statements."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    sqlstate = getattr(cause, "sqlstate", None)
    if sqlstate is not None:
        return _of_sqlstate(cause, sqlstate)
    if isinstance(error, NoResultFound):
        return SchemaMissing(NO_SCHEMA)  # the row of our installation, which a migration writes
    if isinstance(error, PendingRollbackError):
        kind, advice, retryable = _BY_SQLSTATE["25P02"]
        return kind(advice, retryable=retryable)
    if isinstance(error, PoolTimeout):
        return DatabaseFailed("no connection of the engine's pool became free: try again", retryable=True)
    if isinstance(error, (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)):
        return DatabaseFailed(_LOST, retryable=True)
    return DatabaseFailed(f"the database's driver refused ({type(cause).__name__}): {_OTHERWISE}")


def _of_sqlstate(cause: BaseException, sqlstate: str) -> DatabaseFailed:
    rows = (_BY_SQLSTATE.get(sqlstate[:length]) for length in (5, 3, 2))
    kind, advice, retryable = next(
        (row for row in rows if row is not None), (DatabaseFailed, f"the database refused: {_OTHERWISE}", False)
    )
    said = cause.diag.message_primary if isinstance(cause, psycopg.Error) else None
    if said is None or sqlstate.startswith(_QUOTES_VALUES):
        said = type(cause).__name__
    return kind(f"{advice} ({said}, SQLSTATE {sqlstate})", sqlstate=sqlstate, primary_message=said, retryable=retryable)
