"""Read the state of a campaign, and show its progress: two bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from rich.text import Text
from sqlalchemy import Connection

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import BadInput, Campaign, CampaignState, MessageState, Progress, Waiting
from kavenegar_campaigns.api.gateway import PaceView
from kavenegar_campaigns.clock import steady
from kavenegar_campaigns.context import Throttle, in_one_commit
from kavenegar_campaigns.errors import Postpone
from kavenegar_worker import wiring
from kavenegar_worker.cli.output import StandardOutput, format_share, format_time, print_lines, printable

REDIS_RETRY_AFTER_S: Final = 10.0
"""Seconds until a Redis that did not answer is asked again: each attempt may take seconds."""


@dataclass(frozen=True, slots=True)
class CampaignStatus:
    """The state of a campaign at one moment."""

    progress: Progress
    waiting: Waiting | None
    at: datetime

    @property
    def campaign(self) -> Campaign:
        """Return the campaign's row."""
        return self.progress.campaign

    @property
    def needs_a_person(self) -> bool:
        """Return whether the campaign waits for a person."""
        return self.campaign.state in (CampaignState.DRAFT, CampaignState.PAUSED)

    @property
    def sent(self) -> int:
        """Return how many messages no longer wait to leave."""
        return self.campaign.messages - self.progress.counts[MessageState.PENDING]

    @property
    def settled(self) -> int:
        """Return how many messages have their verdict."""
        return self.sent - self.progress.counts[MessageState.ACCEPTED]


@in_one_commit
def read_status(connection: Connection, campaign_id: int, *, now: datetime, pace: PaceView | None) -> CampaignStatus:
    """Read the state of a campaign. Raises: NotFound."""
    progress = campaigns.progress(connection, campaign_id)
    return CampaignStatus(progress, campaigns.why_waiting(connection, campaign_id, pace=pace, now=now), now)


def waiting_sentence(now: CampaignStatus) -> str | None:
    """Return a sentence that says why the campaign waits; None when it has finished."""
    return None if now.waiting is None else now.waiting.sentence


class PaceReader:
    """Reads the pace where Redis can be reached; the progress is shown without it otherwise."""

    def __init__(self, pace: Callable[[], Throttle] = wiring.pace) -> None:
        self.trouble: str | None = None
        self._pace = pace
        self._not_before = 0.0

    def read(self) -> PaceView | None:
        """Read the pace; None without Redis or without the name of the account, with the reason in `trouble`."""
        if steady() < self._not_before:
            return None
        try:
            view = self._pace().view()
        except (BadInput, Postpone) as why:
            self.trouble = str(why)
            self._not_before = steady() + REDIS_RETRY_AFTER_S
            return None
        self.trouble = None
        return view


# ── progress as it happens ──

REFRESH_INTERVAL_S: Final = 1.0
MAX_SILENCE_S: Final = 15.0


Explain = Callable[[CampaignStatus], str | None]
"""Returns why a campaign does not move; None while it moves."""


class ProgressView(Protocol):
    """A way to show progress."""

    def show(self, now: CampaignStatus, remark: str) -> None:
        """Show this state and the remark about it."""

    def close(self) -> None:
        """End the display; the last state stays on the screen."""


def follow(look: Callable[[], CampaignStatus], *, explain: Explain = waiting_sentence) -> Iterator[CampaignStatus]:
    """Show the campaign every second and yield each state; the caller decides when to stop."""
    display: ProgressView = ProgressBars() if StandardOutput().is_terminal else ProgressLines()
    try:
        while True:
            now = look()
            display.show(now, _remark(now, explain))
            yield now
            time.sleep(REFRESH_INTERVAL_S)
    finally:
        display.close()


class ProgressBars:
    """Shows two bars, with the reason for waiting below them."""

    def __init__(self) -> None:
        self._bars = RichProgress(
            TextColumn("{task.description:<9}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[share]:>6}"),
            TimeElapsedColumn(),
            expand=True,
        )
        self._sent = self._bars.add_task("sending", share="")
        self._settled = self._bars.add_task("verdicts", share="")
        self._live = Live(self._bars, console=StandardOutput(), refresh_per_second=8)
        self._live.start()

    def show(self, now: CampaignStatus, remark: str) -> None:
        """Update the bars."""
        whole = now.campaign.messages
        for task, done in ((self._sent, now.sent), (self._settled, now.settled)):
            self._bars.update(task, total=whole, completed=done, share=format_share(done, whole))
        self._live.update(Group(self._bars, Text(printable(remark), style="dim")))

    def close(self) -> None:
        """End the display; the bars stay on the screen."""
        self._live.stop()


class ProgressLines:
    """Prints a line at each change, and otherwise every quarter of a minute."""

    def __init__(self) -> None:
        self._said: object = None
        self._said_at = 0.0

    def show(self, now: CampaignStatus, remark: str) -> None:
        """Print the state if it has changed."""
        whole = now.campaign.messages
        line = (
            f"sending {now.sent:,} of {whole:,} ({format_share(now.sent, whole)}), "
            f"verdicts {now.settled:,} ({format_share(now.settled, whole)})"
        )
        line = f"{line}; {remark}" if remark else line
        news = (now.sent, now.settled, now.campaign.state, now.waiting and now.waiting.reason)
        if news != self._said or time.monotonic() - self._said_at > MAX_SILENCE_S:
            print_lines(f"{format_time(now.at)}  {line}")
            self._said, self._said_at = news, time.monotonic()

    def close(self) -> None:
        """Do nothing: lines need no end."""


def _remark(now: CampaignStatus, explain: Explain) -> str:
    """Return the reason for waiting, or how the campaign ended."""
    if now.campaign.finished_at is not None:
        return f"{now.campaign.state} at {format_time(now.campaign.finished_at)}"
    return explain(now) or ""
