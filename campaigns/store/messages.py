"""Facts about messages, merged in bulk; and the batch counters, which are always recounted from the messages.

*Decisions are fenced, facts are merged*: every worker may record that the gateway accepted a message, or delivered it,
late, twice or out of order. The from-state in the statement lets only forward moves through.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from kavenegar_campaigns.rules.states import MESSAGE_MOVES, BatchState, MessageState, states_leading_to
from kavenegar_campaigns.store import in_one_commit
from kavenegar_campaigns.store.gate import LEFT_FROM_HERE, MAY_ACT, MAY_END
from kavenegar_campaigns.store.records import Fact, MovedMessage


def _array(values: Iterable[str]) -> str:
    listed = ", ".join(f"'{value}'" for value in sorted(values))
    return f"ARRAY[{listed}]::text[]"


_SOURCES: Final = ", ".join(
    f"('{state}', {_array(states_leading_to(state))})" for state in MESSAGE_MOVES if states_leading_to(state)
)

# Record the facts that are new, from the states that they may follow; skip the others. An accepted message whose status
# only advances (1 queued, 4 and 5 handed over) keeps its state. Once a message has a gateway id, only a fact with this
# gateway id can change it.
_MERGE: Final = text(f"""
    UPDATE sms.messages AS message
       SET state = fact.state,
           gateway_id = coalesce(fact.gateway_id, message.gateway_id),
           status = coalesce(fact.status, message.status),
           cost_rial = coalesce(fact.cost_rial, message.cost_rial),
           refused_code = fact.refused_code,
           settled_at = CASE WHEN fact.state = 'accepted' THEN message.settled_at ELSE :now END
      FROM unnest(CAST(:ids AS bigint[]), CAST(:states AS text[]), CAST(:gateway_ids AS bigint[]),
                  CAST(:statuses AS integer[]), CAST(:costs AS integer[]), CAST(:codes AS smallint[]))
           AS fact (id, state, gateway_id, status, cost_rial, refused_code)
      JOIN (VALUES {_SOURCES}) AS move (state, sources) ON move.state = fact.state
     WHERE message.id = fact.id
       AND (message.state = ANY (move.sources)
            OR (message.state = 'accepted' AND fact.state = 'accepted' AND fact.status > message.status))
       AND (message.gateway_id = fact.gateway_id OR (message.gateway_id IS NULL AND NOT :known))
 RETURNING message.id, message.state
""")


def merge_facts(
    connection: Connection, facts: Sequence[Fact], *, now: datetime, known: bool = False
) -> list[MovedMessage]:
    """Record `facts`, at most a few hundred at once. Returns the messages that changed.

    `known`: change only messages that have a gateway id here. A restored database may lack it, and asks first. The
    caller passes the returned messages to `suppressions.suppress_by_verdicts`.
    """
    if not facts:
        return []
    moved = connection.execute(
        _MERGE,
        {
            "ids": [fact.message_id for fact in facts],
            "states": [fact.state.value for fact in facts],
            "gateway_ids": [fact.gateway_id for fact in facts],
            "statuses": [fact.status for fact in facts],
            "costs": [fact.cost_rial for fact in facts],
            "codes": [fact.refused_code for fact in facts],
            "known": known,
            "now": now,
        },
    )
    return [MovedMessage(row.id, MessageState(row.state)) for row in moved]


# A batch's id is not stable: a batch may be split while a worker waits for an answer about it. After a restore, its
# messages may stand in another batch, and its id may belong to another batch.

# Lock these batches and read their states. Other transactions that count them wait.
_LOCK_BATCHES: Final = text("""
    SELECT id, state, first_id, last_id FROM sms.batches WHERE id = ANY (CAST(:ids AS bigint[]))
  ORDER BY id FOR UPDATE
""")
# Into which batches was each of these split?
_PARTS: Final = text("""
    SELECT part.id
      FROM sms.batches AS whole
      JOIN sms.batches AS part ON part.campaign_id = whole.campaign_id AND part.parent_id = whole.id
     WHERE whole.id = ANY (CAST(:ids AS bigint[]))
""")
# Which batches hold these messages, and how many of the messages does each hold?
_HOLDING: Final = text("""
    SELECT batch.id, batch.poll_no, count(*) AS messages
      FROM unnest(CAST(:message_ids AS bigint[])) AS message (id)
     CROSS JOIN LATERAL (SELECT id, poll_no, last_id FROM sms.batches
                          WHERE first_id <= message.id AND state <> 'split'
                       ORDER BY first_id DESC LIMIT 1) AS batch
     WHERE batch.last_id >= message.id
  GROUP BY batch.id, batch.poll_no
""")


class Holding(NamedTuple):
    """A batch that holds some of the messages in question: its poll number, and how many of them it holds."""

    batch_id: int
    poll_no: int
    messages: int


def batches_holding(connection: Connection, message_ids: Sequence[int]) -> list[Holding]:
    """Return the batches that hold these messages at this moment."""
    return [Holding(*row) for row in connection.execute(_HOLDING, {"message_ids": list(message_ids)})]


def lock_batches(connection: Connection, batch_ids: Iterable[int], message_ids: Sequence[int] = ()) -> list[int]:
    """Take the batches' row locks, in order: two transactions that merge facts of one batch count one after the other.

    Returns the ids of the batches to recount: the batches themselves, or the parts into which a batch was split. With
    `message_ids`, these are the batches that hold the messages now: after a restore the messages may stand in another
    batch than the claimed one, and its id may belong to another batch.
    """
    held = _lock_unsplit(connection, batch_ids)
    if not message_ids:
        return [batch_id for _, _, batch_id in held]
    found, missing = _holders(held, message_ids)
    if missing:
        held = _lock_unsplit(connection, {each.batch_id for each in batches_holding(connection, missing)})
        found |= _holders(held, missing)[0]
    return sorted(found)


_Span = tuple[int, int, int]  # the first message, the last one, the batch


def _lock_unsplit(connection: Connection, batch_ids: Iterable[int]) -> list[_Span]:
    """Lock the batches, or their parts. Returns the unsplit ones, in the order of their messages."""
    rows = connection.execute(_LOCK_BATCHES, {"ids": list(batch_ids)}).all()
    held = [(row.first_id, row.last_id, row.id) for row in rows if row.state != BatchState.SPLIT]
    split = [row.id for row in rows if row.state == BatchState.SPLIT]
    if split:
        held += _lock_unsplit(connection, [row.id for row in connection.execute(_PARTS, {"ids": split})])
    return sorted(held)


def _holders(held: Sequence[_Span], message_ids: Sequence[int]) -> tuple[set[int], list[int]]:
    """Return the ids of the batches that hold these messages, and the messages that no batch holds."""
    firsts = [first_id for first_id, _, _ in held]
    found, missing = set[int](), []
    for message_id in message_ids:
        place = bisect_right(firsts, message_id) - 1
        if place >= 0 and message_id <= held[place][1]:
            found.add(held[place][2])
        else:
            missing.append(message_id)
    return found, missing


_STATE_COUNTS: Final = ", ".join(
    f"count(*) FILTER (WHERE message.state = '{state}') AS {state}" for state in MessageState
)
_COUNTERS: Final = ", ".join(f"{state} = counted.{state}" for state in MessageState)

# How many messages of these batches are in each state? Write the counts on the batch. Where no message is pending any
# more, the state of the batch follows from the states of its messages.
_RECOUNT: Final = text(f"""
    UPDATE sms.batches AS batch
       SET {_COUNTERS},
           state = CASE WHEN counted.pending > 0 THEN batch.state
                        WHEN counted.accepted > 0 THEN 'accepted'
                        WHEN counted.uncertain > 0 THEN 'uncertain'
                        WHEN counted.refused = counted.size THEN 'refused'
                        WHEN counted.withdrawn = counted.size THEN 'cancelled'
                        ELSE 'closed' END,
           accepted_at = CASE WHEN counted.known > 0
                              THEN coalesce(CAST(:accepted_at AS timestamptz), batch.accepted_at) END,
           closes_at = CASE WHEN counted.known > 0
                            THEN greatest(batch.closes_at, CAST(:closes_at AS timestamptz)) END,
           poll_at = CASE WHEN counted.accepted > 0
                          THEN coalesce(least(batch.poll_at, CAST(:poll_at AS timestamptz)), :now) END
      FROM sms.batches AS held
     CROSS JOIN LATERAL (
           SELECT count(*) AS size, count(message.gateway_id) AS known,
                  count(*) FILTER (WHERE message.state = 'cancelled' AND message.gateway_id IS NULL) AS withdrawn,
                  {_STATE_COUNTS}
             FROM sms.messages AS message WHERE message.id BETWEEN held.first_id AND held.last_id) AS counted
     WHERE held.id = ANY (CAST(:batch_ids AS bigint[])) AND batch.id = held.id AND batch.state <> 'split'
""")


def recount(
    connection: Connection,
    batch_ids: Sequence[int],
    *,
    now: datetime,
    accepted_at: datetime | None = None,
    poll_at: datetime | None = None,
    closes_at: datetime | None = None,
) -> None:
    """Recount the messages of `batch_ids` by state. The caller holds the row locks of the batches: see `lock_batches`.

    Where messages were just accepted, `accepted_at` begins the polls anew: the first poll is at `poll_at` at the
    latest, and the window does not end before `closes_at`.
    """
    times = {"now": now, "accepted_at": accepted_at, "poll_at": poll_at, "closes_at": closes_at}
    connection.execute(_RECOUNT, {"batch_ids": list(batch_ids), **times})


# Which messages of this range have not left?
PENDING: Final = text("""
    SELECT id, number, text FROM sms.messages
     WHERE id BETWEEN :first_id AND :last_id AND state = 'pending' ORDER BY id
""")


# Which messages of a batch are accepted without a verdict, and may this database withdraw?
_ACCEPTED: Final = text(f"""
    SELECT message.id, message.gateway_id
      FROM sms.batches AS batch
      JOIN sms.messages AS message ON message.id BETWEEN batch.first_id AND batch.last_id
     WHERE batch.id = :batch_id AND batch.state <> 'split' AND message.state = 'accepted'
       AND {MAY_ACT} AND {LEFT_FROM_HERE}
""")


@in_one_commit
def withdrawable(connection: Connection, batch_id: int) -> dict[int, int]:
    """Return our ids of a batch's open messages, by gateway id; empty where another database wants them sent."""
    return {row.gateway_id: row.id for row in connection.execute(_ACCEPTED, {"batch_id": batch_id})}


def in_pages(connection: Connection, campaign_id: int, *, size: int = 5000) -> Iterator[Sequence[tuple[object, ...]]]:
    """Yield a campaign's messages in the order of their rows, a page at a time; each page is one short read.

    Columns: row_no, number, state, status, gateway_id, parts, cost_rial, refused_code, settled_at, text, id.
    """
    page = text("""
        SELECT row_no, number, state, status, gateway_id, parts, cost_rial, refused_code, settled_at, text, id
          FROM sms.messages WHERE id BETWEEN :first_id AND :last_id ORDER BY id
    """)
    spans = text("""
        SELECT first_id, least(first_id + :size, upper(span)) - 1 AS last_id
          FROM sms.campaigns, unnest(message_ids) AS span,
               generate_series(lower(span), upper(span) - 1, :size) AS first_id
         WHERE id = :campaign_id ORDER BY first_id
    """)
    for span in connection.execute(spans, {"campaign_id": campaign_id, "size": size}).all():
        rows = connection.execute(page, {"first_id": span.first_id, "last_id": span.last_id})
        yield [tuple(row) for row in rows]


# Before a batch leaves, its messages to suppressed numbers are dropped.
#
# The transaction of the claim drops them first, so that the claim, its line in `attempts` and `first_sent_at` count no
# suppressed message. A batch without a pending message is closed and cannot be claimed.

# Which messages of a batch that is about to leave have suppressed numbers? The numbers go to the index of the
# suppressions as one array: the cost depends on the batch, not on the suppressions.
_SUPPRESSED: Final = text("""
    WITH leaving AS MATERIALIZED (
        SELECT message.id, message.number
          FROM sms.batches AS batch
          JOIN sms.messages AS message ON message.id BETWEEN batch.first_id AND batch.last_id
         WHERE batch.id = :batch_id AND batch.state = 'ready' AND batch.due_at <= :now AND message.state = 'pending'
    ), listed AS MATERIALIZED (
        SELECT number FROM sms.suppressions
         WHERE number = ANY (ARRAY(SELECT number FROM leaving)) AND lifted_at IS NULL
    )
    SELECT leaving.id FROM leaving JOIN listed ON listed.number = leaving.number
""")

# Is the batch still ready? The row lock keeps other claims away until the transaction ends.
_STILL_READY: Final = text(
    f"SELECT id FROM sms.batches WHERE id = :batch_id AND state = 'ready' AND {MAY_END} FOR UPDATE"
)

# Suppress these messages.
_DROP_SUPPRESSED: Final = text("""
    UPDATE sms.messages SET state = 'suppressed', settled_at = :now
     WHERE id = ANY (CAST(:ids AS bigint[])) AND state = 'pending'
""")


def drop_suppressed(connection: Connection, batch_id: int, *, now: datetime) -> int:
    """Suppress the messages of a ready batch whose numbers are on the suppression list. Returns how many."""
    ids = list(connection.execute(_SUPPRESSED, {"batch_id": batch_id, "now": now}).scalars())
    if not ids or connection.execute(_STILL_READY, {"batch_id": batch_id}).one_or_none() is None:
        return 0
    dropped = connection.execute(_DROP_SUPPRESSED, {"ids": ids, "now": now}).rowcount
    recount(connection, [batch_id], now=now)
    return dropped
