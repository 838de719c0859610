"""Count waiting work: of one campaign (why it waits), of all (metrics), overdue or left to a person (doctor).

The counts come from the batches, which are a two-hundredth of the messages. Counts of all campaigns read only open
ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from kavenegar_campaigns.rules.states import BatchState, CampaignState
from kavenegar_campaigns.store import campaigns
from kavenegar_campaigns.store.records import Campaign


@dataclass(frozen=True, slots=True)
class CampaignBacklog:
    """The open work of one campaign. A time is None where no batch is in that state."""

    ready: int = 0  # batches, like `claimed` and `unknown`
    ready_at: datetime | None = None  # when the first batch is due
    gateway_down: bool = False  # some batches are postponed because the gateway could not be reached
    claimed: int = 0
    lease_ends_at: datetime | None = None  # when the last lease ends
    unknown: int = 0
    ask_at: datetime | None = None
    accepted: int = 0  # messages, like `uncertain`
    uncertain: int = 0
    poll_at: datetime | None = None


# How much work of these campaigns is open, and when is each kind of it due?
_CAMPAIGN_BACKLOGS: Final = text("""
    SELECT campaign_id,
           count(*) FILTER (WHERE state = 'ready') AS ready,
           min(due_at) FILTER (WHERE state = 'ready') AS ready_at,
           coalesce(bool_or(state = 'ready' AND due_at > :now AND trouble = 'GatewayDown'), false) AS gateway_down,
           count(*) FILTER (WHERE state = 'claimed') AS claimed,
           max(due_at) FILTER (WHERE state = 'claimed') AS lease_ends_at,
           count(*) FILTER (WHERE state = 'unknown') AS unknown,
           min(due_at) FILTER (WHERE state = 'unknown') AS ask_at,
           sum(accepted) AS accepted, sum(uncertain) AS uncertain,
           min(poll_at) AS poll_at
      FROM sms.batches WHERE campaign_id = ANY (CAST(:ids AS bigint[])) AND state <> 'split'
  GROUP BY campaign_id
""")


def campaign_backlogs(
    connection: Connection, campaign_ids: Sequence[int], *, now: datetime
) -> dict[int, CampaignBacklog]:
    """Return the open work of each of these campaigns; a campaign without batches has none."""
    rows = connection.execute(_CAMPAIGN_BACKLOGS, {"ids": list(campaign_ids), "now": now}).mappings()
    found = {
        row["campaign_id"]: CampaignBacklog(**{name: row[name] for name in CampaignBacklog.__slots__}) for row in rows
    }
    return {campaign_id: found.get(campaign_id, CampaignBacklog()) for campaign_id in campaign_ids}


# How many requests of each running campaign have not left?
_UNSENT_REQUESTS: Final = text("""
    SELECT campaign.id, count(*) AS requests
      FROM sms.campaigns AS campaign
      JOIN sms.batches AS batch ON batch.campaign_id = campaign.id AND batch.state = 'ready'
     WHERE campaign.finished_at IS NULL AND campaign.state = 'running'
  GROUP BY campaign.id
""")


def unsent_requests(connection: Connection) -> dict[int, int]:
    """Count unsent requests by running campaign; campaigns without any are left out."""
    return {row.id: row.requests for row in connection.execute(_UNSENT_REQUESTS)}


@dataclass(frozen=True, slots=True)
class OpenWork:
    """The open work of the installation, by state. A time is that of the longest wait, None if no work is overdue."""

    campaigns: Mapping[str, int]  # open campaigns
    batches: Mapping[str, int]  # ready, claimed and unknown
    overdue_since: Mapping[str, datetime | None]  # the oldest due batch by state; ready ones of running campaigns only
    polls: int  # batches that are due for a poll
    polls_since: datetime | None


# How many campaigns are open, by state?
_OPEN_CAMPAIGNS: Final = text(
    "SELECT state, count(*) AS campaigns FROM sms.campaigns WHERE finished_at IS NULL GROUP BY 1"
)

# How many batches of all campaigns are open, by state, and since when has the oldest of each state been due?
_OPEN_WORK: Final = text("""
    SELECT (SELECT count(*) FROM sms.batches WHERE state = 'ready') AS ready,
           (SELECT count(*) FROM sms.batches WHERE state = 'claimed') AS claimed,
           (SELECT count(*) FROM sms.batches WHERE state = 'unknown') AS unknown,
           (SELECT min(first.due_at)
              FROM sms.campaigns AS campaign
             CROSS JOIN LATERAL (SELECT due_at FROM sms.batches
                                  WHERE campaign_id = campaign.id AND state = 'ready' AND due_at <= :now
                               ORDER BY due_at, id LIMIT 1) AS first
             WHERE campaign.finished_at IS NULL AND campaign.state = 'running') AS ready_since,
           (SELECT min(due_at) FROM sms.batches WHERE state = 'claimed' AND due_at <= :now) AS claimed_since,
           (SELECT min(due_at) FROM sms.batches WHERE state = 'unknown' AND due_at <= :now) AS unknown_since,
           (SELECT count(*) FROM sms.batches WHERE poll_at <= :now) AS polls,
           (SELECT min(poll_at) FROM sms.batches WHERE poll_at <= :now) AS polls_since
""")

_UNDER_WAY: Final = (BatchState.READY, BatchState.CLAIMED, BatchState.UNKNOWN)


def open_work(connection: Connection, *, now: datetime) -> OpenWork:
    """Count the open work of all campaigns together."""
    counted = {row.state: row.campaigns for row in connection.execute(_OPEN_CAMPAIGNS)}
    work = connection.execute(_OPEN_WORK, {"now": now}).mappings().one()
    return OpenWork(
        campaigns={state: counted.get(state, 0) for state in CampaignState if state is not CampaignState.FINISHED},
        batches={state: work[state] for state in _UNDER_WAY},
        overdue_since={state: work[f"{state}_since"] for state in _UNDER_WAY},
        polls=work["polls"],
        polls_since=work["polls_since"],
    )


# The questions of `campaigns doctor`: overdue work, work that waits for a person, uncertain messages.
#
# A person asks them now and then, a tick never does: the answers may read every open batch.


@dataclass(frozen=True, slots=True)
class Overdue:
    """Work that is due and not done. A time is that of the longest wait, None if no work waits."""

    running: int  # campaigns
    ready: int  # batches
    ready_since: datetime | None
    unknown: int
    unknown_since: datetime | None
    lapsed: int  # claimed batches with an expired lease
    polls: int
    polls_since: datetime | None


# How many batches are due, since when, and do their campaigns allow them to leave?
_OVERDUE: Final = text("""
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


def find_overdue(connection: Connection, *, now: datetime) -> Overdue:
    """Count the work that was due by `now` and still waits."""
    return Overdue(**connection.execute(_OVERDUE, {"now": now}).mappings().one())


# Which campaigns wait for a person?
_PAUSED: Final = text("""
    SELECT id FROM sms.campaigns WHERE finished_at IS NULL AND state = 'paused' ORDER BY id LIMIT :limit
""")


def paused_campaigns(connection: Connection, *, limit: int = 20) -> Sequence[Campaign]:
    """Return the oldest paused campaigns; `hold_reason` of each is the reason of the pause."""
    return [campaigns.read(connection, row.id) for row in connection.execute(_PAUSED, {"limit": limit})]


# How many messages of each campaign are uncertain?
_UNCERTAIN: Final = text("""
    SELECT campaign_id, sum(uncertain) AS messages
      FROM sms.batches WHERE uncertain > 0 AND state <> 'split'
  GROUP BY campaign_id ORDER BY campaign_id
""")


def uncertain_by_campaign(connection: Connection) -> dict[int, int]:
    """Count uncertain messages by campaign; campaigns without any are left out."""
    return {row.campaign_id: int(row.messages) for row in connection.execute(_UNCERTAIN)}


@dataclass(frozen=True, slots=True)
class Durability:
    """How the server keeps a confirmed commit: its settings, our synchronous_commit, and how many standbys it has."""

    server: Mapping[str, str]
    session: str
    standbys: int
    synchronous: int


# Does the server keep confirmed commits, and how many standbys does it have?
_DURABILITY: Final = text("""
    SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
           current_setting('synchronous_commit') AS session,
           (SELECT count(*) FROM pg_stat_replication) AS standbys,
           (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')) AS synchronous
""")


def read_durability(connection: Connection) -> Durability:
    """Return how the server keeps confirmed commits, as this session sees it."""
    row = connection.execute(_DURABILITY).one()
    server = {"fsync": row.fsync, "full_page_writes": row.full_page_writes}
    return Durability(server, row.session, row.standbys, row.synchronous)


# How many ready and unknown batches are due later than any postponement of ours explains?
_FAR_AHEAD: Final = text("""
    SELECT count(*)
      FROM sms.campaigns AS campaign
      JOIN sms.batches AS batch ON batch.campaign_id = campaign.id
     WHERE campaign.finished_at IS NULL AND campaign.state = 'running'
       AND NOT (campaign.at_gateway AND campaign.start_at > :now)
       AND batch.state IN ('ready', 'unknown') AND batch.due_at > :late
""")


def count_far_ahead(connection: Connection, *, now: datetime, by: timedelta) -> int:
    """Count the batches of running campaigns that are due later than `by` from now."""
    return int(connection.execute(_FAR_AHEAD, {"now": now, "late": now + by}).scalar_one())


# Can the first page of a new table be written to the disk? The table is dropped with the transaction.
_WRITE_PROBE: Final = text("CREATE TEMPORARY TABLE campaigns_doctor ON COMMIT DROP AS SELECT 1 AS probe")


def probe_write(connection: Connection) -> None:
    """Write one page and roll it back. Raises: DBAPIError where the database takes no writes, or none of our role."""
    with connection.begin_nested() as probe:
        connection.execute(_WRITE_PROBE)
        probe.rollback()
