"""Whole commits, retried while the database is away, and the database's clock.

No transaction is open across HTTP, and none is long. Leases and due times of many machines compare on the database's
clock. Between two readings a process continues it with its own steady clock, so it notices when the clock leaps.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_exponential_jitter

from kavenegar_campaigns import forks
from kavenegar_campaigns.clock import steady
from kavenegar_campaigns.store import Committer, database_now, gate

log = logging.getLogger(__name__)

READING_LASTS_S: Final = 5.0
"""How long a reading is used before the clock is read again."""

READING_WITHIN: Final = timedelta(seconds=0.5)
READINGS_MAX: Final = 5
"""A reading that took longer than READING_WITHIN is too inexact: it is repeated, READINGS_MAX times at most."""

CLOCK_TOLERANCE: Final = timedelta(seconds=2)
"""A reading that differs from the possible times by more than this is a leap. A clock that is slewed stays within."""

_NOTHING: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class _Reading:
    """The time at `steady_s`, when the query left: `at`, or up to `doubt` earlier. The answer took `doubt` to come."""

    at: datetime
    steady_s: float
    doubt: timedelta

    def carried(self, steady_s: float) -> datetime:
        """Return the latest possible time at a moment of the steady clock, if the database's clock runs evenly."""
        return self.at + timedelta(seconds=steady_s - self.steady_s)

    def later_than(self, before: _Reading) -> timedelta:
        """Return by how much this reading is later than `before` allows; negative: earlier; zero: the two agree."""
        latest = before.carried(self.steady_s)
        return max(self.at - self.doubt - latest, _NOTHING) + min(self.at - (latest - before.doubt), _NOTHING)

    def after(self, before: _Reading) -> _Reading:
        """Return the times that both readings allow, or the nearest that this one does: a slow reading moves little."""
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
        believe_after: how long a leap must have lasted before it is believed; until then the old time continues.
        on_leap: called once with the size of a leap; an error that it raises goes to the caller that reads the time,
            and the next reading calls it again.
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
        self._start()
        forks.renew_in_child(self, DatabaseClock._start)

    def _start(self) -> None:
        """Know nothing of the time yet: at first, and after a fork, which may interrupt another thread's reading."""
        self._lock = threading.Lock()
        self._anchor: _Reading | None = None
        self._read_s = 0.0
        self._shown: datetime | None = None
        self._leap: _Leap | None = None
        self._seen: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        """Return the time. It never leaps: a leap of the database's clock is first waited out.

        It never goes back: where a better reading shows that it was a little ahead, it stands still for as long.
        """
        anchor = self._anchor
        if anchor is None or self._now_s() - self._read_s > READING_LASTS_S:
            anchor = self._read_again()
        with self._lock:
            anchor = self._anchor or anchor
            self._shown = max(anchor.carried(self._now_s()), self._shown or anchor.at)
            return self._shown

    def check_leap(self) -> timedelta | None:
        """Read the database's clock now, however fresh the last reading. Returns its difference from `now`, or None.

        When the database's machine has just corrected its clock, a process should know before it does any work.
        """
        self._read_again()
        return self.leap

    @property
    def leap(self) -> timedelta | None:
        """By how much the database's clock differs from the believed time; None where the two agree."""
        return None if self._leap is None else self._leap.by

    def waited_out(self, leapt_at: datetime) -> bool:
        """Return whether this process has known a leap, named by its time, for long enough, and it is over or believed.

        The process that noticed the leap may be dead: each process waits by its own steady clock, from when it first
        learned of the leap. Another process may have read the clock just before the leap was believed, or over, and
        still use that reading: so the wait includes the time that a reading is used.
        """
        seen = self._seen
        if seen is None or seen[0] != leapt_at:
            self._seen = seen = (leapt_at, self._now_s())
        return self._leap is None and self._now_s() - seen[1] >= self._believe_after.total_seconds() + READING_LASTS_S

    def _read_again(self) -> _Reading:
        reading = self._reading()
        with self._lock:
            self._anchor, leapt = self._believed(reading)
            self._read_s = self._now_s()
            anchor = self._anchor
        if leapt is not None:
            self._report_leap(leapt)
        return anchor

    def _report_leap(self, leap: _Leap) -> None:
        try:
            self._on_leap(leap.by)
        except BaseException:
            with self._lock:
                self._leap = None if self._leap is leap else self._leap
            raise

    def _believed(self, reading: _Reading) -> tuple[_Reading, _Leap | None]:
        """Return the reading from which the time continues, and a leap that is new, or None."""
        anchor = self._anchor
        if anchor is None:
            return reading, None
        by = reading.later_than(anchor)
        if abs(by) <= CLOCK_TOLERANCE:
            self._leap = None
            return reading.after(anchor), None
        if self._leap is None or abs(by - self._leap.by) > CLOCK_TOLERANCE:
            self._leap = _Leap(by, reading.steady_s)
            return anchor, self._leap
        if reading.steady_s - self._leap.since_s < self._believe_after.total_seconds():
            return anchor, None
        self._leap = self._shown = None
        return reading, None

    def _reading(self) -> _Reading:
        for _ in range(READINGS_MAX):
            before = self._now_s()
            at = self._read()
            reading = _Reading(at, before, timedelta(seconds=self._now_s() - before))
            if reading.doubt <= READING_WITHIN:
                break
        return reading


P = ParamSpec("P")
T = TypeVar("T")

PATIENCE_S: Final = 20.0
"""How long a commit is retried while the database restarts. Shorter than a lease, so that the claim still holds."""

BELIEVE_AFTER: Final = timedelta(seconds=210)
"""The default of `believe_after` in `DatabaseClock`: a lease, plus the grace of an unanswered request."""


def _passes_by_itself(error: BaseException) -> bool:
    """Return whether a retry of the commit can succeed: after a lost connection, a restart, a deadlock."""
    if isinstance(error, (OperationalError, InterfaceError)):
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated


class Database(Committer):
    """Runs one statement function a call, in one commit, and retries it if the database went away meanwhile.

    Every statement function is safe to run twice: it is guarded by the state that it moves from, or only reads.
    """

    def __init__(
        self, engine: Engine, *, patience_s: float = PATIENCE_S, believe_after: timedelta = BELIEVE_AFTER
    ) -> None:
        self.engine = engine
        self._patience_s = patience_s
        self.clock = DatabaseClock(partial(self, database_now), believe_after=believe_after, on_leap=self._note_leap)

    def __call__(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(connection, …)` in a transaction of its own, and return its result.

        Raises: sqlalchemy's OperationalError when the database stays away for longer than `patience_s`.
        """
        for attempt in Retrying(
            retry=retry_if_exception(_passes_by_itself),
            wait=wait_exponential_jitter(multiplier=0.1, max=2.0, jitter=0.1),
            stop=stop_after_delay(self._patience_s),
            reraise=True,
        ):
            with attempt:
                if attempt.retry_state.attempt_number > 1:
                    log.warning("database commit retried", extra={"attempt": attempt.retry_state.attempt_number})
                with self.engine.begin() as connection:
                    return work(connection, *args, **kwargs)
        raise AssertionError("tenacity either returns or raises")

    def answers(self) -> bool:
        """Return whether the database answers now, without a retry."""
        try:
            with self.engine.connect() as connection:
                database_now(connection)
        except SQLAlchemyError:
            return False
        return True

    def now(self) -> datetime:
        """Return the database's time, as `DatabaseClock` continues it.

        A jump of this machine's own clock has no effect, and a machine that slept does not use its old lease.
        While a leap of the database's clock is waited out, no process sends or resolves: see `gate`.
        """
        return self.clock.now()

    def _note_leap(self, by: timedelta) -> None:
        log.error("database clock leapt", extra={"by_s": round(by.total_seconds(), 1)})
        gate.note_leap(self, by=by, now=self.clock.now())
