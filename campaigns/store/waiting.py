"""What waits, and for what: of single campaigns, for whoever asks why; of all together, for the metrics.

Read from the batches, a two-hundredth of the messages, and what is asked of all campaigns from the open ones alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from campaigns.rules.states import BatchState, CampaignState


@dataclass(frozen=True, slots=True)
class OpenParts:
    """What of one campaign is not over. A time is None where nothing stands in that state."""

    ready: int = 0  # batches, as the next two
    ready_at: datetime | None = None  # the first is due
    gateway_down: bool = False  # some of them are put off because it could not be reached
    claimed: int = 0
    lapses_at: datetime | None = None  # the last lease ends
    unknown: int = 0
    ask_at: datetime | None = None
    accepted: int = 0  # messages, as the next
    uncertain: int = 0
    poll_at: datetime | None = None


# What of these campaigns is open, and when does each kind of it go on?
_OPEN_PARTS: Final = text("""
    SELECT campaign_id,
           count(*) FILTER (WHERE state = 'ready') AS ready,
           min(due_at) FILTER (WHERE state = 'ready') AS ready_at,
           coalesce(bool_or(state = 'ready' AND due_at > :now AND trouble = 'GatewayDown'), false) AS gateway_down,
           count(*) FILTER (WHERE state = 'claimed') AS claimed,
           max(due_at) FILTER (WHERE state = 'claimed') AS lapses_at,
           count(*) FILTER (WHERE state = 'unknown') AS unknown,
           min(due_at) FILTER (WHERE state = 'unknown') AS ask_at,
           sum(accepted) AS accepted, sum(uncertain) AS uncertain,
           min(poll_at) AS poll_at
      FROM sms.batches WHERE campaign_id = ANY (CAST(:ids AS bigint[])) AND state <> 'split'
  GROUP BY campaign_id
""")


def open_parts(connection: Connection, campaign_ids: Sequence[int], *, now: datetime) -> dict[int, OpenParts]:
    """What is open of each of these campaigns; of one that was never cut into batches, nothing is."""
    rows = connection.execute(_OPEN_PARTS, {"ids": list(campaign_ids), "now": now}).mappings()
    found = {row["campaign_id"]: OpenParts(**{name: row[name] for name in OpenParts.__slots__}) for row in rows}
    return {campaign_id: found.get(campaign_id, OpenParts()) for campaign_id in campaign_ids}


# How many requests of each campaign that runs are still to leave?
_STILL_TO_LEAVE: Final = text("""
    SELECT campaign.id, count(*) AS requests
      FROM sms.campaigns AS campaign
      JOIN sms.batches AS batch ON batch.campaign_id = campaign.id AND batch.state = 'ready'
     WHERE campaign.finished_at IS NULL AND campaign.state = 'running'
  GROUP BY campaign.id
""")


def still_to_leave(connection: Connection) -> dict[int, int]:
    """Requests by running campaign; campaigns without any are left out."""
    return {row.id: row.requests for row in connection.execute(_STILL_TO_LEAVE)}


@dataclass(frozen=True, slots=True)
class OpenWork:
    """What is open in the house, by state. Times are those of the longest wait, None where nothing is overdue."""

    campaigns: Mapping[str, int]  # that are not over
    batches: Mapping[str, int]  # ready, claimed and unknown
    overdue_since: Mapping[str, datetime | None]  # of these, what should have moved; of ready ones, if they may
    polls: int  # batches whose verdicts should have been asked about
    polls_since: datetime | None


# How many campaigns are not over, by state?
_CAMPAIGNS: Final = text("SELECT state, count(*) AS campaigns FROM sms.campaigns WHERE finished_at IS NULL GROUP BY 1")

# What is under way in all campaigns, and since when should the oldest of each kind have moved?
_WORK: Final = text("""
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
    counted = {row.state: row.campaigns for row in connection.execute(_CAMPAIGNS)}
    work = connection.execute(_WORK, {"now": now}).mappings().one()
    return OpenWork(
        campaigns={state: counted.get(state, 0) for state in CampaignState if state is not CampaignState.FINISHED},
        batches={state: work[state] for state in _UNDER_WAY},
        overdue_since={state: work[f"{state}_since"] for state in _UNDER_WAY},
        polls=work["polls"],
        polls_since=work["polls_since"],
    )
