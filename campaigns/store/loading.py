"""Load a campaign, split it into batches, and choose the line (sender) that they leave from.

Loading takes place in the caller's transaction: ids are reserved in blocks, rows go in by COPY, the campaign's row
last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, Final, LiteralString

import psycopg
from psycopg.errors import LockNotAvailable
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from kavenegar_campaigns.errors import LockTimeout
from kavenegar_campaigns.rules.batches import BATCH_SIZE
from kavenegar_campaigns.rules.message_options import MessageOptions
from kavenegar_campaigns.rules.states import CampaignState


@dataclass(frozen=True, slots=True)
class Draft:
    """A campaign as the caller requested it."""

    name: str | None  # None: it is called by its id
    client_key: str | None
    sender: str  # of calls, the empty text
    template: str = field(repr=False)
    personal: bool
    start_at: datetime | None
    options: MessageOptions


@dataclass(frozen=True, slots=True)
class Loaded:
    """The result of loading a campaign, whose messages and rejects are already written."""

    content_digest: bytes
    message_ids: Sequence[tuple[int, int]]  # first, and one past the last
    rows_read: int
    messages: int
    duplicates: int
    rejects: int
    parts: int


ROWS_AT_ONCE: Final = 2_000
"""Rows that are collected before a COPY writes them, where it cannot write them as they come."""


def _copy(connection: Connection, statement: LiteralString, rows: Iterable[Sequence[object]]) -> int:
    """Run a `COPY … FROM STDIN` with these rows in the caller's transaction. Returns how many rows.

    Rows are written as they come; under asyncio in pieces of ROWS_AT_ONCE, since their source may itself await.
    """
    driver: Any = connection.connection.driver_connection
    written = 0
    if isinstance(driver, psycopg.AsyncConnection):
        adapter: Any = connection.connection.dbapi_connection
        source = iter(rows)
        while piece := list(islice(source, ROWS_AT_ONCE)):
            written += adapter.run_async(partial(_copy_async, statement, piece))
        return written
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
            written += 1
    return written


async def _copy_async(
    statement: LiteralString, rows: Sequence[Sequence[object]], driver: psycopg.AsyncConnection[Any]
) -> int:
    try:
        async with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                await copy.write_row(row)
    finally:
        if driver.info.transaction_status == TransactionStatus.ACTIVE:  # cancelled in a COPY that psycopg did not end
            await driver.close()
    return len(rows)


# Does another transaction create a campaign under this key? Wait until it ends.
_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('sms.campaigns:' || :key, 0))")


def lock_key(connection: Connection, key: str) -> None:
    """Lock `key` for creating until the transaction ends.

    Raises: LockTimeout if another transaction holds it for longer than lock_timeout.
    """
    try:
        connection.execute(_LOCK, {"key": key})
    except OperationalError as why:
        if not isinstance(why.orig, LockNotAvailable):
            raise
        sqlstate = why.orig.sqlstate
    else:
        return
    raise LockTimeout(
        "a campaign with this key is being created at this moment: roll back, and try again in a minute",
        sqlstate=sqlstate,
        retryable=True,
    )


def find_by_key(connection: Connection, key: str) -> tuple[int, bytes] | None:
    """Return the id and the content digest of the campaign that has `key`; None if no campaign has it."""
    row = connection.execute(
        text("SELECT id, content_digest FROM sms.campaigns WHERE client_key = :key"), {"key": key}
    ).one_or_none()
    return None if row is None else (row.id, bytes(row.content_digest))


def keep_session_alive(connection: Connection) -> None:
    """Keep the session active: the server disconnects a session that is idle in a transaction for long."""
    connection.execute(text("SELECT 1"))


def reserve_campaign_id(connection: Connection) -> int:
    """Reserve the id of a new campaign, whose messages are written before its row."""
    reserved = connection.execute(text("SELECT nextval(pg_get_serial_sequence('sms.campaigns', 'id'))"))
    return int(reserved.scalar_one())


def copy_messages(
    connection: Connection, campaign_id: int, first_id: int, messages: Iterable[tuple[int, int, str, str | None]]
) -> int:
    """Write (row_no, parts, number, text) under ids from `first_id` on. Returns the next free id."""
    rows = ((message_id, campaign_id, *message) for message_id, message in enumerate(messages, first_id))
    return first_id + _copy(
        connection, "COPY sms.messages (id, campaign_id, row_no, parts, number, text) FROM STDIN", rows
    )


def copy_rejects(
    connection: Connection, campaign_id: int, rejects: Sequence[tuple[int, str, str, str, str | None]]
) -> None:
    """Write (row_no, kind, value, reason, cells as JSON)."""
    if rejects:
        rows = ((campaign_id, *reject) for reject in rejects)
        _copy(connection, "COPY sms.rejects (campaign_id, row_no, kind, value, reason, cells) FROM STDIN", rows)


# Add the campaign under its reserved id, after its messages.
_INSERT: Final = text("""
    INSERT INTO sms.campaigns (id, name, client_key, content_digest, sender, template, personal, state, message_ids,
                               rows_read, messages, duplicates, rejects, parts, start_at,
                               kind, repeat, tag, policy, hide, message_type)
    OVERRIDING SYSTEM VALUE
    VALUES (:id, coalesce(:name, 'campaign ' || CAST(:id AS bigint)), :client_key, :content_digest, :sender, :template,
            :personal, :state, CAST(:message_ids AS int8multirange),
            :rows_read, :messages, :duplicates, :rejects, :parts, :start_at,
            :kind, :repeat, :tag, :policy, :hide, :message_type)
""")


def insert_campaign(connection: Connection, campaign_id: int, draft: Draft, loaded: Loaded) -> None:
    """Write the campaign's own row. Adjacent id ranges become one."""
    ranges = ", ".join(f"[{first}, {end})" for first, end in loaded.message_ids if first < end)
    changed = {"id": campaign_id, "state": CampaignState.DRAFT.value, "message_ids": f"{{{ranges}}}"}
    ordered = asdict(draft)
    ordered |= {**ordered.pop("options"), "kind": draft.options.kind.value}
    connection.execute(_INSERT, {**ordered, **asdict(loaded), **changed})


# ── a campaign is split into batches; each batch leaves in one request ──

# Split a campaign into batches of consecutive ids, at most 200 each.
_SPLIT: Final = text("""
    INSERT INTO sms.batches (campaign_id, first_id, last_id, state, due_at, pending)
    SELECT campaign.id, first_id, least(first_id + :size, upper(span)) - 1, 'ready', :due_at,
           least(first_id + :size, upper(span)) - first_id
      FROM sms.campaigns AS campaign, unnest(campaign.message_ids) AS span,
           generate_series(lower(span), upper(span) - 1, :size) AS first_id
     WHERE campaign.id = :campaign_id
  ORDER BY first_id
 RETURNING id
""")

# Split a campaign whose texts differ, where a request takes one text: neighbours with one text stay together.
_SPLIT_BY_TEXT: Final = text("""
    WITH marked AS (
        SELECT message.id, (message.id - 1 IS DISTINCT FROM lag(message.id) OVER neighbours
                            OR message.text IS DISTINCT FROM lag(message.text) OVER neighbours) AS first_of_run
          FROM sms.campaigns AS campaign, unnest(campaign.message_ids) AS span
          JOIN sms.messages AS message ON message.id >= lower(span) AND message.id < upper(span)
         WHERE campaign.id = :campaign_id
        WINDOW neighbours AS (ORDER BY message.id)
    ), runs AS (
        SELECT id, count(*) FILTER (WHERE first_of_run) OVER (ORDER BY id) AS run FROM marked
    ), sliced AS (
        SELECT id, run, (row_number() OVER (PARTITION BY run ORDER BY id) - 1) / :size AS slice FROM runs
    )
    INSERT INTO sms.batches (campaign_id, first_id, last_id, state, due_at, pending)
    SELECT :campaign_id, min(id), max(id), 'ready', :due_at, count(*) FROM sliced
  GROUP BY run, slice ORDER BY min(id)
 RETURNING id
""")


def split_into_batches(
    connection: Connection, campaign_id: int, *, due_at: datetime, by_text: bool = False
) -> list[int]:
    """Split a campaign into batches; with `by_text`, each batch has one text.

    Returns the ids of the batches, in the order in which they leave.
    """
    statement = _SPLIT_BY_TEXT if by_text else _SPLIT
    rows = connection.execute(statement, {"campaign_id": campaign_id, "size": BATCH_SIZE, "due_at": due_at})
    return [row.id for row in rows]


# The line (sender) that each batch of a campaign leaves from, where a campaign has had more than one.
#
# A campaign's row names the line of the batches that are still to leave. When a person chooses another line, each batch
# that left, or may have left, keeps its old line in its own row: its answers are matched by that line, and messages
# that the gateway never saw leave from that line again.

LINE_OF_BATCH: Final = "coalesce(batch.sender, campaign.sender)"
"""The line of a `batch` of a `campaign`, as an expression."""

CLAIM_UNDER_WAY: Final = timedelta(seconds=2)
"""How far the due times of changed batches are moved ahead. A claim that began before its campaign was paused takes the
campaign to be running, with a time before now: it does not find a batch that is due a little later."""

_UNSENT: Final = "batch.state = 'ready' AND batch.first_sent_at IS NULL"


@dataclass(frozen=True, slots=True)
class SenderChange:
    """The result of a change of the line: batches that leave from the new line, and messages that keep their line."""

    changed: int
    kept: int


# Batches that have not left take the campaign's line. They are due a little later than the time of any claim that is
# under way. The statement waits for a claim that holds the row.
_TAKE_NEW_SENDER: Final = text(f"""
    UPDATE sms.batches AS batch SET sender = NULL, due_at = greatest(due_at, :later), enqueued_at = NULL
     WHERE campaign_id = :id AND {_UNSENT}
""")
# Batches that left, or may have left, keep their line.
_KEEP_SENDER: Final = text(f"""
    UPDATE sms.batches AS batch SET sender = campaign.sender
      FROM sms.campaigns AS campaign
     WHERE campaign.id = :id AND batch.campaign_id = campaign.id AND batch.sender IS NULL
       AND batch.state <> 'split' AND NOT ({_UNSENT})
""")
# From now on the campaign leaves from this line.
_SET_SENDER: Final = text("UPDATE sms.campaigns SET sender = :line WHERE id = :id")


def change_sender(connection: Connection, campaign_id: int, *, line: str, now: datetime) -> SenderChange:
    """Change the line of the unsent batches of a paused, locked campaign to `line`."""
    changed = connection.execute(_TAKE_NEW_SENDER, {"id": campaign_id, "later": now + CLAIM_UNDER_WAY}).rowcount
    connection.execute(_KEEP_SENDER, {"id": campaign_id})
    connection.execute(_SET_SENDER, {"id": campaign_id, "line": line})
    return SenderChange(changed, sum(kept_senders(connection, campaign_id).values()))


# Which lines have a campaign's messages left from, or may they have left from?
_KEPT_SENDERS: Final = text("""
    SELECT sender AS line, sum(last_id - first_id + 1) AS messages FROM sms.batches
     WHERE campaign_id = :id AND state <> 'split' AND sender IS NOT NULL
  GROUP BY sender ORDER BY sender
""")


def kept_senders(connection: Connection, campaign_id: int) -> dict[str, int]:
    """Return how many messages of a campaign keep each earlier line; empty if its line never changed."""
    return {row.line: int(row.messages) for row in connection.execute(_KEPT_SENDERS, {"id": campaign_id})}
