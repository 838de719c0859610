"""The line (sender) that each batch of a campaign leaves from, where a campaign has had more than one.

A campaign's row names the line of whatever is still to leave. When a person chooses another one, each batch that left,
or may have left, gets a row in `attempts` with the line that it left from: its answers are matched by that line, and
what the gateway never saw of it leaves from that line again. So `attempts` also tells from which line a batch left.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection, text

_KEPT: Final = """
    SELECT substr(kept.event, 6) FROM sms.attempts AS kept
     WHERE kept.batch_id = batch.id AND kept.event LIKE 'line %' ORDER BY kept.id DESC LIMIT 1
"""
LINE_OF_BATCH: Final = f"coalesce(({_KEPT}), campaign.sender)"
"""The line of a `batch` of a `campaign`, as an expression."""

OVERTAKEN: Final = timedelta(seconds=2)
"""A claim that began before its campaign was paused believes it to run, and names a time before now: a batch that is
due a little later is none of its."""

_UNSENT: Final = "batch.state = 'ready' AND batch.first_sent_at IS NULL"


@dataclass(frozen=True, slots=True)
class Changed:
    """What a change of the line came to: batches that leave from the new one, and batches that keep theirs."""

    changed: int
    kept: int


# What has not left is due a little later than any claim that is under way believes. Such a claim is waited for.
_PUT_OFF: Final = text(f"""
    UPDATE sms.batches AS batch SET due_at = greatest(due_at, :later), rung_at = NULL
     WHERE campaign_id = :id AND {_UNSENT}
""")
# What left, or may have left, keeps the line it has.
_KEEP: Final = text(f"""
    INSERT INTO sms.attempts (batch_id, call_id, kind, event, attempt, asked, at)
    SELECT batch.id, :call_id, 'send', 'line ' || {LINE_OF_BATCH}, batch.attempt, batch.pending, :now
      FROM sms.batches AS batch JOIN sms.campaigns AS campaign ON campaign.id = batch.campaign_id
     WHERE campaign.id = :id AND batch.state <> 'split' AND NOT ({_UNSENT})
""")
# What is proven not to have left, and had kept an earlier line, gets the new one.
_LET_GO: Final = text(f"""
    INSERT INTO sms.attempts (batch_id, call_id, kind, event, attempt, asked, at)
    SELECT batch.id, :call_id, 'send', 'line ' || CAST(:line AS text), batch.attempt, batch.pending, :now
      FROM sms.batches AS batch
     WHERE batch.campaign_id = :id AND {_UNSENT} AND ({_KEPT}) IS NOT NULL
""")
# From now on the campaign leaves from this line.
_NAME: Final = text("UPDATE sms.campaigns SET sender = :line WHERE id = :id")


def change(connection: Connection, campaign_id: int, *, line: str, now: datetime) -> Changed:
    """Let what has not left of a paused, locked campaign leave from `line`."""
    values = {"id": campaign_id, "line": line, "now": now, "call_id": uuid4()}
    changed = connection.execute(_PUT_OFF, {"id": campaign_id, "later": now + OVERTAKEN}).rowcount
    kept = connection.execute(_KEEP, values).rowcount
    connection.execute(_LET_GO, values)
    connection.execute(_NAME, values)
    return Changed(changed, kept)


# A half leaves from the line that the whole kept.
_INHERIT: Final = text(f"""
    INSERT INTO sms.attempts (batch_id, call_id, kind, event, attempt, asked, at)
    SELECT half.id, :call_id, 'send', 'line ' || ({_KEPT}), half.attempt, half.pending, :now
      FROM sms.batches AS batch JOIN sms.batches AS half ON half.parent_id = batch.id
     WHERE batch.id = :id AND ({_KEPT}) IS NOT NULL
""")


def inherit(connection: Connection, batch_id: int, *, now: datetime) -> None:
    """Give the halves of a batch the line that it kept."""
    connection.execute(_INHERIT, {"id": batch_id, "call_id": uuid4(), "now": now})


# From which lines have a campaign's messages left, or may they have left?
_LINES: Final = text(f"""
    SELECT found.line, sum(found.messages) AS messages
      FROM (SELECT ({_KEPT}) AS line, batch.last_id - batch.first_id + 1 AS messages
              FROM sms.batches AS batch WHERE batch.campaign_id = :id AND batch.state <> 'split') AS found
     WHERE found.line IS NOT NULL
  GROUP BY found.line ORDER BY found.line
""")


def kept(connection: Connection, campaign_id: int) -> dict[str, int]:
    """How many messages of a campaign stay with which line, whatever line it goes on with; none without a change."""
    return {row.line: int(row.messages) for row in connection.execute(_LINES, {"id": campaign_id})}
