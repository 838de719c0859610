"""What came of each attempt, only ever appended to: the evidence. A claim writes its beginning itself."""

from __future__ import annotations

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
