"""Facts about messages, merged in bulk; and the batch counters, which are always recounted from the messages.

*Decisions are fenced, facts are merged*: whoever learns that the gateway accepted a message, or delivered it, may
write it down, late, twice or out of order. The from-state in the statement lets only forward moves through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from campaigns.rules.states import MESSAGE_MOVES, MessageState, states_leading_to
from campaigns.store import in_one_commit
from campaigns.store.gate import LEFT_FROM_HERE, MAY_ACT, MAY_END
from campaigns.store.records import Fact, MovedMessage, Witness


def _array(values: Iterable[str]) -> str:
    listed = ", ".join(f"'{value}'" for value in sorted(values))
    return f"ARRAY[{listed}]::text[]"


_SOURCES: Final = ", ".join(
    f"('{state}', {_array(states_leading_to(state))})" for state in MESSAGE_MOVES if states_leading_to(state)
)

# Which of these facts are news? Write those down, from the states they may follow, and leave the rest alone.
# An accepted message whose gateway status only went on (1 queued, 4 and 5 handed over) keeps its state. What the
# gateway has, nothing overrules that does not come from the gateway under the same id.
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
    """Write down `facts`, at most a few hundred at once. Returns the messages that really moved.

    `known`: only what is known here to be at the gateway moves. A restored database may not know it, and asks first.
    The verdicts among them may tell whom not to write to: see `suppressions.suppress_by_verdicts`.
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


_STATE_COUNTS: Final = ", ".join(
    f"count(*) FILTER (WHERE message.state = '{state}') AS {state}" for state in MessageState
)
_COUNTERS: Final = ", ".join(f"{state} = counted.{state}" for state in MessageState)

# How many messages of these batches stand where? Write it on the batch; and where nothing is pending any more,
# the state of the batch follows from the states of its messages.
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
    """Make the counters of `batch_ids` true again. The caller holds their row locks: see `lookups.lock_batches`.

    Where messages were just accepted, `accepted_at` begins their polls anew: the first at `poll_at` at the latest, and
    none is given up before `closes_at`.
    """
    times = {"now": now, "accepted_at": accepted_at, "poll_at": poll_at, "closes_at": closes_at}
    connection.execute(_RECOUNT, {"batch_ids": list(batch_ids), **times})


# Which messages of this range would still have to leave?
PENDING: Final = text("""
    SELECT id, number, text FROM sms.messages
     WHERE id BETWEEN :first_id AND :last_id AND state = 'pending' ORDER BY id
""")


# Which messages of a batch does the gateway have without a verdict, and may be withdrawn from here?
_ACCEPTED: Final = text(f"""
    SELECT message.id, message.gateway_id
      FROM sms.batches AS batch
      JOIN sms.messages AS message ON message.id BETWEEN batch.first_id AND batch.last_id
     WHERE batch.id = :batch_id AND batch.state <> 'split' AND message.state = 'accepted'
       AND {MAY_ACT} AND {LEFT_FROM_HERE}
""")


@in_one_commit
def withdrawable(connection: Connection, batch_id: int) -> dict[int, int]:
    """Our ids of a batch's open messages, by the gateway's ids; none where another database wants them sent."""
    return {row.gateway_id: row.id for row in connection.execute(_ACCEPTED, {"batch_id": batch_id})}


# Which message surely is ours? One of this batch that was accepted before; else what was accepted last in the answer to
# its own request, which alone tells what it costs: of the same campaign, or of one that hides or shows numbers alike.
_WITNESS: Final = text("""
    SELECT message.gateway_id, message.number, newest.first_sent_at AS sent_at
      FROM (SELECT batch.id, batch.campaign_id, batch.first_id, batch.last_id, batch.first_sent_at, campaign.hide
              FROM sms.batches AS batch JOIN sms.campaigns AS campaign ON campaign.id = batch.campaign_id
             WHERE batch.accepted_at IS NOT NULL AND batch.first_sent_at IS NOT NULL AND NOT campaign.at_gateway
               AND (batch.id = :batch_id
                    OR batch.id IN (SELECT id FROM sms.batches WHERE accepted_at IS NOT NULL AND state <> 'split'
                                  ORDER BY id DESC LIMIT 200))) AS newest
     CROSS JOIN LATERAL (SELECT gateway_id, number FROM sms.messages
                          WHERE id BETWEEN newest.first_id AND newest.last_id
                            AND gateway_id IS NOT NULL AND (cost_rial IS NOT NULL OR newest.id = :batch_id)
                       ORDER BY id LIMIT 1) AS message
     WHERE newest.hide = (SELECT hide FROM sms.campaigns WHERE id = :campaign_id)
  ORDER BY newest.id = :batch_id DESC, newest.campaign_id = :campaign_id DESC, newest.id DESC LIMIT 1
""")


@in_one_commit
def find_witness(connection: Connection, campaign_id: int, batch_id: int) -> Witness | None:
    """A message that surely is ours, to see whether the gateway lists such; None: there is none."""
    row = connection.execute(_WITNESS, {"campaign_id": campaign_id, "batch_id": batch_id}).one_or_none()
    return None if row is None else Witness(row.gateway_id, row.number, row.sent_at)


def in_pages(connection: Connection, campaign_id: int, *, size: int = 5000) -> Iterator[Sequence[tuple[object, ...]]]:
    """A campaign's messages in the order of their rows, a page at a time; each page is one short read.

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


# How many messages of a campaign really stand where, counted one by one?
_COUNT_BY_STATE: Final = text("""
    SELECT message.state, count(*) AS messages, count(message.gateway_id) AS known
      FROM sms.campaigns AS campaign, unnest(campaign.message_ids) AS span
      JOIN sms.messages AS message ON message.id >= lower(span) AND message.id < upper(span)
     WHERE campaign.id = :campaign_id
  GROUP BY message.state
""")


class StateCount(NamedTuple):
    """How many messages stand in a state, and how many of them the gateway knows."""

    state: MessageState
    messages: int
    known: int


@in_one_commit
def count_by_state(connection: Connection, campaign_id: int) -> list[StateCount]:
    """A campaign's messages by state, counted anew; reads every one of them."""
    rows = connection.execute(_COUNT_BY_STATE, {"campaign_id": campaign_id})
    return [StateCount(MessageState(row.state), row.messages, row.known) for row in rows]


# Under how many different ids does the gateway know a campaign's messages?
_COUNT_GATEWAY_IDS: Final = text("""
    SELECT count(DISTINCT message.gateway_id)
      FROM sms.campaigns AS campaign, unnest(campaign.message_ids) AS span
      JOIN sms.messages AS message ON message.id >= lower(span) AND message.id < upper(span)
     WHERE campaign.id = :campaign_id
""")


def count_gateway_ids(connection: Connection, campaign_id: int) -> int:
    """How many different ids the gateway gave to a campaign's messages; reads every one of them."""
    return int(connection.execute(_COUNT_GATEWAY_IDS, {"campaign_id": campaign_id}).scalar_one())


_DIFFERS: Final = " OR ".join(
    f"batch.{state} <> count(*) FILTER (WHERE message.state = '{state}')" for state in MessageState
)

# Which batches of a campaign say something else than their messages?
_MISCOUNTED: Final = text(f"""
    SELECT count(*) FROM (
        SELECT batch.id
          FROM sms.batches AS batch
          JOIN sms.messages AS message ON message.id BETWEEN batch.first_id AND batch.last_id
         WHERE batch.campaign_id = :campaign_id AND batch.state <> 'split'
      GROUP BY batch.id HAVING {_DIFFERS}) AS wrong
""")


def count_miscounted_batches(connection: Connection, campaign_id: int) -> int:
    """How many batches have counters that are not those of their messages, counted one by one."""
    return int(connection.execute(_MISCOUNTED, {"campaign_id": campaign_id}).scalar_one())


# Before a batch leaves: whoever is on the suppression list by now gets nothing.
#
# This happens in the transaction of the claim and ahead of it, so that the claim, its line in `attempts` and the time
# at which something left count no suppressed message. A batch in which nobody is left is over and cannot be claimed.

# Who of a batch that is about to leave is on the list? Its numbers go to the list's key as one array: the cost is that
# of the batch, however long the list is.
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

# Is the batch still to leave? Nobody else claims it until we are done.
_STILL_READY: Final = text(
    f"SELECT id FROM sms.batches WHERE id = :batch_id AND state = 'ready' AND {MAY_END} FOR UPDATE"
)

# These get nothing.
_DROP_SUPPRESSED: Final = text("""
    UPDATE sms.messages SET state = 'suppressed', settled_at = :now
     WHERE id = ANY (CAST(:ids AS bigint[])) AND state = 'pending'
""")


def drop_suppressed(connection: Connection, batch_id: int, *, now: datetime) -> int:
    """Suppress the messages of a ready batch whose numbers are on the suppression list. Returns how many."""
    ids = list(connection.execute(_SUPPRESSED, {"batch_id": batch_id, "now": now}).scalars())
    if not ids or connection.execute(_STILL_READY, {"batch_id": batch_id}).one_or_none() is None:
        return 0
    spared = connection.execute(_DROP_SUPPRESSED, {"ids": ids, "now": now}).rowcount
    recount(connection, [batch_id], now=now)
    return spared
