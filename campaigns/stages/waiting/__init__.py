"""Why a campaign waits: the facts that decide, the reasons, and how times are written.

It costs no more than a look: facts about batches, never about single messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from kavenegar_campaigns.errors import TextRefused
from kavenegar_campaigns.kavenegar.codes import LINE_REFUSALS, return_code
from kavenegar_campaigns.rules.dates import TEHRAN
from kavenegar_campaigns.rules.pace import PaceView
from kavenegar_campaigns.rules.states import CampaignState
from kavenegar_campaigns.store.backlog import CampaignBacklog
from kavenegar_campaigns.store.gate import Gate
from kavenegar_campaigns.store.installation import Installation
from kavenegar_campaigns.store.outcomes import LastCalls
from kavenegar_campaigns.store.records import Campaign

SILENT_AFTER: Final = timedelta(seconds=15)
"""A dispatcher that ticks every second and has not for this long is not there."""

NOBODY_SENDS_AFTER: Final = timedelta(seconds=45)
"""So long after the last request left, although requests are due and enqueued, nobody sends: calls are shorter."""

NO_PROMISE_AFTER: Final = timedelta(seconds=15)
"""So long after the last request left, nobody can say any more when sending ends."""

FRESH: Final = timedelta(seconds=60)
"""What the dispatcher did, and what the gateway failed to do, longer ago says nothing about now."""

NOT_BY_CHANCE: Final = timedelta(seconds=5)
"""A single lost answer among others is no gateway that is down: all of so long have to be lost."""

SECONDS_WITHIN: Final = timedelta(minutes=10)
"""A time as near as this is told with its seconds."""


class WaitingReason(StrEnum):
    """The reasons for which a campaign can wait, as words for programs, in the order of the checks."""

    DRAFT = "draft"  # a person has to start it
    PAUSED = "paused"  # a person has to resume it
    SILENT = "silent"  # nobody dispatches
    RESTORED = "restored"  # the database was restored or copied: a person has to say which
    DATABASE_CHECKED = "database_checked"  # its server was started again or replaced: the gateway is asked first
    CLOCK_LEAPT = "clock_leapt"  # the database's clock is not trusted for a while
    SCHEDULED = "scheduled"  # its time has not come
    DEBUG_MODE = "debug_mode"  # the gateway takes everything and sends nothing
    ON_HOLD = "on_hold"  # the account, and with it every campaign
    PACE_PAUSED = "pace_paused"  # the gateway wants no calls at all for a while
    NOBODY_SENDS = "nobody_sends"  # requests are due and enqueued, and no worker takes them
    GATEWAY_DOWN = "gateway_down"
    PUT_OFF = "put_off"  # all that is left of it is to be tried again later
    SENDING = "sending"  # it is being sent: this is how long that takes
    WITHDRAWING = "withdrawing"  # it was cancelled, and what has not left is taken back
    UNANSWERED = "unanswered"  # requests left without an answer, and are asked about
    UNDER_WAY = "under_way"  # requests are at the gateway now
    UNCERTAIN = "uncertain"  # a person has to decide about messages of which nobody knows
    VERDICTS = "verdicts"  # everything has left, and phones take their time
    CLOSING = "closing"  # nothing of it is open any more


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a campaign waits. `until` is when that ends or is checked next; None if it is not known."""

    reason: WaitingReason
    sentence: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class WaitingFacts:
    """Facts about one campaign `now`. `ahead` counts the requests of all campaigns that leave before its last one."""

    campaign: Campaign
    parts: CampaignBacklog
    ahead: int
    installation: Installation
    gate: Gate
    calls: LastCalls
    pace: PaceView | None
    now: datetime

    @property
    def sends(self) -> bool:
        """Return whether it runs and has messages to send."""
        return self.campaign.state is CampaignState.RUNNING and self.parts.ready > 0

    @property
    def idle_since(self) -> datetime | None:
        """Since when due and enqueued work has not left; None while none is due or enqueued."""
        due_at, enqueued_at = self.parts.ready_at, self.calls.enqueued_at
        if due_at is None or enqueued_at is None or self.now - enqueued_at > FRESH:
            return None
        return max(moment for moment in (due_at, self.calls.left_at, self.campaign.started_at) if moment is not None)

    @property
    def gateway_silent(self) -> bool:
        """Return whether the last calls got no answer, nor those of the seconds before them."""
        failed_at, answered_at = self.calls.unanswered_at, self.calls.answered_at
        if failed_at is None or self.now - failed_at > FRESH:
            return False
        return answered_at is None or failed_at - answered_at > NOT_BY_CHANCE

    def at(self, moment: datetime) -> str:
        """Format a time as `10:32:05 Tehran`, `16:45 Tehran` or `2026-12-01 09:00 Tehran`: as short as is clear now."""
        local = moment.astimezone(TEHRAN)
        if abs(moment - self.now) < SECONDS_WITHIN:
            return f"{local:%H:%M:%S} Tehran"
        today = local.date() == self.now.astimezone(TEHRAN).date()
        return f"{local:%H:%M} Tehran" if today else f"{local:%Y-%m-%d %H:%M} Tehran"

    def asked(self, moment: datetime) -> str:
        """Say when the gateway is asked: at a time in the future, or one that has passed without a query."""
        at = self.at(moment)
        return f"asked about at {at}" if moment > self.now else f"due to be asked about since {at}"

    def to_come(self, moment: datetime) -> datetime | None:
        """Return `moment`, unless it has passed."""
        return moment if moment > self.now else None


def counted(count: int, noun: str) -> str:
    """Format a count as `1 request` or `4,210 requests`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


# ── the way on from a pause ──


def way_to_resume(campaign: Campaign) -> str:
    """Return the command that resumes it, or what to do where no command does."""
    resume = f"`campaigns resume {campaign.id}`"
    code = campaign.hold_code
    if code in LINE_REFUSALS and not campaign.options.is_voice:
        return f"`campaigns resume {campaign.id} --sender LINE` lets what has not left go on from another line"
    if code is not None and return_code(code).verdict is TextRefused:
        return f"a text cannot be changed: `campaigns cancel {campaign.id}` ends it, {resume} tries it again"
    return f"{resume} lets it go on"
