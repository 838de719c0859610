"""Messages of which nobody can know any more whether they were sent: a person looks, and decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from campaigns.store import messages
from campaigns.store.batches import COLLISION


@dataclass(frozen=True, slots=True)
class UncertainBatch:
    """A batch with uncertain messages: since when, and what happened last."""

    batch_id: int
    campaign_id: int
    messages: int
    first_sent_at: datetime
    trouble: str


# What waits for a person?
_LIST: Final = text("""
    SELECT id, campaign_id, uncertain, first_sent_at, coalesce(trouble, '') AS trouble FROM sms.batches
     WHERE uncertain > 0 AND state <> 'split'
       AND (CAST(:campaign_id AS bigint) IS NULL OR campaign_id = :campaign_id)
  ORDER BY id LIMIT :most
""")


def waiting(connection: Connection, *, campaign_id: int | None = None, most: int = 1000) -> Sequence[UncertainBatch]:
    """Batches with uncertain messages, of one campaign or of all."""
    rows = connection.execute(_LIST, {"campaign_id": campaign_id, "most": most})
    return [UncertainBatch(row.id, row.campaign_id, row.uncertain, row.first_sent_at, row.trouble) for row in rows]


# A person found out that these were never sent, or would rather send twice than not at all.
_SEND: Final = text("""
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


def send(connection: Connection, campaign_id: int, *, now: datetime) -> int:
    """Make a campaign's uncertain messages ready to leave again, under the same ids; how many messages."""
    ids = [
        row.id for row in connection.execute(_SEND, {"campaign_id": campaign_id, "now": now, "collision": COLLISION})
    ]
    if ids:
        messages.recount(connection, ids, now=now)
    pending = text("SELECT coalesce(sum(pending), 0) FROM sms.batches WHERE id = ANY (CAST(:ids AS bigint[]))")
    return int(connection.execute(pending, {"ids": ids}).scalar_one())
