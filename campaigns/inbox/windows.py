"""Spans of time that a line's messages are asked for in: whole seconds, both ends counted.

Source: kavenegar-rest, InboxPaged: two days at most, and two days from the start where no end is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from campaigns.rules.windows import CLOCKS_DIFFER

WHOLE: Final = timedelta(days=2, seconds=-1)
"""The longest span that is asked for."""
OPEN: Final = timedelta(days=1)
"""What began later than this ago has no end: it holds what comes in meanwhile too, on whatever clock."""
MARGIN: Final = CLOCKS_DIFFER
"""What lies further back gets no new messages any more."""
SHORTEST: Final = timedelta(minutes=1)
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time; without an end it reaches beyond now."""

    start: datetime
    end: datetime | None

    @property
    def span(self) -> tuple[int, int | None]:
        """Unix times."""
        return int(self.start.timestamp()), None if self.end is None else int(self.end.timestamp())

    def ends_before(self, other: Window) -> bool:
        """Whether `other` reaches further."""
        return self.end is not None and (other.end is None or other.end > self.end)

    def beyond(self, other: Window) -> Window | None:
        """What of it lies behind the end of `other`; None where nothing does."""
        if other.end is None or (self.end is not None and self.end <= other.end):
            return None
        return Window(max(self.start, after(other.end)), self.end)

    def halved(self, now: datetime) -> Window | None:
        """Its older half; None where that would be shorter than a minute, or not closed yet."""
        half = (min(now, self.end or now) - self.start) / 2
        end = (self.start + half).replace(microsecond=0)
        return Window(self.start, end) if half >= SHORTEST and end <= now - MARGIN else None


def window(start: datetime, *, now: datetime, longest: timedelta = WHOLE) -> Window:
    """The next span from `start` on, at most `longest`."""
    start = start.replace(microsecond=0)
    age = now - start
    if age <= max(min(longest, OPEN), 2 * MARGIN):
        return Window(start, None)
    latest = now - OPEN / 2 if age > OPEN else now - MARGIN  # so that what is left for an open one is not just too much
    return Window(start, min(start + min(longest, WHOLE), latest).replace(microsecond=0))


def after(end: datetime) -> datetime:
    """Where the span after one that ended then begins."""
    return end + _SECOND
