"""How a campaign stands at a moment: its progress, and why it waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

import campaigns
from campaigns import BadInput, Campaign, CampaignState, MessageState, Progress, Waiting
from campaigns.clock import steady
from campaigns.errors import Postpone
from campaigns.kavenegar.pace import PaceView
from campaigns.kavenegar.throttle import Throttle
from campaigns.waiting import why
from worker import wiring

BLIND_FOR_S: Final = 10.0
"""A Redis that did not answer is not asked again for so long: each asking may take seconds."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a campaign stands at a moment."""

    progress: Progress
    waiting: Waiting | None
    at: datetime

    @property
    def campaign(self) -> Campaign:
        """The campaign's row."""
        return self.progress.campaign

    @property
    def waits_for_a_person(self) -> bool:
        """Whether it will not move by itself."""
        return self.campaign.state in (CampaignState.DRAFT, CampaignState.PAUSED)

    @property
    def sent(self) -> int:
        """Messages that are no longer waiting to leave."""
        return self.campaign.messages - self.progress.counts[MessageState.PENDING]

    @property
    def settled(self) -> int:
        """Messages with their verdict."""
        return self.sent - self.progress.counts[MessageState.ACCEPTED]


def standing(connection: Connection, campaign_id: int, *, now: datetime, pace: PaceView | None) -> Standing:
    """How a campaign stands. Raises: NotFound."""
    progress = campaigns.progress(connection, campaign_id)
    return Standing(progress, why(connection, campaign_id, now=now, pace=pace), now)


def sentence(now: Standing) -> str | None:
    """Why it waits; None when it is over."""
    return None if now.waiting is None else now.waiting.sentence


class Glance:
    """Looks at the pace where that can be done; what is told without it is told all the same."""

    def __init__(self, pace: Callable[[], Throttle] = wiring.pace) -> None:
        self.trouble: str | None = None
        self._pace = pace
        self._not_before = 0.0

    def look(self) -> PaceView | None:
        """The pace now; None without Redis, or without what names the account, and `trouble` says which."""
        if steady() < self._not_before:
            return None
        try:
            view = self._pace().view()
        except (BadInput, Postpone) as why:
            self.trouble = str(why)
            self._not_before = steady() + BLIND_FOR_S
            return None
        self.trouble = None
        return view
