"""Which message of ours the gateway means by its own id. Kept only where it tells statuses by itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from campaigns.store.records import Fact

# From now on the gateway may speak of these messages under its own ids.
_EXPECT: Final = text("""
    INSERT INTO sms.receipts (gateway_id, message_id, closes_at)
    SELECT gateway_id, message_id, :closes_at
      FROM unnest(CAST(:gateway_ids AS bigint[]), CAST(:message_ids AS bigint[])) AS known (gateway_id, message_id)
        ON CONFLICT (gateway_id) DO NOTHING
""")


def expect(connection: Connection, facts: Sequence[Fact], *, closes_at: datetime) -> None:
    """Callbacks may come about what the gateway has of `facts`; part of the commit in which that was learned."""
    known = [(fact.gateway_id, fact.message_id) for fact in facts if fact.gateway_id is not None]
    if known:
        gateway_ids, message_ids = map(list, zip(*known, strict=True))
        connection.execute(_EXPECT, {"gateway_ids": gateway_ids, "message_ids": message_ids, "closes_at": closes_at})


# Of which messages does the gateway tell nothing any more? The oldest first, a few at a time.
_FORGET: Final = text("""
    DELETE FROM sms.receipts
     WHERE gateway_id IN (SELECT gateway_id FROM sms.receipts WHERE closes_at <= :now
                        ORDER BY closes_at LIMIT :most FOR UPDATE SKIP LOCKED)
""")


def forget(connection: Connection, *, now: datetime, most: int = 5_000) -> int:
    """Drop receipts whose window has closed; how many, at most `most`."""
    return connection.execute(_FORGET, {"now": now, "most": most}).rowcount
