"""The line (sender) that each batch of a campaign leaves from, where a campaign has had more than one.

A campaign's row names the line of whatever is still to leave. When a person chooses another one, each batch that left,
or may have left, keeps the line that it left from in its own row: its answers are matched by that line, and what the
gateway never saw of it leaves from that line again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

LINE_OF_BATCH: Final = "coalesce(batch.sender, campaign.sender)"
"""The line of a `batch` of a `campaign`, as an expression."""

OVERTAKEN: Final = timedelta(seconds=2)
"""A claim that began before its campaign was paused believes it to run, and names a time before now: a batch that is
due a little later is none of its."""

_UNSENT: Final = "batch.state = 'ready' AND batch.first_sent_at IS NULL"


@dataclass(frozen=True, slots=True)
class Changed:
    """What a change of the line came to: batches that leave from the new one, and messages that keep theirs."""

    changed: int
    kept: int


# What has not left takes the campaign's line, and is due a little later than any claim that is under way believes. A
# claim that holds the row is waited for.
_PUT_OFF: Final = text(f"""
    UPDATE sms.batches AS batch SET sender = NULL, due_at = greatest(due_at, :later), rung_at = NULL
     WHERE campaign_id = :id AND {_UNSENT}
""")
# What left, or may have left, keeps the line it has.
_KEEP: Final = text(f"""
    UPDATE sms.batches AS batch SET sender = campaign.sender
      FROM sms.campaigns AS campaign
     WHERE campaign.id = :id AND batch.campaign_id = campaign.id AND batch.sender IS NULL
       AND batch.state <> 'split' AND NOT ({_UNSENT})
""")
# From now on the campaign leaves from this line.
_NAME: Final = text("UPDATE sms.campaigns SET sender = :line WHERE id = :id")


def change(connection: Connection, campaign_id: int, *, line: str, now: datetime) -> Changed:
    """Let what has not left of a paused, locked campaign leave from `line`."""
    changed = connection.execute(_PUT_OFF, {"id": campaign_id, "later": now + OVERTAKEN}).rowcount
    connection.execute(_KEEP, {"id": campaign_id})
    connection.execute(_NAME, {"id": campaign_id, "line": line})
    return Changed(changed, sum(kept(connection, campaign_id).values()))


# From which lines have a campaign's messages left, or may they have left?
_LINES: Final = text("""
    SELECT sender AS line, sum(last_id - first_id + 1) AS messages FROM sms.batches
     WHERE campaign_id = :id AND state <> 'split' AND sender IS NOT NULL
  GROUP BY sender ORDER BY sender
""")


def kept(connection: Connection, campaign_id: int) -> dict[str, int]:
    """How many messages of a campaign stay with which line, whatever line it goes on with; none without a change."""
    return {row.line: int(row.messages) for row in connection.execute(_LINES, {"id": campaign_id})}
