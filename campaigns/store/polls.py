"""Claim the batches that are due for a poll, record the gateway's statuses, and schedule each batch's next poll.

Due times live on the batch, never on the message. A poll takes whole batches until it has 500 messages. Of a batch
that does not fit, it takes the first messages; the batch stays due from the next message on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, Row, text

from kavenegar_campaigns.rules.batches import POLL_SIZE
from kavenegar_campaigns.store import in_one_commit, messages
from kavenegar_campaigns.store.gate import CLOCK_IS_TRUSTED
from kavenegar_campaigns.store.records import Fact, MovedMessage, PollShare

# While the clock is not trusted, no batch is due: the clock would plan the next poll.
_IS_DUE: Final = f"poll_at <= :now AND closes_at > :now AND {CLOCK_IS_TRUSTED}"
# A batch that is due before its window ends has `poll_at < closes_at`; the condition matches the index of closing
# batches.
_IS_CLOSING: Final = f"{_IS_DUE} AND closes_at <= :closing_before AND poll_at < closes_at"

# Is any batch due for a poll? The check comes before a slot of the pace is spent.
_DUE: Final = text(f"SELECT EXISTS (SELECT FROM sms.batches WHERE {_IS_DUE})")
# Is any batch due whose window is about to close?
_CLOSING_DUE: Final = text(f"SELECT EXISTS (SELECT FROM sms.batches WHERE {_IS_CLOSING})")

# How many messages are due for a poll, and how many of them have a window that is about to close? Only the first
# batches are counted.
_WAITING: Final = text(f"""
    SELECT (SELECT coalesce(sum(accepted), 0)
              FROM (SELECT accepted FROM sms.batches WHERE {_IS_DUE} ORDER BY poll_at, id LIMIT :most) AS due) AS due,
           (SELECT coalesce(sum(accepted), 0)
              FROM (SELECT accepted FROM sms.batches WHERE {_IS_CLOSING}
                  ORDER BY closes_at, id LIMIT :most) AS closing) AS closing
""")

# Pollers choose one after the other, so that each finds 500 messages of its own. At once, all would choose the same
# messages.
_TURN: Final = text("SELECT pg_advisory_xact_lock(hashtext('sms.polls'))")

# The claimed batches are ours until the lease ends; then they are due again.
_CLAIM: Final = """
    WITH due AS (
        SELECT id, at, sum(accepted) OVER (ORDER BY at, id ROWS UNBOUNDED PRECEDING) - accepted AS before
          FROM (SELECT id, {at} AS at, accepted FROM sms.batches WHERE {which} ORDER BY {at}, id LIMIT :most) AS first
    ), chosen AS (
        SELECT batch.id, due.at FROM sms.batches AS batch JOIN due ON due.id = batch.id
         WHERE due.before < :most AND batch.poll_at <= :now
           FOR UPDATE OF batch SKIP LOCKED
    )
    UPDATE sms.batches AS batch SET poll_at = :lease_ends FROM chosen WHERE batch.id = chosen.id
 RETURNING batch.id, batch.accepted, chosen.at
"""
# Which batches hold the messages that have been due for longest?
_CLAIM_OLDEST: Final = text(_CLAIM.format(at="poll_at", which=_IS_DUE))
# Which batches hold the messages that are due, and whose windows close next?
_CLAIM_CLOSING: Final = text(_CLAIM.format(at="closes_at", which=_IS_CLOSING))

# Which messages of these batches have no verdict yet, in the order in which they are due?
_OPEN: Final = text("""
    SELECT batch.id AS batch_id, batch.poll_no, batch.accepted_at, batch.closes_at, message.id, message.gateway_id,
           (SELECT coalesce(callbacks_active, false) FROM sms.installation) AS callbacks_active,
           (SELECT min(at) FROM sms.attempts
             WHERE batch_id = batch.id AND kind = 'poll' AND attempt = batch.poll_no
               AND batch.poll_resume_id IS NOT NULL) AS began_at
      FROM unnest(CAST(:ids AS bigint[])) WITH ORDINALITY AS claimed (id, place)
      JOIN sms.batches AS batch ON batch.id = claimed.id
      JOIN sms.messages AS message
        ON message.id BETWEEN coalesce(batch.poll_resume_id, batch.first_id) AND batch.last_id
       AND message.state = 'accepted'
  ORDER BY claimed.place, message.id
     LIMIT :most + 1
""")


@in_one_commit
def any_due(connection: Connection, *, now: datetime, closing_before: datetime | None = None) -> bool:
    """Return whether any batch is due for a poll; with `closing_before`, only batches whose window ends by then."""
    question = _DUE if closing_before is None else _CLOSING_DUE
    return bool(connection.execute(question, {"now": now, "closing_before": closing_before}).scalar_one())


def count_due(connection: Connection, *, now: datetime, closing_before: datetime, most_batches: int) -> tuple[int, int]:
    """Count the messages due for a poll, and the due messages whose windows end by `closing_before`.

    Each count covers the first `most_batches` batches.
    """
    times = {"now": now, "closing_before": closing_before}
    row = connection.execute(_WAITING, {**times, "most": most_batches}).one()
    return int(row.due), int(row.closing)


@in_one_commit
def claim(
    connection: Connection, *, now: datetime, lease: timedelta, closing_before: datetime | None = None
) -> list[PollShare]:
    """Claim the next 500 messages to poll, by batch; empty when no batch is due any more.

    The batches that have been due for longest come first. With `closing_before`, the batches whose windows end by then
    come before them, the next window to end first.
    """
    connection.execute(_TURN)
    ids = _claim_batches(connection, {"now": now, "lease_ends": now + lease, "closing_before": closing_before})
    if not ids:
        return []
    rows = connection.execute(_OPEN, {"ids": ids, "most": POLL_SIZE}).all()
    asked = [
        _share(batch_id, list(group)) for batch_id, group in groupby(rows[:POLL_SIZE], key=lambda row: row.batch_id)
    ]
    beyond = rows[POLL_SIZE] if len(rows) > POLL_SIZE else None
    if beyond is not None and asked and asked[-1].batch_id == beyond.batch_id:
        asked[-1] = replace(asked[-1], resume_id=beyond.id)
    _give_back(connection, set(ids) - {batch.batch_id for batch in asked}, now=now)
    return asked


def _claim_batches(connection: Connection, times: Mapping[str, datetime | None]) -> list[int]:
    """Claim enough batches for one poll. Returns their ids in the order in which they are polled."""
    ids: list[int] = []
    room = POLL_SIZE
    for claim_first in (_CLAIM_CLOSING, _CLAIM_OLDEST) if times["closing_before"] else (_CLAIM_OLDEST,):
        rows = connection.execute(claim_first, {**times, "most": room}).all()
        ids += [row.id for row in sorted(rows, key=lambda row: (row.at, row.id))]
        room -= sum(row.accepted for row in rows)
        if room <= 0:
            break
    return ids


def _share(batch_id: int, rows: Sequence[Row[tuple[object, ...]]]) -> PollShare:
    first = rows[0]
    return PollShare(
        batch_id=batch_id,
        poll_no=first.poll_no,
        accepted_at=first.accepted_at,
        closes_at=first.closes_at,
        message_ids={row.gateway_id: row.id for row in rows},
        resume_id=None,
        callbacks_active=bool(first.callbacks_active),
        began_at=first.began_at,
    )


def _give_back(connection: Connection, batch_ids: set[int], *, now: datetime) -> None:
    """Make claimed batches that found no room due again. A poll whose remaining messages have verdicts starts over."""
    if batch_ids:
        connection.execute(
            text("""
                UPDATE sms.batches SET poll_at = :now, poll_resume_id = NULL
                 WHERE id = ANY (CAST(:ids AS bigint[])) AND poll_at IS NOT NULL
            """),
            {"ids": sorted(batch_ids), "now": now},
        )


# When is the next poll of each of these batches? Only the newest poll of a batch sets it.
_RESCHEDULE: Final = text("""
    UPDATE sms.batches AS batch
       SET poll_at = least(next.poll_at, batch.closes_at), poll_resume_id = next.poll_resume_id,
           poll_no = batch.poll_no + CASE WHEN next.poll_resume_id IS NULL THEN 1 ELSE 0 END
      FROM unnest(CAST(:ids AS bigint[]), CAST(:poll_nos AS smallint[]), CAST(:poll_ats AS timestamptz[]),
                  CAST(:poll_resume_ids AS bigint[])) AS next (id, poll_no, poll_at, poll_resume_id)
     WHERE batch.id = next.id AND batch.poll_no = next.poll_no AND batch.poll_at IS NOT NULL
""")


@in_one_commit
def record_poll(
    connection: Connection,
    asked: Sequence[PollShare],
    facts: Sequence[Fact],
    *,
    next_polls: Sequence[datetime],
    call_id: UUID,
    now: datetime,
) -> list[MovedMessage]:
    """Record the answer to a poll, and the time of the next poll of each of `asked`. Returns the messages that changed.

    The caller passes them to `suppressions.suppress_by_verdicts`.
    """
    ids = [batch.batch_id for batch in asked]
    live = messages.lock_batches(connection, ids, [fact.message_id for fact in facts])
    moved = messages.merge_facts(connection, facts, now=now, known=True)
    connection.execute(
        _RESCHEDULE,
        {
            "ids": ids,
            "poll_nos": [batch.poll_no for batch in asked],
            "poll_ats": list(next_polls),
            "poll_resume_ids": [batch.resume_id for batch in asked],
        },
    )
    messages.recount(connection, live, now=now)
    shares = [(batch.batch_id, batch.poll_no, len(batch.message_ids)) for batch in asked]
    _record_attempts(connection, shares, call_id=call_id, now=now)
    return moved


def record_verdicts(
    connection: Connection,
    message_ids: Sequence[int],
    facts: Sequence[Fact],
    *,
    now: datetime,
    call_id: UUID | None = None,
) -> list[MovedMessage]:
    """Record facts about single messages, whatever the state of their batches. Returns the messages that changed.

    With a `call_id`, the gateway was asked about all of `message_ids`, and each batch gets its attempt.
    """
    shares = messages.batches_holding(connection, message_ids)
    live = messages.lock_batches(connection, [each.batch_id for each in shares])
    moved = messages.merge_facts(connection, facts, now=now, known=True)
    messages.recount(connection, live, now=now)
    if call_id is not None:
        _record_attempts(connection, shares, call_id=call_id, now=now)
    return moved


def _record_attempts(
    connection: Connection, shares: Sequence[tuple[int, int, int]], *, call_id: UUID, now: datetime
) -> None:
    """Append an attempt for each batch in one request; a share is (batch id, poll number, number of messages)."""
    connection.execute(
        text("""
            INSERT INTO sms.attempts (batch_id, call_id, kind, event, attempt, messages, at)
            SELECT id, :call_id, 'poll', 'answered', attempt, asked, :now
              FROM unnest(CAST(:ids AS bigint[]), CAST(:nos AS integer[]), CAST(:asked AS smallint[]))
                   AS answered (id, attempt, asked)
        """),
        {
            "ids": [batch_id for batch_id, _, _ in shares],
            "nos": [poll_no for _, poll_no, _ in shares],
            "asked": [asked for _, _, asked in shares],
            "call_id": call_id,
            "now": now,
        },
    )


@in_one_commit
def put_off(connection: Connection, asked: Sequence[PollShare], *, until: datetime) -> None:
    """Make the messages of a poll that brought no answer due again at `until`."""
    connection.execute(
        text("""
            UPDATE sms.batches AS batch SET poll_at = least(CAST(:until AS timestamptz), batch.closes_at)
              FROM unnest(CAST(:ids AS bigint[]), CAST(:nos AS smallint[])) AS asked (id, poll_no)
             WHERE batch.id = asked.id AND batch.poll_no = asked.poll_no AND batch.poll_at IS NOT NULL
        """),
        {
            "ids": [batch.batch_id for batch in asked],
            "nos": [batch.poll_no for batch in asked],
            "until": until,
        },
    )


# Which batches have a closed window? Their messages without a verdict expire, and keep their last known status.
_OVER: Final = text("""
    SELECT id FROM sms.batches WHERE poll_at IS NOT NULL AND poll_at <= :now AND closes_at <= :now
  ORDER BY closes_at LIMIT :most
       FOR UPDATE SKIP LOCKED
""")
# Expire the messages of these batches that have no verdict: the gateway no longer answers for them.
_EXPIRE: Final = text("""
    UPDATE sms.messages AS message SET state = 'expired', settled_at = :now
      FROM sms.batches AS batch
     CROSS JOIN LATERAL (SELECT id FROM sms.messages
                          WHERE id BETWEEN batch.first_id AND batch.last_id AND state = 'accepted') AS open
     WHERE batch.id = ANY (CAST(:ids AS bigint[])) AND message.id = open.id
""")


def close_windows(connection: Connection, *, now: datetime, most: int = 50) -> int:
    """Expire messages that the gateway no longer answers for. Returns how many batches were closed, at most `most`."""
    ids = [row.id for row in connection.execute(_OVER, {"now": now, "most": most})]
    if ids:
        connection.execute(_EXPIRE, {"ids": ids, "now": now})
        messages.recount(connection, ids, now=now)
    return len(ids)
