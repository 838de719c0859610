"""Which database this is, and which gateway account a key belongs to.

The one row of `sms.identity` distinguishes a restored backup, a clone or a promoted standby from the original database.
The row holds the number of the transaction that wrote it, and PostgreSQL keeps the same number in the row's `xmin`.
A dump, a clone or a logical replica contains the row, but another transaction writes it there, or another database
holds it: the row then no longer describes its own place. A promoted standby begins another timeline, and every restart
of the server changes its start time.

Batches and one-time passwords are claimed only where the row describes its own place: see `IS_HOME`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final

from sqlalchemy import Connection, Row, text

from kavenegar_campaigns.store import in_one_commit


class Place(StrEnum):
    """The place of a database, compared with its last recorded place."""

    HOME = "home"  # the recorded place
    RESTARTED = "restarted"  # the server was restarted: commits that its disk did not keep may be missing
    FAILED_OVER = "failed over"  # a standby was promoted, or a base backup recovered: the last commits may be missing
    COPIED = "copied"  # restored from a dump, or cloned: later commits are missing, or the original goes on elsewhere


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
"""A condition for claims: this is the database that was last known to have all commits. The timeline and the system
cannot change without the start time: a promoted standby is another server."""

IS_SAME_DATABASE: Final = f"""
    EXISTS (SELECT FROM sms.identity AS home, ({_HERE}) AS here
             WHERE home.written_by = home.xmin::text::bigint AND home.database_oid = here.database_oid
               AND home.system_id = here.system_id AND home.timeline = here.timeline)
"""
"""A condition for reserving ids: this database is no copy. Its server may have been restarted."""

IS_NO_COPY: Final = f"""
    EXISTS (SELECT FROM sms.identity AS home
             WHERE home.written_by = home.xmin::text::bigint AND home.database_oid = {_DATABASE_OID}
               AND home.system_id = (SELECT system_identifier FROM pg_control_system()))
"""
"""A condition for actions outside of the database: it was not restored or cloned, or a person has decided since."""

COMPARED: Final = f"""
    SELECT identity.written_by = identity.xmin::text::bigint AND identity.database_oid = here.database_oid
               AND identity.system_id = here.system_id AS same_database,
           identity.timeline = here.timeline AS same_timeline,
           identity.server_started_at = here.server_started_at AS same_start,
           greatest(installation.alive_at, identity.seen_at) AS alive_at,
           installation.clock_leapt_at, installation.clock_leapt_by
      FROM sms.identity AS identity, ({_HERE}) AS here, sms.installation AS installation
"""
"""The database's place, compared with its recorded place; when it was last used; and whether its clock leapt."""

# Is this database at its recorded place?
_READ_PLACE: Final = text(COMPARED)


@in_one_commit
def read_place(connection: Connection) -> Place:
    """Return the place of the database, compared with its recorded place."""
    return place_of(connection.execute(_READ_PLACE).one())


# Which database is this, whatever its address?
_DATABASE_LABEL: Final = text(f"""
    SELECT current_database() AS name, system_identifier AS system_id, {_DATABASE_OID} AS database_oid
      FROM pg_control_system()
""")


def database_label(connection: Connection) -> str:
    """Return the database's name, and a few digits that distinguish it from one of this name on another server."""
    row = connection.execute(_DATABASE_LABEL).one()
    return f"{row.name} ({sha256(f'{row.system_id}:{row.database_oid}'.encode()).hexdigest()[:8]})"


def place_of(row: Row[tuple[object, ...]]) -> Place:
    """Return the place that a row of `COMPARED` describes."""
    if not row.same_database:
        return Place.COPIED
    if not row.same_timeline:
        return Place.FAILED_OVER
    return Place.HOME if row.same_start else Place.RESTARTED


_PLACE_COLUMNS: Final = "database_oid, system_id, timeline, server_started_at"
_THIS_TRANSACTION: Final = "pg_current_xact_id()::xid::text::bigint"

# Record this place as the place of the database.
_RECORD_PLACE: Final = text(f"""
    INSERT INTO sms.identity (id, {_PLACE_COLUMNS}, written_by, seen_at)
    SELECT 1, here.*, {_THIS_TRANSACTION}, clock_timestamp() FROM ({_HERE}) AS here
        ON CONFLICT (id) DO UPDATE
       SET database_oid = excluded.database_oid, system_id = excluded.system_id, timeline = excluded.timeline,
           server_started_at = excluded.server_started_at, written_by = excluded.written_by, seen_at = excluded.seen_at
""")


def record_place(connection: Connection) -> None:
    """Record the present place of the database. From the next commit on, batches may be claimed here.

    Never call it inside a savepoint: the row would get another transaction's number.
    """
    connection.execute(_RECORD_PLACE)


# A database that was used before is known to be complete only up to its last tick: it may be a backup.
_SEEN_WHEN_TICKED: Final = text("""
    UPDATE sms.identity SET seen_at = least(seen_at, (SELECT ticked_at FROM sms.installation))
""")


def establish_place(connection: Connection) -> bool:
    """Record the place of a database without a recorded place: a new one, or one of an older version.

    Returns whether no place was recorded.
    """
    if connection.execute(text("SELECT FROM sms.identity")).one_or_none() is not None:
        return False
    record_place(connection)
    connection.execute(_SEEN_WHEN_TICKED)
    return True


# The gateway account of each key, as far as it is known, and the open batches of each account.
#
# A batch belongs to the account that it left under: only this account's "never seen" proves that the batch was not
# sent. Keys change, so batches are compared by the account's number here, which the keys of one account share.

FIRST_ACCOUNT: Final = 1
"""The account of the key that was used first, and of batches from before accounts were recorded."""


ACCOUNT_IN_USE: Final = f"""
    (SELECT account
       FROM (SELECT account, recognised_at AS at FROM sms.accounts
          UNION ALL SELECT coalesce(account, {FIRST_ACCOUNT}), first_sent_at FROM sms.batches) AS used
      WHERE used.at <= {{at}} ORDER BY used.at DESC LIMIT 1)
"""
"""The account under which a batch would have left at the moment `at`: of the last claim, or of a newer key.

Used once after a restore: it reads all batches."""


@dataclass(frozen=True, slots=True)
class AccountEvidence:
    """Messages that the gateway recently accepted under an account: gateway ids by message id."""

    account: int
    gateway_ids: dict[int, int]


@in_one_commit
def account_of_key(connection: Connection, label: str) -> int | None:
    """Return the account of a key, by the key's label; None while it is not known."""
    found = connection.execute(text("SELECT account FROM sms.accounts WHERE label = :label"), {"label": label})
    account: int | None = found.scalar_one_or_none()
    return account


# Which messages were accepted last under each account, within the localid window?
_EVIDENCE: Final = text(f"""
    WITH known AS (
        SELECT account FROM sms.accounts UNION SELECT {FIRST_ACCOUNT}
    ), newest AS (
        SELECT known.account, batch.first_id, batch.last_id
          FROM known
         CROSS JOIN LATERAL (SELECT first_id, last_id FROM sms.batches
                              WHERE coalesce(account, {FIRST_ACCOUNT}) = known.account
                                AND accepted_at IS NOT NULL AND first_sent_at > :since
                           ORDER BY id DESC LIMIT 1) AS batch
    )
    SELECT newest.account, message.id, message.gateway_id
      FROM newest
     CROSS JOIN LATERAL (SELECT id, gateway_id FROM sms.messages
                          WHERE id BETWEEN newest.first_id AND newest.last_id AND gateway_id IS NOT NULL
                       ORDER BY id LIMIT :most) AS message
  ORDER BY newest.account DESC, message.id
""")


@in_one_commit
def account_evidence(connection: Connection, *, since: datetime, most: int) -> Sequence[AccountEvidence]:
    """Return, for each account, at most `most` messages that left under it after `since`, the newest account first.

    Called once for a new key: it may read all batches.
    """
    found: dict[int, dict[int, int]] = {}
    for row in connection.execute(_EVIDENCE, {"since": since, "most": most}):
        found.setdefault(row.account, {})[row.id] = row.gateway_id
    return [AccountEvidence(account, ids) for account, ids in found.items()]


# One key is recognised at a time, so that two new accounts do not get one number.
_ONE_KEY_AT_A_TIME: Final = text("SELECT pg_advisory_xact_lock(hashtext('sms.accounts'))")
# Record that this key belongs to this account, or to a new one.
_RECOGNISE: Final = text(f"""
    INSERT INTO sms.accounts (label, account, recognised_at)
    SELECT :label, coalesce(CAST(:account AS smallint), max(account) + 1, {FIRST_ACCOUNT}), :now
      FROM (SELECT account FROM sms.accounts UNION SELECT {FIRST_ACCOUNT} WHERE :contradicted) AS known
        ON CONFLICT (label) DO NOTHING
""")


@in_one_commit
def recognise_key(connection: Connection, label: str, *, account: int | None, contradicted: bool, now: datetime) -> int:
    """Record the account of a key, and return the account's number; with `account` None, a new account.

    `contradicted`: under this key the gateway does not know messages of the first account, of which no key is recorded.
    """
    connection.execute(_ONE_KEY_AT_A_TIME)
    values = {"label": label, "account": account, "contradicted": contradicted, "now": now}
    connection.execute(_RECOGNISE, values)
    number = account_of_key(connection, label)
    assert number is not None  # noqa: S101 - it was just inserted, or stood there
    return number


@dataclass(frozen=True, slots=True)
class StrandedBatches:
    """Unknown batches that left under another account than our key's; the first left at `since`."""

    batches: int
    messages: int
    since: datetime


# How many unknown batches can be resolved only with another account's key?
_STRANDED: Final = text(f"""
    SELECT count(*) AS batches, coalesce(sum(batch.pending), 0) AS messages, min(batch.first_sent_at) AS since
      FROM sms.batches AS batch, sms.accounts AS own
     WHERE batch.state = 'unknown' AND own.label = :label AND coalesce(batch.account, {FIRST_ACCOUNT}) <> own.account
""")


def stranded_batches(connection: Connection, label: str) -> StrandedBatches | None:
    """Return the unknown batches that left under another account; None if there are none."""
    row = connection.execute(_STRANDED, {"label": label}).one()
    return None if not row.batches else StrandedBatches(row.batches, int(row.messages), row.since)
