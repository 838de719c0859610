"""What waits: in one campaign (why it waits), in all of them (metrics), and for too long or for a person (doctor).

Read from the batches, a two-hundredth of the messages, and what is asked of all campaigns from the open ones alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from campaigns.rules.states import BatchState, CampaignState
from campaigns.store import campaigns
from campaigns.store.records import Campaign


@dataclass(frozen=True, slots=True)
class CampaignBacklog:
    """What of one campaign is not over. A time is None where nothing stands in that state."""

    ready: int = 0  # batches, as the next two
    ready_at: datetime | None = None  # the first is due
    gateway_down: bool = False  # some of them are put off because it could not be reached
    claimed: int = 0
    lease_ends_at: datetime | None = None  # the last lease ends
    unknown: int = 0
    ask_at: datetime | None = None
    accepted: int = 0  # messages, as the next
    uncertain: int = 0
    poll_at: datetime | None = None


# What of these campaigns is open, and when does each kind of it go on?
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
    """What is open of each of these campaigns; of one that was never cut into batches, nothing is."""
    rows = connection.execute(_CAMPAIGN_BACKLOGS, {"ids": list(campaign_ids), "now": now}).mappings()
    found = {
        row["campaign_id"]: CampaignBacklog(**{name: row[name] for name in CampaignBacklog.__slots__}) for row in rows
    }
    return {campaign_id: found.get(campaign_id, CampaignBacklog()) for campaign_id in campaign_ids}


# How many requests of each campaign that runs are still to leave?
_UNSENT_REQUESTS: Final = text("""
    SELECT campaign.id, count(*) AS requests
      FROM sms.campaigns AS campaign
      JOIN sms.batches AS batch ON batch.campaign_id = campaign.id AND batch.state = 'ready'
     WHERE campaign.finished_at IS NULL AND campaign.state = 'running'
  GROUP BY campaign.id
""")


def unsent_requests(connection: Connection) -> dict[int, int]:
    """Requests by running campaign; campaigns without any are left out."""
    return {row.id: row.requests for row in connection.execute(_UNSENT_REQUESTS)}


@dataclass(frozen=True, slots=True)
class OpenWork:
    """What is open in the context, by state. Times are those of the longest wait, None where nothing is overdue."""

    campaigns: Mapping[str, int]  # that are not over
    batches: Mapping[str, int]  # ready, claimed and unknown
    overdue_since: Mapping[str, datetime | None]  # of these, what should have moved; of ready ones, if they may
    polls: int  # batches whose verdicts should have been asked about
    polls_since: datetime | None


# How many campaigns are not over, by state?
_OPEN_CAMPAIGNS: Final = text(
    "SELECT state, count(*) AS campaigns FROM sms.campaigns WHERE finished_at IS NULL GROUP BY 1"
)

# What is under way in all campaigns, and since when should the oldest of each kind have moved?
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
    """What waits in all campaigns together, counted over what is open."""
    counted = {row.state: row.campaigns for row in connection.execute(_OPEN_CAMPAIGNS)}
    work = connection.execute(_OPEN_WORK, {"now": now}).mappings().one()
    return OpenWork(
        campaigns={state: counted.get(state, 0) for state in CampaignState if state is not CampaignState.FINISHED},
        batches={state: work[state] for state in _UNDER_WAY},
        overdue_since={state: work[f"{state}_since"] for state in _UNDER_WAY},
        polls=work["polls"],
        polls_since=work["polls_since"],
    )


# What `campaigns doctor` asks: what has waited too long, what waits for a person, what nobody can know any more.
#
# Asked by a person now and then, never by a tick: the answers may read every open batch.


@dataclass(frozen=True, slots=True)
class Overdue:
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
    """Everything that was due by `now` and still waits."""
    return Overdue(**connection.execute(_OVERDUE, {"now": now}).mappings().one())


# Which campaigns wait for a person?
_PAUSED: Final = text("""
    SELECT id FROM sms.campaigns WHERE finished_at IS NULL AND state = 'paused' ORDER BY id LIMIT :limit
""")


def paused_campaigns(connection: Connection, *, limit: int = 20) -> Sequence[Campaign]:
    """The oldest paused campaigns; `hold_reason` says why each of them is."""
    return [campaigns.read(connection, row.id) for row in connection.execute(_PAUSED, {"limit": limit})]


# Of how many messages can nobody know any more whether they were sent?
_UNCERTAIN: Final = text("""
    SELECT campaign_id, sum(uncertain) AS messages
      FROM sms.batches WHERE uncertain > 0 AND state <> 'split'
  GROUP BY campaign_id ORDER BY campaign_id
""")


def uncertain_by_campaign(connection: Connection) -> dict[int, int]:
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


def read_durability(connection: Connection) -> Durability:
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


def count_far_ahead(connection: Connection, *, now: datetime, by: timedelta) -> int:
    """Batches of running campaigns that are due later than `by` from now."""
    return int(connection.execute(_FAR_AHEAD, {"now": now, "late": now + by}).scalar_one())


# Does a new table get its first page on the disk? It is gone with the transaction.
_WRITE_PROBE: Final = text("CREATE TEMPORARY TABLE campaigns_doctor ON COMMIT DROP AS SELECT 1 AS probe")


def probe_write(connection: Connection) -> None:
    """Write one page and take it back. Raises: DBAPIError where the database takes no writes, or none of our role."""
    with connection.begin_nested() as probe:
        connection.execute(_WRITE_PROBE)
        probe.rollback()
