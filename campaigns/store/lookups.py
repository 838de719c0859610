"""Find messages: by batch, by gateway id, by number; find a witness, and draw a sample."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from kavenegar_campaigns.rules.states import MessageState
from kavenegar_campaigns.store import in_one_commit
from kavenegar_campaigns.store.loading import LINE_OF_BATCH
from kavenegar_campaigns.store.records import Fact, Witness

# ── the position of a batch in its campaign, for people who watch the workers ──


@dataclass(frozen=True, slots=True)
class BatchPosition:
    """The messages of a batch, counted from the first of its campaign, which is 1."""

    campaign_id: int
    first: int
    last: int
    of: int

    @property
    def share(self) -> str:
        """Return the position as a short text: `2401-2600/5000`."""
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
    """Return the positions of these batches, by batch id."""
    rows = connection.execute(_POSITIONS, {"batch_ids": list(batch_ids)})
    return {
        row.id: BatchPosition(row.campaign_id, row.before + 1, row.before + 1 + row.others, row.messages)
        for row in rows
    }


# Our messages by gateway id. Kept only where callbacks are expected.

# Record the gateway ids under which callbacks may come for these messages.
_EXPECT: Final = text("""
    INSERT INTO sms.gateway_ids (gateway_id, message_id, closes_at)
    SELECT gateway_id, message_id, :closes_at
      FROM unnest(CAST(:gateway_ids AS bigint[]), CAST(:message_ids AS bigint[])) AS known (gateway_id, message_id)
        ON CONFLICT (gateway_id) DO NOTHING
""")


def expect_callbacks(connection: Connection, facts: Sequence[Fact], *, closes_at: datetime) -> None:
    """Record the gateway ids of `facts`, in the commit of the facts, so that callbacks find their messages."""
    known = [(fact.gateway_id, fact.message_id) for fact in facts if fact.gateway_id is not None]
    if known:
        gateway_ids, message_ids = map(list, zip(*known, strict=True))
        connection.execute(_EXPECT, {"gateway_ids": gateway_ids, "message_ids": message_ids, "closes_at": closes_at})


# Which gateway ids belong to closed windows, so that no callback comes? The oldest first, a few at a time.
_DROP_CLOSED: Final = text("""
    DELETE FROM sms.gateway_ids
     WHERE gateway_id IN (SELECT gateway_id FROM sms.gateway_ids WHERE closes_at <= :now
                        ORDER BY closes_at LIMIT :most FOR UPDATE SKIP LOCKED)
""")


def drop_closed_ids(connection: Connection, *, now: datetime, most: int = 5_000) -> int:
    """Drop gateway ids whose window has closed. Returns how many, at most `most`."""
    return connection.execute(_DROP_CLOSED, {"now": now, "most": most}).rowcount


# ── the messages to and from one number, over all campaigns ──


@dataclass(frozen=True, slots=True)
class SentToNumber:
    """A message of ours to one number. `accepted_at` is None until the gateway has accepted it."""

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
    """A message from this number to one of our lines."""

    gateway_id: int
    line: str
    text: str = field(repr=False)
    received_at: datetime
    campaign_id: int | None


# Which messages did we send to this number, the newest first?
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

# Which messages came from this number, the newest first?
_SENT_BY: Final = text("""
    SELECT gateway_id, line, text, received_at, campaign_id
      FROM sms.inbound WHERE number = :number ORDER BY received_at DESC LIMIT :limit
""")


def sent_to_number(connection: Connection, number: str, *, limit: int) -> Sequence[SentToNumber]:
    """Return our newest messages to a number, as 09121234567."""
    rows = connection.execute(_SENT_TO, {"number": number, "limit": limit}).mappings()
    return [SentToNumber(**{**row, "state": MessageState(row["state"])}) for row in rows]


def sent_by_number(connection: Connection, number: str, *, limit: int) -> Sequence[SentByNumber]:
    """Return the newest messages from a number, as 09121234567."""
    return [SentByNumber(**row) for row in connection.execute(_SENT_BY, {"number": number, "limit": limit}).mappings()]


@dataclass(frozen=True, slots=True)
class MessageOwner:
    """The owner of a message at the gateway: one of our campaigns, or a one-time password."""

    campaign_id: int | None = None
    otp_id: int | None = None


# Which of these messages at the gateway are ours? They are found by number, the only value that stays the same.
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
    """Return the owners of these (number, gateway id), by gateway id; messages that are not ours are left out."""
    rows = connection.execute(
        _OWNERS, {"numbers": [number for number, _ in sent], "gateway_ids": [gateway_id for _, gateway_id in sent]}
    )
    return {row.gateway_id: MessageOwner(row.campaign_id, row.otp_id) for row in rows}


# Which message is certainly ours? An accepted message of this batch. Otherwise the newest message that was accepted in
# the answer to its own request, which alone gives a price: of this campaign, or of one with the same `hide`.
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
    """Find a message that is certainly ours, to check whether the gateway lists our messages; None if none is found."""
    row = connection.execute(_WITNESS, {"campaign_id": campaign_id, "batch_id": batch_id}).one_or_none()
    return None if row is None else Witness(row.gateway_id, row.number, row.sent_at)


# ── a sample of a campaign, spread evenly over it ──

# Which messages, spread evenly over the campaign, are in the sample?
_SAMPLE: Final = text(f"""
    SELECT spread.id, gateway_id, spread.state, status, number, text, cost_rial, batch.accepted_at, batch.sender FROM (
        SELECT message.id, message.gateway_id, message.state, message.status, message.number, message.text,
               message.cost_rial, row_number() OVER (ORDER BY message.id) AS place
          FROM sms.campaigns AS campaign, unnest(campaign.message_ids) AS span
          JOIN sms.messages AS message ON message.id >= lower(span) AND message.id < upper(span)
         WHERE campaign.id = :id AND message.state <> 'refused') AS spread
      LEFT JOIN LATERAL (
           SELECT batch.accepted_at, {LINE_OF_BATCH} AS sender
             FROM sms.batches AS batch JOIN sms.campaigns AS campaign ON campaign.id = batch.campaign_id
            WHERE campaign.id = :id AND batch.first_id <= spread.id AND batch.state <> 'split'
         ORDER BY batch.first_id DESC LIMIT 1) AS batch ON true
     WHERE place % :step = 0
  ORDER BY spread.id
""")


@dataclass(frozen=True, slots=True)
class Sampled:
    """A message as our row has it. `text` is None where it is the campaign's text."""

    id: int
    gateway_id: int | None
    state: MessageState
    status: int | None
    number: str = field(repr=False)
    text: str | None = field(repr=False)
    cost_rial: int | None
    accepted_at: datetime | None
    sender: str | None  # the line that its batch leaves from


@in_one_commit
def sample_messages(connection: Connection, campaign_id: int, *, step: int) -> Sequence[Sampled]:
    """Return every `step`-th message of a campaign, without refused ones."""
    rows = connection.execute(_SAMPLE, {"id": campaign_id, "step": step}).mappings()
    return [Sampled(**{**row, "state": MessageState(row["state"])}) for row in rows]
