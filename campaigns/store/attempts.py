"""What came of each attempt, only ever appended to: the evidence. A claim writes its beginning itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from campaigns.store.records import Claim

# How often did this come of the attempts at a batch?
_EVENTS: Final = text("""
    SELECT count(*) FROM sms.attempts
     WHERE batch_id = :id AND event = :event AND (CAST(:code AS smallint) IS NULL OR code = :code)
""")


def count_events(connection: Connection, batch_id: int, *, event: str, code: int | None = None) -> int:
    """How many attempts at a batch ended in `event`, with `code` where one is given."""
    return int(connection.execute(_EVENTS, {"id": batch_id, "event": event, "code": code}).scalar_one())


def record(
    connection: Connection, claim: Claim, *, kind: str, event: str, now: datetime, code: int | None = None
) -> None:
    """Append what came of an attempt."""
    connection.execute(
        text("""
            INSERT INTO sms.attempts (batch_id, call_id, kind, event, attempt, asked, code, at)
            VALUES (:batch_id, :call_id, :kind, :event, :attempt, :asked, :code, :now)
        """),
        {
            "batch_id": claim.batch_id,
            "call_id": claim.call_id,
            "kind": kind,
            "event": event,
            "attempt": claim.attempt,
            "asked": len(claim.messages),
            "code": code,
            "now": now,
        },
    )


@dataclass(frozen=True, slots=True)
class LastCalls:
    """When the last request left, and when the gateway answered one, and failed to answer one, for the last time.

    Each is None where that is longer ago than the newest attempts reach back. `enqueued_at`: when the dispatcher last
    enqueued a batch that is still to leave.
    """

    enqueued_at: datetime | None = None
    left_at: datetime | None = None
    answered_at: datetime | None = None
    unanswered_at: datetime | None = None


# What do the newest attempts say of the senders and of the gateway? They stand at the end of the table.
_LAST_CALLS: Final = text("""
    SELECT (SELECT max(rung_at) FROM sms.batches WHERE state = 'ready' AND rung_at IS NOT NULL) AS enqueued_at,
           max(at) FILTER (WHERE kind = 'send' AND event = 'began') AS left_at,
           max(at) FILTER (WHERE NOT unanswered AND event NOT IN ('began', 'may have left')) AS answered_at,
           max(at) FILTER (WHERE unanswered) AS unanswered_at
      FROM (SELECT kind, event, at, event IN ('put off', 'unknown') AND coalesce(code, 500) >= 500 AS unanswered
              FROM sms.attempts ORDER BY id DESC LIMIT 5000) AS newest
""")


def last_calls(connection: Connection) -> LastCalls:
    """The last signs of life of those who send, and of the gateway."""
    return LastCalls(**connection.execute(_LAST_CALLS).mappings().one())
