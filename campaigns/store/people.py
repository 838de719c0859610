"""One person's number: what they got from us and what they wrote, over all campaigns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from campaigns.rules.states import MessageState


@dataclass(frozen=True, slots=True)
class Received:
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
class Wrote:
    """A message that they sent to one of our lines."""

    gateway_id: int
    line: str
    text: str = field(repr=False)
    received_at: datetime
    campaign_id: int | None


# What did this number get from us, the newest first?
_RECEIVED: Final = text("""
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
_WROTE: Final = text("""
    SELECT gateway_id, line, text, received_at, campaign_id
      FROM sms.inbound WHERE number = :number ORDER BY received_at DESC LIMIT :limit
""")


def received(connection: Connection, number: str, *, limit: int) -> Sequence[Received]:
    """The newest messages of ours to a number, as 09121234567."""
    rows = connection.execute(_RECEIVED, {"number": number, "limit": limit}).mappings()
    return [Received(**{**row, "state": MessageState(row["state"])}) for row in rows]


def wrote(connection: Connection, number: str, *, limit: int) -> Sequence[Wrote]:
    """The newest messages of theirs."""
    return [Wrote(**row) for row in connection.execute(_WROTE, {"number": number, "limit": limit}).mappings()]


@dataclass(frozen=True, slots=True)
class Owner:
    """What a message at the gateway is of ours: a campaign's, or a one-time password."""

    campaign_id: int | None = None
    otp_id: int | None = None


# Which of these messages at the gateway are ours? Found by their numbers, since nothing else about them stays the same.
_OURS: Final = text("""
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


def owners(connection: Connection, sent: Sequence[tuple[str, int]]) -> Mapping[int, Owner]:
    """What each of these (number, gateway id) that is ours belongs to, by the gateway's id."""
    rows = connection.execute(
        _OURS, {"numbers": [number for number, _ in sent], "gateway_ids": [gateway_id for _, gateway_id in sent]}
    )
    return {row.gateway_id: Owner(row.campaign_id, row.otp_id) for row in rows}
