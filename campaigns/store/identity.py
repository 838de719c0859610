"""Where this database lives: how a restored backup, a clone or a promoted standby is told from the database it was.

The one row of `sms.identity` holds the number of the transaction that wrote it, and PostgreSQL keeps the same number
in the row's `xmin`. A dump, a clone or a logical replica brings the row, but another transaction writes it there, or
another database holds it: the row then no longer describes its own place. A standby that was promoted began another
timeline, and every restart of the server changes its start time.

Batches and one-time passwords are claimed only where the row describes its own place: see `IS_HOME`.
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256
from typing import Final

from sqlalchemy import Connection, Row, text


class Place(StrEnum):
    """Where a database finds itself, held against where it last was."""

    HOME = "home"  # where it was
    RESTARTED = "restarted"  # the server was started again: it may have lost what its disk did not keep
    FAILED_OVER = "failed over"  # a standby was promoted, or a base backup recovered: the last commits may be missing
    COPIED = "copied"  # restored from a dump, or cloned: what was committed since is missing, or goes on elsewhere


_DATABASE_OID: Final = "(SELECT oid::bigint FROM pg_database WHERE datname = current_database())"
_HERE: Final = f"""
    SELECT {_DATABASE_OID} AS database_oid,
           (SELECT system_identifier FROM pg_control_system()) AS system_id,
           ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer AS timeline,
           pg_postmaster_start_time() AS server_started_at
"""

IS_HOME: Final = f"""
    EXISTS (SELECT FROM sms.identity AS home
             WHERE home.written_by = home.xmin::text::bigint AND home.database_oid = {_DATABASE_OID}
               AND home.server_started_at = pg_postmaster_start_time())
"""
"""A condition for claims: this is the database that was last known to have everything. A timeline cannot change without
the start time, nor can the system: who promotes a standby finds another server."""

IS_SAME_DATABASE: Final = f"""
    EXISTS (SELECT FROM sms.identity AS home, ({_HERE}) AS here
             WHERE home.written_by = home.xmin::text::bigint AND home.database_oid = here.database_oid
               AND home.system_id = here.system_id AND home.timeline = here.timeline)
"""
"""A condition for whoever hands out ids: this database is no copy. Its server may have been started again."""

IS_NO_COPY: Final = f"""
    EXISTS (SELECT FROM sms.identity AS home
             WHERE home.written_by = home.xmin::text::bigint AND home.database_oid = {_DATABASE_OID}
               AND home.system_id = (SELECT system_identifier FROM pg_control_system()))
"""
"""A condition for whatever shows outside of the database: it was not restored or cloned, or a person said what then."""

COMPARED: Final = f"""
    SELECT identity.written_by = identity.xmin::text::bigint AND identity.database_oid = here.database_oid
               AND identity.system_id = here.system_id AS same_database,
           identity.timeline = here.timeline AS same_timeline,
           identity.server_started_at = here.server_started_at AS same_start,
           greatest(installation.alive_at, identity.seen_at) AS alive_at,
           installation.clock_leapt_at, installation.clock_leapt_by
      FROM sms.identity AS identity, ({_HERE}) AS here, sms.installation AS installation
"""
"""Where the database is, held against where it last was; when it was last worked on; and whether its clock leapt."""

# Is this database where it was?
_READ: Final = text(COMPARED)


def read(connection: Connection) -> Place:
    """Where the database is, held against where it last was."""
    return place_of(connection.execute(_READ).one())


# Which database is this, at whatever address it is reached?
_LABEL: Final = text(f"""
    SELECT current_database() AS name, system_identifier AS system_id, {_DATABASE_OID} AS database_oid
      FROM pg_control_system()
""")


def label(connection: Connection) -> str:
    """The database's name, and a few digits that tell it from one of the same name on another server."""
    row = connection.execute(_LABEL).one()
    return f"{row.name} ({sha256(f'{row.system_id}:{row.database_oid}'.encode()).hexdigest()[:8]})"


def place_of(row: Row[tuple[object, ...]]) -> Place:
    """The place that a row of `COMPARED` tells of."""
    if not row.same_database:
        return Place.COPIED
    if not row.same_timeline:
        return Place.FAILED_OVER
    return Place.HOME if row.same_start else Place.RESTARTED


_COLUMNS: Final = "database_oid, system_id, timeline, server_started_at"
_THIS_TRANSACTION: Final = "pg_current_xact_id()::xid::text::bigint"

# This is where the database is from now on.
_SETTLE: Final = text(f"""
    INSERT INTO sms.identity (id, {_COLUMNS}, written_by, seen_at)
    SELECT 1, here.*, {_THIS_TRANSACTION}, clock_timestamp() FROM ({_HERE}) AS here
        ON CONFLICT (id) DO UPDATE
       SET database_oid = excluded.database_oid, system_id = excluded.system_id, timeline = excluded.timeline,
           server_started_at = excluded.server_started_at, written_by = excluded.written_by, seen_at = excluded.seen_at
""")


def settle(connection: Connection) -> None:
    """Write down that this is the place of the database. From the next commit on, batches may be claimed here.

    To be called in a transaction of its own: inside a savepoint the row would bear another transaction's number.
    """
    connection.execute(_SETTLE)


# Of a database that was worked on before, nothing is known that is later than the last tick: it may be a backup.
_SEEN_WHEN_TICKED: Final = text("""
    UPDATE sms.identity SET seen_at = least(seen_at, (SELECT ticked_at FROM sms.installation))
""")


def establish(connection: Connection) -> bool:
    """Write down the place of a database that has none yet: a new one, or one of before there was such a row.

    Whether there was none.
    """
    if connection.execute(text("SELECT FROM sms.identity")).one_or_none() is not None:
        return False
    settle(connection)
    connection.execute(_SEEN_WHEN_TICKED)
    return True
