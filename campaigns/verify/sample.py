"""The messages of a campaign that the gateway is asked about, spread evenly over all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

from sqlalchemy import Connection, text

from campaigns.rules.states import MessageState
from campaigns.store.senders import LINE_OF_BATCH

T = TypeVar("T")

# Which messages, spread evenly over the campaign, are asked about?
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
""")  # noqa: S608 - with an expression of ours


@dataclass(frozen=True, slots=True)
class Sampled:
    """A message as our record has it. `text` is None where it is the campaign's."""

    id: int
    gateway_id: int | None
    state: MessageState
    status: int | None
    number: str = field(repr=False)
    text: str | None = field(repr=False)
    cost_rial: int | None
    accepted_at: datetime | None
    sender: str | None  # the line that its batch leaves from


def sampled(connection: Connection, campaign_id: int, *, step: int) -> list[Sampled]:
    """Every message in so many, but for those that the gateway refused."""
    rows = connection.execute(_SAMPLE, {"id": campaign_id, "step": step}).mappings()
    return [Sampled(**{**row, "state": MessageState(row["state"])}) for row in rows]


def pages(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """As many as one request takes, after one another."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
