"""The gateway's own count of what came in, beside ours."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from campaigns.house import House
from campaigns.inbox.turn import Turn
from campaigns.inbox.windows import MARGIN, Window
from campaigns.kavenegar.pace import Lane
from campaigns.rules.calendar import TEHRAN, begins
from campaigns.store import inbound

log = logging.getLogger(__name__)

A_DAY = timedelta(days=1, seconds=-1)


@dataclass(frozen=True, slots=True)
class Count:
    """A line's messages of one day in Tehran, by the gateway's count and by ours; today as far as it is settled."""

    line: str
    day: date
    gateway: int
    ours: int

    @property
    def short(self) -> int:
        """How many the gateway has and we have not."""
        return max(0, self.gateway - self.ours)


def of_days(house: House, line: str, *, days: int) -> Iterator[Count]:
    """The last `days`, today among them, the newest first: one call each. Raises: GatewayError."""
    settled = house.now() - MARGIN
    today = settled.astimezone(TEHRAN).date()
    for day in (today - timedelta(days=back) for back in range(days)):
        start = begins(day)
        window = Window(start, min(start + A_DAY, settled).replace(microsecond=0))
        house.gateway.admit(Lane.HOUSEKEEPING)
        yield Count(line, day, *_counts(house, line, window))


def of_last_day(turn: Turn) -> None:
    """Warn where the gateway counts more than is stored, although everything has just been gone through."""
    end = (turn.began - MARGIN).replace(microsecond=0)
    gateway, ours = _counts(turn.house, turn.line, Window(end - A_DAY, end))
    if gateway > ours:
        log.warning("inbox messages found missing", extra={"line": turn.line, "gateway": gateway, "ours": ours})


def _counts(house: House, line: str, window: Window) -> tuple[int, int]:
    start, end = window.span
    told = house.gateway.countinbox(start, end, line)
    return told.sumcount, house.database(inbound.counted, line, window.start, window.end)
