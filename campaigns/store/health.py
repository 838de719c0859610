"""What `campaigns doctor` asks: what has waited too long, what waits for a person, what nobody can know any more.

Asked by a person now and then, never by a tick: the answers may read every open batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from campaigns.store import campaigns
from campaigns.store.records import Campaign


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is due and not done; the times are those of the longest wait, None where nothing waits."""

    running: int  # campaigns
    ready: int  # batches
    ready_since: datetime | None
    unknown: int
    unknown_since: datetime | None
    lapsed: int  # claimed, and the lease ran out
    polls: int
    polls_since: datetime | None


# What is due, for how long, and whose campaign lets it go?
_BACKLOG: Final = text("""
    SELECT (SELECT count(*) FROM sms.campaigns WHERE finished_at IS NULL AND state = 'running') AS running,
           count(*) FILTER (WHERE batch.state = 'ready' AND campaign.state = 'running') AS ready,
           min(batch.due_at) FILTER (WHERE batch.state = 'ready' AND campaign.state = 'running') AS ready_since,
           count(*) FILTER (WHERE batch.state = 'unknown') AS unknown,
           min(batch.due_at) FILTER (WHERE batch.state = 'unknown') AS unknown_since,
           count(*) FILTER (WHERE batch.state = 'claimed') AS lapsed,
           count(*) FILTER (WHERE batch.state = 'accepted') AS polls,
           min(batch.poll_at) FILTER (WHERE batch.state = 'accepted') AS polls_since
      FROM sms.campaigns AS campaign
      JOIN sms.batches AS batch ON batch.campaign_id = campaign.id
     WHERE campaign.finished_at IS NULL
       AND ((batch.state IN ('ready', 'claimed', 'unknown') AND batch.due_at <= :now)
            OR (batch.state = 'accepted' AND batch.poll_at <= :now))
""")


def backlog(connection: Connection, *, now: datetime) -> Backlog:
    """Everything that was due by `now` and still waits."""
    return Backlog(**connection.execute(_BACKLOG, {"now": now}).mappings().one())


# Which campaigns wait for a person?
_PAUSED: Final = text("""
    SELECT id FROM sms.campaigns WHERE finished_at IS NULL AND state = 'paused' ORDER BY id LIMIT :limit
""")


def paused(connection: Connection, *, limit: int = 20) -> Sequence[Campaign]:
    """The oldest paused campaigns; `hold_reason` says why each of them is."""
    return [campaigns.read(connection, row.id) for row in connection.execute(_PAUSED, {"limit": limit})]


# Of how many messages can nobody know any more whether they were sent?
_UNCERTAIN: Final = text("""
    SELECT campaign_id, sum(uncertain) AS messages
      FROM sms.batches WHERE uncertain > 0 AND state <> 'split'
  GROUP BY campaign_id ORDER BY campaign_id
""")


def uncertain(connection: Connection) -> dict[int, int]:
    """Uncertain messages by campaign; campaigns without any are left out."""
    return {row.campaign_id: int(row.messages) for row in connection.execute(_UNCERTAIN)}


@dataclass(frozen=True, slots=True)
class Durability:
    """What the server does for a confirmed commit: its settings, ours of synchronous_commit, and who follows it."""

    server: Mapping[str, str]
    session: str
    standbys: int
    synchronous: int


# Does the server keep what it confirms, and who follows it?
_DURABILITY: Final = text("""
    SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
           current_setting('synchronous_commit') AS session,
           (SELECT count(*) FROM pg_stat_replication) AS standbys,
           (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')) AS synchronous
""")


def durability(connection: Connection) -> Durability:
    """How the server keeps what it confirms, as this session sees it."""
    row = connection.execute(_DURABILITY).one()
    server = {"fsync": row.fsync, "full_page_writes": row.full_page_writes}
    return Durability(server, row.session, row.standbys, row.synchronous)


# How many batches that may leave are due much later than anything of ours puts them off?
_FAR_AHEAD: Final = text("""
    SELECT count(*)
      FROM sms.campaigns AS campaign
      JOIN sms.batches AS batch ON batch.campaign_id = campaign.id
     WHERE campaign.finished_at IS NULL AND campaign.state = 'running'
       AND NOT (campaign.at_gateway AND campaign.start_at > :now)
       AND batch.state IN ('ready', 'unknown') AND batch.due_at > :late
""")


def far_ahead(connection: Connection, *, now: datetime, by: timedelta) -> int:
    """Batches of running campaigns that are due later than `by` from now."""
    return int(connection.execute(_FAR_AHEAD, {"now": now, "late": now + by}).scalar_one())
