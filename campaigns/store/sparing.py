"""Before a batch leaves: whoever is on the suppression list by now gets nothing.

This happens in the transaction of the claim and ahead of it, so that the claim, its line in `attempts` and the time at
which something left tell of nobody who was spared. A batch in which nobody is left is over and cannot be claimed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from campaigns.store import messages
from campaigns.store.gate import MAY_END

# Who of a batch that is about to leave is on the list? Its numbers go to the list's key as one array: the cost is that
# of the batch, however long the list is.
_LISTED: Final = text("""
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
_HELD: Final = text(f"SELECT id FROM sms.batches WHERE id = :batch_id AND state = 'ready' AND {MAY_END} FOR UPDATE")

# These get nothing.
_SPARE: Final = text("""
    UPDATE sms.messages SET state = 'suppressed', settled_at = :now
     WHERE id = ANY (CAST(:ids AS bigint[])) AND state = 'pending'
""")


def spare(connection: Connection, batch_id: int, *, now: datetime) -> int:
    """Suppress those of a ready batch who are on the list; how many."""
    ids = list(connection.execute(_LISTED, {"batch_id": batch_id, "now": now}).scalars())
    if not ids or connection.execute(_HELD, {"batch_id": batch_id}).one_or_none() is None:
        return 0
    spared = connection.execute(_SPARE, {"ids": ids, "now": now}).rowcount
    messages.recount(connection, [batch_id], now=now)
    return spared
