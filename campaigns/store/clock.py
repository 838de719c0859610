"""The database's clock: read by every process, and not believed at once when it leaps.

Leases and due times of many machines compare on one clock, the database's. A process carries it on between two readings
with its own steady clock, so it notices when the database's clock leaps: a correction by hand, a virtual machine moved.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from campaigns.clock import steady

LASTS_S: Final = 5.0
"""How long a reading is carried on before the clock is read again."""

READ_WITHIN: Final = timedelta(seconds=0.5)
READINGS: Final = 5
"""A reading that took longer says little: it is made anew, so many times at most."""

TOLERANCE: Final = timedelta(seconds=2)
"""A reading this much further from what was expected than it can be is a leap. Clocks that are slewed stay within."""

_NOTHING: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class _Reading:
    """At `steady_s`, when the question left, it was `at` or up to `doubt` earlier: so long did the answer take."""

    at: datetime
    steady_s: float
    doubt: timedelta

    def carried(self, steady_s: float) -> datetime:
        """The latest it can be at a moment of the steady clock, if the clock that was read goes on evenly."""
        return self.at + timedelta(seconds=steady_s - self.steady_s)

    def later_than(self, before: _Reading) -> timedelta:
        """By how much this reading says more than one before allows for; negative: less; zero: they agree."""
        latest = before.carried(self.steady_s)
        return max(self.at - self.doubt - latest, _NOTHING) + min(self.at - (latest - before.doubt), _NOTHING)

    def after(self, before: _Reading) -> _Reading:
        """What both readings allow for, or of this one what is nearest to the other: a slow reading moves little."""
        latest = before.carried(self.steady_s)
        at = max(min(latest, self.at), self.at - self.doubt)
        return _Reading(at, self.steady_s, max(at - max(latest - before.doubt, self.at - self.doubt), _NOTHING))


@dataclass(frozen=True, slots=True)
class _Leap:
    by: timedelta
    since_s: float


class DatabaseClock:
    """The database's time, as this process believes it; safe to share between threads.

    Args:
        read: asks the database for its time.
        believe_after: how long a leap must have lasted before it is believed; until then the old time is carried on.
        on_leap: told once by how much the clock has leapt; what it raises, whoever asks for the time gets, and it is
            told again at the next reading.
        now_s: the steady clock, for tests.
    """

    def __init__(
        self,
        read: Callable[[], datetime],
        *,
        believe_after: timedelta,
        on_leap: Callable[[timedelta], None],
        now_s: Callable[[], float] = steady,
    ) -> None:
        self._read = read
        self._believe_after = believe_after
        self._on_leap = on_leap
        self._now_s = now_s
        self._lock = threading.Lock()
        self._anchor: _Reading | None = None
        self._read_s = 0.0
        self._shown: datetime | None = None
        self._leap: _Leap | None = None
        self._seen: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        """The time. It never leaps by itself: a leap of the database's clock is first waited out.

        Nor does it go back, where a better reading says that it was a little ahead: it stands still for as long.
        """
        anchor = self._anchor
        if anchor is None or self._now_s() - self._read_s > LASTS_S:
            anchor = self._read_again()
        with self._lock:
            anchor = self._anchor or anchor
            self._shown = max(anchor.carried(self._now_s()), self._shown or anchor.at)
            return self._shown

    def look(self) -> timedelta | None:
        """Read the database's clock now, however fresh the last reading; by how much it differs from `now`, if it does.

        Where the machine of the database has just corrected its clock, everybody should know before it does anything.
        """
        self._read_again()
        return self.leap

    @property
    def leap(self) -> timedelta | None:
        """By how much the database's clock differs from the time that is believed; None where it does not."""
        return None if self._leap is None else self._leap.by

    def waited_out(self, leapt_at: datetime) -> bool:
        """Whether a leap, named by its time, has been known to this process for long enough, and is over or believed.

        Who noticed it may be dead: everybody waits by their own steady clock, from when they first heard of it. And
        somebody may have read the clock just before it was to be believed, or to be right again, and still carry on
        from there: so for as long as a reading lasts, too.
        """
        seen = self._seen
        if seen is None or seen[0] != leapt_at:
            self._seen = seen = (leapt_at, self._now_s())
        return self._leap is None and self._now_s() - seen[1] >= self._believe_after.total_seconds() + LASTS_S

    def _read_again(self) -> _Reading:
        reading = self._reading()
        with self._lock:
            self._anchor, leapt = self._believed(reading)
            self._read_s = self._now_s()
            anchor = self._anchor
        if leapt is not None:
            self._tell(leapt)
        return anchor

    def _tell(self, leap: _Leap) -> None:
        try:
            self._on_leap(leap.by)
        except BaseException:
            with self._lock:
                self._leap = None if self._leap is leap else self._leap
            raise

    def _believed(self, reading: _Reading) -> tuple[_Reading, _Leap | None]:
        """What the time is carried on from now, and a leap that is news."""
        anchor = self._anchor
        if anchor is None:
            return reading, None
        by = reading.later_than(anchor)
        if abs(by) <= TOLERANCE:
            self._leap = None
            return reading.after(anchor), None
        if self._leap is None or abs(by - self._leap.by) > TOLERANCE:
            self._leap = _Leap(by, reading.steady_s)
            return anchor, self._leap
        if reading.steady_s - self._leap.since_s < self._believe_after.total_seconds():
            return anchor, None
        self._leap = self._shown = None
        return reading, None

    def _reading(self) -> _Reading:
        for _ in range(READINGS):
            before = self._now_s()
            at = self._read()
            reading = _Reading(at, before, timedelta(seconds=self._now_s() - before))
            if reading.doubt <= READ_WITHIN:
                break
        return reading
