"""A database whose clock can be shifted, for statements that call `now()` unqualified, as all of ours do.

A schema that comes before pg_catalog in the search path holds functions `clock_timestamp()` and `now()` that add what
stands in a table. They are there from the start, so that sessions that run already see it when the clock leaps.

Not bent are the defaults of columns (`created_at`, `stored_at`), which were bound to pg_catalog's `now()` when their
tables were made; CURRENT_TIMESTAMP, which is no function that could be found elsewhere; and the server's start time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, Engine, text

SEARCH_PATH: Final = {"search_path": "bent, pg_catalog, public"}
"""The setting of the database that puts the bent clock before the true one."""

_INSTALL: Final = """
    DROP SCHEMA IF EXISTS bent CASCADE;
    CREATE SCHEMA bent;
    CREATE TABLE bent.clock (ahead interval NOT NULL);
    INSERT INTO bent.clock VALUES (interval '0');
    CREATE FUNCTION bent.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
        'SELECT pg_catalog.clock_timestamp() + ahead FROM bent.clock';
    CREATE FUNCTION bent.now() RETURNS timestamptz LANGUAGE sql STABLE AS
        'SELECT pg_catalog.now() + ahead FROM bent.clock';
"""


def install(engine: Engine) -> None:
    """Create the functions, with a shift of zero. The caller sets the search path of the database."""
    with engine.begin() as connection:
        connection.execute(text(_INSTALL))


def bend(connection: Connection, ahead: timedelta) -> None:
    """Shift the database's clock by `ahead`, from the commit on; zero makes it right again."""
    connection.execute(text("UPDATE bent.clock SET ahead = :ahead"), {"ahead": ahead})


def shown(connection: Connection) -> timedelta:
    """Return the difference between the clock that our statements see and the true one."""
    found = connection.execute(text("SELECT clock_timestamp() - pg_catalog.clock_timestamp()"))
    by: timedelta = found.scalar_one()
    return by
