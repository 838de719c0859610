"""A refused batch gives way to its two halves, until the guilty message stands alone."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from campaigns.rules.splitting import halves
from campaigns.store import messages
from campaigns.store.batches import FENCE
from campaigns.store.records import Claim

# The batch gives way to its two halves, which take over its polls and its place in time.
_SPLIT: Final = text(f"""
    UPDATE sms.batches SET state = 'split', lease_owner = NULL, poll_at = NULL, trouble = :trouble
     WHERE {FENCE} AND last_id > first_id
 RETURNING first_id, last_id
""")
# One half, ready to leave; it has the window of the whole for what was accepted of it.
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
    """Replace a refused batch by its halves; their ids, or nothing when the claim no longer held."""
    whole = connection.execute(
        _SPLIT,
        {"batch_id": claim.batch_id, "call_id": claim.call_id, "attempt": claim.attempt, "trouble": trouble},
    ).one_or_none()
    if whole is None:
        return []
    spans = halves(whole.first_id, whole.last_id)
    born = [
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
    messages.recount(connection, born, now=now)
    return born
