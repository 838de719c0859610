"""Find messages: the batches that hold them (and their row locks), the gateway's ids of them, a person's number.

A batch's id says little for long: it may be split while somebody waits for an answer about it. And in a database that
was restored meanwhile, its messages may stand in another batch, and its id may be that of another one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from campaigns.rules.states import BatchState, MessageState
from campaigns.store import in_one_commit
from campaigns.store.records import Fact

# How do these batches stand? Who else counts them must wait until we have.
_LOCK_BATCHES: Final = text("""
    SELECT id, state, first_id, last_id FROM sms.batches WHERE id = ANY (CAST(:ids AS bigint[]))
  ORDER BY id FOR UPDATE
""")
# Into which parts was a batch split?
_PARTS: Final = text("""
    SELECT part.id
      FROM sms.batches AS whole
      JOIN sms.batches AS part ON part.campaign_id = whole.campaign_id AND part.parent_id = whole.id
     WHERE whole.id = ANY (CAST(:ids AS bigint[]))
""")
# Which batches hold these messages, and how many of them each?
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
    """A batch that holds some messages: its round of polls, and how many of them."""

    batch_id: int
    poll_no: int
    messages: int


def batches_holding(connection: Connection, message_ids: Sequence[int]) -> list[Holding]:
    """Which batches hold these messages, at this moment."""
    return [Holding(*row) for row in connection.execute(_HOLDING, {"message_ids": list(message_ids)})]


def lock_batches(connection: Connection, batch_ids: Iterable[int], message_ids: Sequence[int] = ()) -> list[int]:
    """Take the batches' row locks, in order: two that merge facts of one batch count one after the other.

    Returns the ids that are to be recounted: the batches themselves, or the parts into which one was split. Where
    `message_ids` are given, it is those batches that hold them now: in a database that was restored they may stand in
    another batch than the one they were claimed with, and its id may be another batch's.
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
    """The locked batches that were not split, in the order of their messages."""
    rows = connection.execute(_LOCK_BATCHES, {"ids": list(batch_ids)}).all()
    held = [(row.first_id, row.last_id, row.id) for row in rows if row.state != BatchState.SPLIT]
    split = [row.id for row in rows if row.state == BatchState.SPLIT]
    if split:
        held += _lock_unsplit(connection, [row.id for row in connection.execute(_PARTS, {"ids": split})])
    return sorted(held)


def _holders(held: Sequence[_Span], message_ids: Sequence[int]) -> tuple[set[int], list[int]]:
    """Which of the batches hold these messages; and the messages that none of them does."""
    firsts = [first_id for first_id, _, _ in held]
    found, missing = set[int](), []
    for message_id in message_ids:
        place = bisect_right(firsts, message_id) - 1
        if place >= 0 and message_id <= held[place][1]:
            found.add(held[place][2])
        else:
            missing.append(message_id)
    return found, missing


# Where a batch stands in its campaign, for people who watch the workers.


@dataclass(frozen=True, slots=True)
class BatchPosition:
    """The messages of a batch, counted from the first of its campaign, which is 1."""

    campaign_id: int
    first: int
    last: int
    of: int

    @property
    def share(self) -> str:
        """`2401-2600/5000`."""
        return f"{self.first}-{self.last}/{self.of}"


# Which messages of their campaigns are in these batches? A campaign has few ranges of ids, mostly one.
_POSITIONS: Final = text("""
    SELECT batch.id, batch.campaign_id, campaign.messages, batch.last_id - batch.first_id AS others,
           (SELECT sum(least(upper(span), batch.first_id) - lower(span))
              FROM unnest(campaign.message_ids) AS span WHERE lower(span) <= batch.first_id)::bigint AS before
      FROM sms.batches AS batch JOIN sms.campaigns AS campaign ON campaign.id = batch.campaign_id
     WHERE batch.id = ANY (CAST(:batch_ids AS bigint[]))
""")


@in_one_commit
def batch_positions(connection: Connection, batch_ids: Collection[int]) -> dict[int, BatchPosition]:
    """The positions of these batches, by the batch's id."""
    rows = connection.execute(_POSITIONS, {"batch_ids": list(batch_ids)})
    return {
        row.id: BatchPosition(row.campaign_id, row.before + 1, row.before + 1 + row.others, row.messages)
        for row in rows
    }


# Which message of ours the gateway means by its own id. Kept only where it tells statuses by itself.

# From now on the gateway may speak of these messages under its own ids.
_EXPECT: Final = text("""
    INSERT INTO sms.gateway_ids (gateway_id, message_id, closes_at)
    SELECT gateway_id, message_id, :closes_at
      FROM unnest(CAST(:gateway_ids AS bigint[]), CAST(:message_ids AS bigint[])) AS known (gateway_id, message_id)
        ON CONFLICT (gateway_id) DO NOTHING
""")


def expect_callbacks(connection: Connection, facts: Sequence[Fact], *, closes_at: datetime) -> None:
    """Keep the gateway's ids of `facts`, so that callbacks find their messages; in the commit of the facts."""
    known = [(fact.gateway_id, fact.message_id) for fact in facts if fact.gateway_id is not None]
    if known:
        gateway_ids, message_ids = map(list, zip(*known, strict=True))
        connection.execute(_EXPECT, {"gateway_ids": gateway_ids, "message_ids": message_ids, "closes_at": closes_at})


# Of which messages does the gateway tell nothing any more? The oldest first, a few at a time.
_DROP_CLOSED: Final = text("""
    DELETE FROM sms.gateway_ids
     WHERE gateway_id IN (SELECT gateway_id FROM sms.gateway_ids WHERE closes_at <= :now
                        ORDER BY closes_at LIMIT :most FOR UPDATE SKIP LOCKED)
""")


def drop_closed_ids(connection: Connection, *, now: datetime, most: int = 5_000) -> int:
    """Drop gateway_ids whose window has closed; how many, at most `most`."""
    return connection.execute(_DROP_CLOSED, {"now": now, "most": most}).rowcount


# One person's number: what they got from us and what they wrote, over all campaigns.


@dataclass(frozen=True, slots=True)
class SentToNumber:
    """A message of ours to one number. `accepted_at` is None while the gateway has not taken it."""

    message_id: int
    campaign_id: int
    campaign: str
    kind: str  # sms | voice
    state: MessageState
    status: int | None
    gateway_id: int | None
    cost_rial: int | None
    accepted_at: datetime | None
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class SentByNumber:
    """A message that they sent to one of our lines."""

    gateway_id: int
    line: str
    text: str = field(repr=False)
    received_at: datetime
    campaign_id: int | None


# What did this number get from us, the newest first?
_SENT_TO: Final = text("""
    SELECT message.id AS message_id, message.campaign_id, campaign.name AS campaign, campaign.kind, message.state,
           message.status, message.gateway_id, message.cost_rial,
           CASE WHEN message.gateway_id IS NOT NULL THEN batch.accepted_at END AS accepted_at, message.settled_at
      FROM sms.messages AS message
      JOIN sms.campaigns AS campaign ON campaign.id = message.campaign_id
      LEFT JOIN LATERAL (
           SELECT accepted_at FROM sms.batches
            WHERE campaign_id = message.campaign_id AND first_id <= message.id AND state <> 'split'
         ORDER BY first_id DESC LIMIT 1) AS batch ON true
     WHERE message.number = :number
  ORDER BY message.id DESC LIMIT :limit
""")

# What did it write to us, the newest first?
_SENT_BY: Final = text("""
    SELECT gateway_id, line, text, received_at, campaign_id
      FROM sms.inbound WHERE number = :number ORDER BY received_at DESC LIMIT :limit
""")


def sent_to_number(connection: Connection, number: str, *, limit: int) -> Sequence[SentToNumber]:
    """The newest messages of ours to a number, as 09121234567."""
    rows = connection.execute(_SENT_TO, {"number": number, "limit": limit}).mappings()
    return [SentToNumber(**{**row, "state": MessageState(row["state"])}) for row in rows]


def sent_by_number(connection: Connection, number: str, *, limit: int) -> Sequence[SentByNumber]:
    """The newest messages of theirs."""
    return [SentByNumber(**row) for row in connection.execute(_SENT_BY, {"number": number, "limit": limit}).mappings()]


@dataclass(frozen=True, slots=True)
class MessageOwner:
    """What a message at the gateway is of ours: a campaign's, or a one-time password."""

    campaign_id: int | None = None
    otp_id: int | None = None


# Which of these messages at the gateway are ours? Found by their numbers, since nothing else about them stays the same.
_OWNERS: Final = text("""
    WITH theirs AS (
        SELECT number, gateway_id FROM unnest(CAST(:numbers AS text[]), CAST(:gateway_ids AS bigint[]))
                                       AS theirs (number, gateway_id)
    )
    SELECT message.gateway_id, message.campaign_id, CAST(NULL AS bigint) AS otp_id
      FROM theirs
      JOIN sms.messages AS message ON message.number = theirs.number AND message.gateway_id = theirs.gateway_id
 UNION ALL
    SELECT otp.gateway_id, NULL, otp.id
      FROM theirs
      JOIN sms.otps AS otp ON otp.gateway_id = theirs.gateway_id AND otp.number = theirs.number
""")


@in_one_commit
def message_owners(connection: Connection, sent: Sequence[tuple[str, int]]) -> Mapping[int, MessageOwner]:
    """What each of these (number, gateway id) that is ours belongs to, by the gateway's id."""
    rows = connection.execute(
        _OWNERS, {"numbers": [number for number, _ in sent], "gateway_ids": [gateway_id for _, gateway_id in sent]}
    )
    return {row.gateway_id: MessageOwner(row.campaign_id, row.otp_id) for row in rows}
