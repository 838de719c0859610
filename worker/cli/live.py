"""A campaign's progress as it happens: two bars on a terminal, a line now and then everywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from worker.cli.standing import Standing, sentence
from worker.cli.words import Paper, moment, printable, say, share

LOOK_EVERY_S: Final = 1.0
SAY_AT_LEAST_EVERY_S: Final = 15.0


Explain = Callable[[Standing], str | None]
"""Why a campaign does not move; None while it does."""


class Picture(Protocol):
    """How progress is shown."""

    def show(self, now: Standing, remark: str) -> None:
        """Show this moment, and what there is to say about it."""

    def close(self) -> None:
        """Leave the last moment standing."""


def follow(look: Callable[[], Standing], *, explain: Explain = sentence) -> Iterator[Standing]:
    """Show the campaign every second; each look is handed on, and whoever follows decides when it is enough."""
    picture = Bars() if Paper().is_terminal else Lines()
    try:
        while True:
            now = look()
            picture.show(now, _remark(now, explain))
            yield now
            time.sleep(LOOK_EVERY_S)
    finally:
        picture.close()


class Bars:
    """Two bars and the reason for waiting below them."""

    def __init__(self) -> None:
        self._bars = Progress(
            TextColumn("{task.description:<9}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[share]:>6}"),
            TimeElapsedColumn(),
            expand=True,
        )
        self._sent = self._bars.add_task("sending", share="")
        self._settled = self._bars.add_task("verdicts", share="")
        self._live = Live(self._bars, console=Paper(), refresh_per_second=8)
        self._live.start()

    def show(self, now: Standing, remark: str) -> None:
        """Move the bars."""
        whole = now.campaign.messages
        for task, done in ((self._sent, now.sent), (self._settled, now.settled)):
            self._bars.update(task, total=whole, completed=done, share=share(done, whole))
        self._live.update(Group(self._bars, Text(printable(remark), style="dim")))

    def close(self) -> None:
        """Leave the bars where they are."""
        self._live.stop()


class Lines:
    """A line whenever something moved, and otherwise every quarter of a minute."""

    def __init__(self) -> None:
        self._said: object = None
        self._said_at = 0.0

    def show(self, now: Standing, remark: str) -> None:
        """Say it, if it is news."""
        whole = now.campaign.messages
        line = (
            f"sending {now.sent:,} of {whole:,} ({share(now.sent, whole)}), "
            f"verdicts {now.settled:,} ({share(now.settled, whole)})"
        )
        line = f"{line}; {remark}" if remark else line
        news = (now.sent, now.settled, now.campaign.state, now.waiting and now.waiting.reason)
        if news != self._said or time.monotonic() - self._said_at > SAY_AT_LEAST_EVERY_S:
            say(f"{moment(now.at)}  {line}")
            self._said, self._said_at = news, time.monotonic()

    def close(self) -> None:
        """Nothing is left open."""


def _remark(now: Standing, explain: Explain) -> str:
    """The reason for waiting, or how it ended."""
    if now.campaign.finished_at is not None:
        return f"{now.campaign.state} at {moment(now.campaign.finished_at)}"
    return explain(now) or ""
