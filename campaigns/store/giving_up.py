"""Unknown batches for which the time to ask is over, although no answer came: their messages are uncertain."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from campaigns.rules.states import MessageState
from campaigns.rules.windows import MARGIN
from campaigns.store import holders, messages
from campaigns.store.gate import MAY_END
from campaigns.store.records import Fact

WINDOW_ENDED: Final = "nobody answered while the gateway could be asked"
"""Of an uncertain batch: the gateway could not be asked by our ids before it forgot them."""

MOST: Final = 20
"""Batches that one tick gives up: no commit is long."""

# Which unknown batches can no longer be asked about? Of those that are due, the longest first. A batch may have left
# until its last send began, or until the history was given up that may have sent it. It was asked about in vain since
# its window neared the end, or nobody asked for twice the window. Who asks at this moment is let finish.
_OVER: Final = text(f"""
    WITH due AS (
        SELECT id, first_sent_at FROM sms.batches
         WHERE state = 'unknown' AND due_at <= :now ORDER BY due_at LIMIT :looked_at
    ), left_last AS (
        SELECT due.id,
               greatest(due.first_sent_at,
                        (SELECT max(at) FROM sms.attempts
                          WHERE batch_id = due.id AND kind = 'send' AND event IN ('began', 'may have left')),
                        (SELECT max(began_at) FROM sms.epochs WHERE lost_since IS NOT NULL)) AS at
          FROM due WHERE due.first_sent_at <= :now - CAST(:window AS interval)
    ), over AS (
        SELECT id FROM left_last
         WHERE at <= :now - CAST(:window AS interval)
           AND (at <= :now - 2 * CAST(:window AS interval)
                OR EXISTS (SELECT FROM sms.attempts AS asked
                            WHERE asked.batch_id = left_last.id AND asked.kind = 'resolve' AND asked.event = 'began'
                              AND asked.at >= left_last.at + CAST(:nearly AS interval)))
    )
    SELECT batch.id, batch.first_id, batch.last_id FROM sms.batches AS batch
     WHERE batch.id IN (SELECT id FROM over) AND batch.state = 'unknown' AND batch.due_at <= :now AND {MAY_END}
     LIMIT :most FOR UPDATE SKIP LOCKED
""")


def give_up(connection: Connection, *, now: datetime, window: timedelta) -> list[int]:
    """Make uncertain what could be asked about for `window`, and no answer came; the ids of the batches."""
    values = {"window": window, "nearly": window - window / MARGIN, "looked_at": 10 * MOST, "most": MOST}
    rows = connection.execute(_OVER, {"now": now, **values}).all()
    facts = [
        Fact(message.id, MessageState.UNCERTAIN)
        for row in rows
        for message in connection.execute(messages.PENDING, {"first_id": row.first_id, "last_id": row.last_id})
    ]
    if not facts:
        return []
    ids = holders.lock(connection, [row.id for row in rows], [fact.message_id for fact in facts])
    messages.merge(connection, facts, now=now)
    messages.recount(connection, ids, now=now)
    connection.execute(
        text("UPDATE sms.batches SET trouble = :trouble, lease_owner = NULL WHERE id = ANY (CAST(:ids AS bigint[]))"),
        {"ids": ids, "trouble": WINDOW_ENDED},
    )
    return [row.id for row in rows]
