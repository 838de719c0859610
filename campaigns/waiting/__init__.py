"""Why a campaign waits, in one line with a time: from what the database holds and, where it is at hand, the pace.

    facts    what is known of a campaign at a moment, and how times are told
    reasons  the reasons, one function each, in the order in which they are looked for

It costs no more than a look: facts about batches, never about single messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from campaigns.kavenegar.pace import PaceView
from campaigns.store import attempts, gate, installation
from campaigns.store import campaigns as store
from campaigns.store.records import Campaign
from campaigns.store.waiting import open_parts, still_to_leave
from campaigns.waiting.facts import SILENT_AFTER, Facts, Reason, Waiting
from campaigns.waiting.reasons import first

__all__ = ["SILENT_AFTER", "Reason", "Waiting", "each", "why"]


def why(connection: Connection, campaign_id: int, *, now: datetime, pace: PaceView | None) -> Waiting | None:
    """Why a campaign waits; None when it is over. Without a `pace`, what depends on it is left out.

    Raises: NotFound.
    """
    return each(connection, [store.read(connection, campaign_id)], now=now, pace=pace)[campaign_id]


def each(
    connection: Connection, campaigns: Sequence[Campaign], *, now: datetime, pace: PaceView | None
) -> dict[int, Waiting | None]:
    """The same of several campaigns, by their ids, in as many questions as of one."""
    found: dict[int, Waiting | None] = {campaign.id: None for campaign in campaigns}
    live = [campaign for campaign in campaigns if campaign.finished_at is None]
    if live:
        parts = open_parts(connection, [campaign.id for campaign in live], now=now)
        to_leave, house = still_to_leave(connection), installation.read(connection)
        shut, calls = gate.read(connection), attempts.last_calls(connection)
        for campaign in live:
            ahead = _ahead(campaign.id, to_leave)
            found[campaign.id] = first(Facts(campaign, parts[campaign.id], ahead, house, shut, calls, pace, now))
    return found


def _ahead(campaign_id: int, to_leave: Mapping[int, int]) -> int:
    """Campaigns take turns, a request each: before the last of one leave as many of every other, if it has them."""
    own = to_leave.get(campaign_id, 0)
    return sum(min(own, requests) for requests in to_leave.values()) - 1 if own else 0
