"""The database as it was once, to which a replay returns: every row written anew, as a restored dump writes it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine, text

from kavenegar_campaigns.store.tables import metadata

_TABLES: Final = [table.fullname for table in metadata.sorted_tables]


def keep(engine: Engine) -> None:
    """Keep a copy of every table."""
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA IF NOT EXISTS kept"))
        for table in _TABLES:
            connection.execute(text(f"DROP TABLE IF EXISTS {_kept(table)}"))
            connection.execute(text(f"CREATE TABLE {_kept(table)} AS TABLE {table}"))


def return_to_kept(engine: Engine, *, now: datetime) -> None:
    """Bring the copy back: the row of the database's identity is another transaction's then, as in any copy.

    It is so old that whatever was due then is due now.
    """
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))  # no order among foreign keys
        connection.execute(text(f"TRUNCATE {', '.join(_TABLES)}"))
        for table in _TABLES:
            connection.execute(text(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE {_kept(table)}"))
        connection.execute(text("UPDATE sms.batches SET due_at = :now"), {"now": now})


def restart(connection: Connection) -> None:
    """Let the row of the database's identity say that its server was started at another time, and nothing else."""
    connection.execute(
        text("""
            UPDATE sms.identity SET server_started_at = server_started_at - interval '1 hour',
                   written_by = pg_current_xact_id()::xid::text::bigint
        """)
    )


def _kept(table: str) -> str:
    return table.replace("sms.", "kept.")
