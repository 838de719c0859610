"""Whether the database takes what is written: a standby, and one whose disk is full, answer and can only be read."""

from __future__ import annotations

from typing import Final

import psycopg.errors
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from worker.cli.checkup.finding import Finding, Level
from worker.logs import first_line

# Does a new table get its first page on the disk? It is gone with the transaction.
_PROBE: Final = text("CREATE TEMPORARY TABLE campaigns_doctor ON COMMIT DROP AS SELECT 1 AS probe")

_CURES: Final = {
    "53": "make room on its disk; nothing is lost, and everything goes on by itself then",
    "25": "let DATABASE_URL lead to the primary, and let it take writes",
}
"""By the first digits of the SQLSTATE."""


def finding(connection: Connection) -> Finding:
    """Whether a page can be written; where our role may not make a temporary table, only that it answers."""
    try:
        with connection.begin_nested() as probe:
            connection.execute(_PROBE)
            probe.rollback()
    except DBAPIError as why:
        cure = _CURES.get((getattr(why.orig, "sqlstate", None) or "")[:2])
        if isinstance(why.orig, psycopg.errors.InsufficientPrivilege) or cure is None:
            return Finding("database", Level.OK, "it answers")
        said = first_line(why.orig).rstrip(".")
        return Finding("database", Level.BAD, f"it answers, and takes no writes: {said}", cure)
    return Finding("database", Level.OK, "it answers")
