"""Where a batch stands in its campaign, for people who watch the workers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Position:
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
_READ: Final = text("""
    SELECT batch.id, batch.campaign_id, campaign.messages, batch.last_id - batch.first_id AS others,
           (SELECT sum(least(upper(span), batch.first_id) - lower(span))
              FROM unnest(campaign.message_ids) AS span WHERE lower(span) <= batch.first_id)::bigint AS before
      FROM sms.batches AS batch JOIN sms.campaigns AS campaign ON campaign.id = batch.campaign_id
     WHERE batch.id = ANY (CAST(:batch_ids AS bigint[]))
""")


def read(connection: Connection, batch_ids: Collection[int]) -> dict[int, Position]:
    """The positions of these batches, by the batch's id."""
    rows = connection.execute(_READ, {"batch_ids": list(batch_ids)})
    return {
        row.id: Position(row.campaign_id, row.before + 1, row.before + 1 + row.others, row.messages) for row in rows
    }
