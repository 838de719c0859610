"""Why a campaign does not move, in one line, with what to do where a person can do something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

import campaigns
from campaigns import Campaign, CampaignState, MessageState, Progress
from campaigns.store import installation
from campaigns.store.installation import Installation
from worker.cli.words import duration, moment

SILENT_AFTER_S: Final = 15
"""A dispatcher that ticks every second and has not for this long is not there."""

WORTH_TELLING: Final = timedelta(seconds=3)
"""What passes within this passes before it is read."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a campaign stands at a moment, and what of the installation bears on it."""

    progress: Progress
    installation: Installation
    at: datetime

    @property
    def campaign(self) -> Campaign:
        """The campaign's row."""
        return self.progress.campaign

    @property
    def waits_for_a_person(self) -> bool:
        """Whether it will not move by itself."""
        return self.campaign.state in (CampaignState.DRAFT, CampaignState.PAUSED)

    def count(self, state: MessageState) -> int:
        """How many messages stand there."""
        return self.progress.counts[state]

    @property
    def sent(self) -> int:
        """Messages that are no longer waiting to leave."""
        return self.campaign.messages - self.count(MessageState.PENDING)

    @property
    def settled(self) -> int:
        """Messages with their verdict."""
        return self.sent - self.count(MessageState.ACCEPTED)


def standing(connection: Connection, campaign_id: int, *, now: datetime) -> Standing:
    """How a campaign stands. Raises: NotFound."""
    return Standing(campaigns.progress(connection, campaign_id), installation.read(connection), now)


def why(now: Standing) -> str | None:
    """Why it waits; None when it does not wait, or is over."""
    if now.campaign.finished_at is not None:
        return None
    return next((reason for explain in _REASONS if (reason := explain(now))), None)


def _draft(now: Standing) -> str | None:
    if now.campaign.state is CampaignState.DRAFT:
        return f"it is a draft: `campaigns start {now.campaign.id}` starts it"
    return None


def _paused(now: Standing) -> str | None:
    if now.campaign.state is CampaignState.PAUSED:
        return f"paused: {now.campaign.hold_reason}; `campaigns resume {now.campaign.id}` lets it go on"
    return None


def _scheduled(now: Standing) -> str | None:
    if now.campaign.state is CampaignState.SCHEDULED and now.campaign.start_at is not None:
        return f"it begins at {moment(now.campaign.start_at)}"
    return None


def _held(now: Standing) -> str | None:
    hold = now.installation.hold
    if hold is None or not now.count(MessageState.PENDING):
        return None
    return f"nothing is sent for this account: {hold.reason}; the next look is at {moment(hold.probe_at)}"


def silent(now: Standing) -> str | None:
    """Why it waits where nobody dispatches."""
    ticked_at = now.installation.ticked_at
    if ticked_at is None:
        return "no dispatcher has ever run here: start beat and the workers (see the Procfile)"
    silence_s = (now.at - ticked_at).total_seconds()
    if silence_s > SILENT_AFTER_S:
        return f"the dispatcher has been silent for {duration(silence_s)}: `campaigns doctor` says what is missing"
    return None


def _unknown(now: Standing) -> str | None:
    if now.progress.unknown_batches:
        return (
            f"{now.progress.unknown_batches:,} batches left without an answer; the gateway is asked what became of them"
        )
    return None


def _put_off(now: Standing) -> str | None:
    due_at = now.progress.next_due_at
    if due_at is not None and due_at > now.at + WORTH_TELLING:
        return f"put off by the gateway or the pace: the next batch is due at {moment(due_at)}"
    return None


def _polled(now: Standing) -> str | None:
    poll_at = now.progress.next_poll_at
    if poll_at is not None and poll_at > now.at + WORTH_TELLING and not now.count(MessageState.PENDING):
        return f"the gateway is asked for verdicts next at {moment(poll_at)}"
    return None


# The first that applies is told: what a person has to mend before what passes by itself.
_REASONS: Final[tuple[Callable[[Standing], str | None], ...]] = (
    _draft,
    _paused,
    silent,
    _scheduled,
    _held,
    _unknown,
    _put_off,
    _polled,
)
