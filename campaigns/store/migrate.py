"""Bring a database to the newest schema. Safe to run by several processes at once, and again."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from campaigns.store import installation
from campaigns.store.tables import SCHEMA

_HERE: Final = Path(__file__).parent / "migrations"
# One upgrade at a time.
_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtext('sms.migrate'))")


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration for our migrations, on `connection` where one is given."""
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.attributes["connection"] = connection
    return config


def upgrade(engine: Engine, *, revision: str = "head") -> None:
    """Create or upgrade the schema `sms`, and give a new database its epoch: one transaction, or nothing."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL lock_timeout = 0"))  # another's upgrade may take its time
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(_LOCK)
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        command.upgrade(configuration(connection), revision)
        now = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        installation.establish(connection, now=now)


def is_current(connection: Connection) -> bool:
    """Whether the database stands at the newest revision."""
    context = MigrationContext.configure(connection, opts={"version_table_schema": SCHEMA})
    return context.get_current_revision() == ScriptDirectory.from_config(configuration()).get_current_head()
