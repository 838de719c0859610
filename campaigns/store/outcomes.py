"""The outcomes of attempts at a batch: their counts, the halves of a refused batch, and uncertain batches.

Attempts are only ever appended to, by the claims and decisions of `batches`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from kavenegar_campaigns.rules.batches import WINDOW_MARGIN, halves
from kavenegar_campaigns.rules.states import MessageState
from kavenegar_campaigns.store import in_one_commit, messages
from kavenegar_campaigns.store.batches import COLLISION, FENCE
from kavenegar_campaigns.store.gate import MAY_END
from kavenegar_campaigns.store.records import Claim, Fact

# How many attempts at a batch had this outcome?
_COUNT_ATTEMPTS: Final = text("""
    SELECT count(*) FROM sms.attempts
     WHERE batch_id = :id AND event = :event AND (CAST(:code AS smallint) IS NULL OR code = :code)
""")


@in_one_commit
def count_attempts(connection: Connection, batch_id: int, *, event: str, code: int | None = None) -> int:
    """Return how many attempts at a batch ended in `event`, with `code` where one is given."""
    return int(connection.execute(_COUNT_ATTEMPTS, {"id": batch_id, "event": event, "code": code}).scalar_one())


@dataclass(frozen=True, slots=True)
class LastCalls:
    """When the last request left, when the gateway last answered a request, and when it last failed to answer one.

    Each is None where the newest attempts do not show it. `enqueued_at`: when the dispatcher last enqueued a batch that
    is still ready.
    """

    enqueued_at: datetime | None = None
    left_at: datetime | None = None
    answered_at: datetime | None = None
    unanswered_at: datetime | None = None


# When did the newest attempts send, get an answer, and get none? They stand at the end of the table.
_LAST_CALLS: Final = text("""
    SELECT (SELECT max(enqueued_at) FROM sms.batches WHERE state = 'ready' AND enqueued_at IS NOT NULL) AS enqueued_at,
           max(at) FILTER (WHERE kind = 'send' AND event = 'began') AS left_at,
           max(at) FILTER (WHERE NOT unanswered AND event NOT IN ('began', 'may have left')) AS answered_at,
           max(at) FILTER (WHERE unanswered) AS unanswered_at
      FROM (SELECT kind, event, at, event IN ('put off', 'unknown') AND coalesce(code, 500) >= 500 AS unanswered
              FROM sms.attempts ORDER BY id DESC LIMIT 5000) AS newest
""")


def last_calls(connection: Connection) -> LastCalls:
    """Return the last signs of life of the workers that send, and of the gateway."""
    return LastCalls(**connection.execute(_LAST_CALLS).mappings().one())


# ── a refused batch is halved until the message at fault stands alone ──

# Mark the batch split. Its two halves take over its polls and its due time.
_SPLIT_WHOLE: Final = text(f"""
    UPDATE sms.batches SET state = 'split', lease_owner = NULL, poll_at = NULL, trouble = :trouble
     WHERE {FENCE} AND last_id > first_id
 RETURNING first_id, last_id
""")
# Add one half, ready to leave. It keeps the window of the whole batch for its accepted messages.
_HALF: Final = text("""
    INSERT INTO sms.batches (campaign_id, parent_id, first_id, last_id, state, due_at, trouble, first_sent_at, sender,
                             accepted_at, closes_at, pending)
    SELECT campaign_id, id, :first_id, :last_id, 'ready', :due_at, trouble,
           CASE WHEN first_sent_at < :claimed_at THEN first_sent_at END, sender,
           accepted_at, closes_at, :last_id - CAST(:first_id AS bigint) + 1
      FROM sms.batches WHERE id = :batch_id
 RETURNING id
""")


def halve(connection: Connection, claim: Claim, *, now: datetime, trouble: str) -> list[int]:
    """Replace a refused batch by its halves. Returns their ids; empty when the lease is lost."""
    whole = connection.execute(
        _SPLIT_WHOLE,
        {"batch_id": claim.batch_id, "call_id": claim.call_id, "attempt": claim.attempt, "trouble": trouble},
    ).one_or_none()
    if whole is None:
        return []
    spans = halves(whole.first_id, whole.last_id)
    new = [
        connection.execute(
            _HALF,
            {
                "batch_id": claim.batch_id,
                "first_id": first_id,
                "last_id": last_id,
                "due_at": now,
                "claimed_at": claim.claimed_at,
            },
        ).scalar_one()
        for first_id, last_id in spans
    ]
    messages.recount(connection, new, now=now)
    return new


# ── unknown batches whose localid window is over without an answer: their messages become uncertain ──

WINDOW_ENDED: Final = "nobody answered while the gateway could be asked"
"""The trouble of an uncertain batch: the gateway did not answer before it forgot our localids."""

GIVE_UP_MAX: Final = 20
"""Batches that one tick gives up at most, so that no commit is long."""

# Which unknown batches can no longer be resolved? The longest due are checked first. The window begins when the last
# send began, or when the epoch ended in which the batch may have left. A resolve near the end of the window has brought
# no answer, or twice the window has passed. A batch that is being resolved is not due.
_OVER: Final = text(f"""
    WITH due AS (
        SELECT id, first_sent_at FROM sms.batches
         WHERE state = 'unknown' AND due_at <= :now ORDER BY due_at LIMIT :looked_at
    ), left_last AS (
        SELECT due.id,
               greatest(due.first_sent_at,
                        (SELECT max(at) FROM sms.attempts
                          WHERE batch_id = due.id AND kind = 'send' AND event IN ('began', 'may have left')),
                        (SELECT max(began_at) FROM sms.epochs WHERE lost_since IS NOT NULL)) AS at
          FROM due WHERE due.first_sent_at <= :now - CAST(:window AS interval)
    ), over AS (
        SELECT id FROM left_last
         WHERE at <= :now - CAST(:window AS interval)
           AND (at <= :now - 2 * CAST(:window AS interval)
                OR EXISTS (SELECT FROM sms.attempts AS asked
                            WHERE asked.batch_id = left_last.id AND asked.kind = 'resolve' AND asked.event = 'began'
                              AND asked.at >= left_last.at + CAST(:nearly AS interval)))
    )
    SELECT batch.id, batch.first_id, batch.last_id FROM sms.batches AS batch
     WHERE batch.id IN (SELECT id FROM over) AND batch.state = 'unknown' AND batch.due_at <= :now AND {MAY_END}
     LIMIT :most FOR UPDATE SKIP LOCKED
""")


def give_up_unanswered(connection: Connection, *, now: datetime, window: timedelta) -> list[int]:
    """Make the messages of unknown batches uncertain whose `window` ended without an answer. Returns the batch ids."""
    values = {
        "window": window,
        "nearly": window - window / WINDOW_MARGIN,
        "looked_at": 10 * GIVE_UP_MAX,
        "most": GIVE_UP_MAX,
    }
    rows = connection.execute(_OVER, {"now": now, **values}).all()
    facts = [
        Fact(message.id, MessageState.UNCERTAIN)
        for row in rows
        for message in connection.execute(messages.PENDING, {"first_id": row.first_id, "last_id": row.last_id})
    ]
    if not facts:
        return []
    ids = messages.lock_batches(connection, [row.id for row in rows], [fact.message_id for fact in facts])
    messages.merge_facts(connection, facts, now=now)
    messages.recount(connection, ids, now=now)
    connection.execute(
        text("UPDATE sms.batches SET trouble = :trouble, lease_owner = NULL WHERE id = ANY (CAST(:ids AS bigint[]))"),
        {"ids": ids, "trouble": WINDOW_ENDED},
    )
    return [row.id for row in rows]


# ── it is not possible any more to find out whether an uncertain message was sent: a person decides ──


@dataclass(frozen=True, slots=True)
class UncertainBatch:
    """A batch with uncertain messages: how many, when it first left, and its last trouble."""

    batch_id: int
    campaign_id: int
    messages: int
    first_sent_at: datetime
    trouble: str


# Which batches have uncertain messages, so that a person must decide?
_UNCERTAIN: Final = text("""
    SELECT id, campaign_id, uncertain, first_sent_at, coalesce(trouble, '') AS trouble FROM sms.batches
     WHERE uncertain > 0 AND state <> 'split'
       AND (CAST(:campaign_id AS bigint) IS NULL OR campaign_id = :campaign_id)
  ORDER BY id LIMIT :most
""")


def uncertain_batches(
    connection: Connection, *, campaign_id: int | None = None, most: int = 1000
) -> Sequence[UncertainBatch]:
    """Return batches with uncertain messages, of one campaign or of all, at most `most`."""
    rows = connection.execute(_UNCERTAIN, {"campaign_id": campaign_id, "most": most})
    return [UncertainBatch(row.id, row.campaign_id, row.uncertain, row.first_sent_at, row.trouble) for row in rows]


# A person knows that these messages were never sent, or prefers to send them twice rather than not at all.
_SEND_UNCERTAIN: Final = text("""
    WITH chosen AS (
        SELECT id, first_id, last_id FROM sms.batches
         WHERE campaign_id = :campaign_id AND uncertain > 0 AND state <> 'split' AND trouble IS DISTINCT FROM :collision
           FOR UPDATE
    ), moved AS (
        UPDATE sms.messages AS message SET state = 'pending', settled_at = NULL
          FROM chosen WHERE message.id BETWEEN chosen.first_id AND chosen.last_id AND message.state = 'uncertain'
     RETURNING message.id
    )
    UPDATE sms.batches AS batch
       SET state = 'ready', due_at = :now, first_sent_at = NULL, trouble = 'sent again by hand',
           pending = batch.pending + batch.uncertain, uncertain = 0
      FROM chosen WHERE batch.id = chosen.id
 RETURNING batch.id
""")


def send_uncertain(connection: Connection, campaign_id: int, *, now: datetime) -> int:
    """Make a campaign's uncertain messages ready to leave again, under the same ids. Returns how many messages."""
    ids = [
        row.id
        for row in connection.execute(_SEND_UNCERTAIN, {"campaign_id": campaign_id, "now": now, "collision": COLLISION})
    ]
    if ids:
        messages.recount(connection, ids, now=now)
    pending = text("SELECT coalesce(sum(pending), 0) FROM sms.batches WHERE id = ANY (CAST(:ids AS bigint[]))")
    return int(connection.execute(pending, {"ids": ids}).scalar_one())
