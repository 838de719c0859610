"""New ids for campaigns that are not cut into batches yet, after ids collided.

They are moved when the new epoch begins, and not when they are started: a draft that is started in a history that is
lost afterwards must be asked about under the ids it left under, so both histories have to know them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

from campaigns.rules.splitting import BLOCK, EPOCH_SHIFT


@dataclass(frozen=True, slots=True)
class Span:
    """Ids of a draft, `first` to `last`, at most a block of them."""

    campaign_id: int
    first: int
    last: int


# Which ids of drafts are of an epoch in which ids collided? Not those that may have left in a history that was lost.
# Nobody starts the campaign until the transaction ends.
_OLD: Final = text("""
    WITH collided AS (
        SELECT own.number FROM sms.epochs AS own
         WHERE EXISTS (SELECT FROM sms.epochs AS later WHERE later.id > own.id AND later.cause = 'collision')
           AND NOT EXISTS (SELECT FROM sms.epochs AS later WHERE later.id > own.id AND later.lost_since IS NOT NULL)
    )
    SELECT campaign.id, lower(span) AS first, least(lower(span) + :block, upper(span)) - 1 AS last
      FROM sms.campaigns AS campaign, unnest(campaign.message_ids) AS span
     WHERE campaign.state = 'draft' AND lower(span) >> :shift IN (SELECT number FROM collided)
  ORDER BY campaign.id, lower(span) LIMIT 1
       FOR UPDATE OF campaign
""")


def next_old(connection: Connection) -> Span | None:
    """The ids that are to be moved next; None when all drafts stand under ids that nobody else has."""
    row = connection.execute(_OLD, {"shift": EPOCH_SHIFT, "block": BLOCK}).one_or_none()
    return None if row is None else Span(row.id, row.first, row.last)


def move(connection: Connection, span: Span, *, to: int) -> None:
    """Move messages of a draft, and the range of its campaign, to ids from `to` on."""
    facts = {"campaign_id": span.campaign_id, "first": span.first, "last": span.last, "shift": to - span.first}
    connection.execute(text("UPDATE sms.messages SET id = id + :shift WHERE id BETWEEN :first AND :last"), facts)
    connection.execute(MOVE_RANGE, facts)


# Of a campaign, these ids were moved.
MOVE_RANGE: Final = text("""
    UPDATE sms.campaigns
       SET message_ids = message_ids - int8multirange(int8range(:first, :last, '[]'))
                       + int8multirange(int8range(:first + :shift, :last + :shift, '[]'))
     WHERE id = :campaign_id
""")
"""The range of ids of a campaign, after `first` to `last` were moved by `shift`."""
