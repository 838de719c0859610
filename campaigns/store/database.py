"""The connection to PostgreSQL: the engine, the retry of whole commits, and the database's clock.

No transaction is open across HTTP, and none is long. Leases and due times of many machines compare on the database's
clock. A process carries it on between two readings with its own steady clock, so it notices when that clock leaps.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import psycopg
from psycopg.types.array import ListBinaryDumper
from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_exponential_jitter

from campaigns.clock import steady
from campaigns.store import Committer, database_now, gate

log = logging.getLogger(__name__)

READING_LASTS_S: Final = 5.0
"""How long a reading is carried on before the clock is read again."""

READING_WITHIN: Final = timedelta(seconds=0.5)
READINGS_MAX: Final = 5
"""A reading that took longer says little: it is made anew, so many times at most."""

CLOCK_TOLERANCE: Final = timedelta(seconds=2)
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
        if anchor is None or self._now_s() - self._read_s > READING_LASTS_S:
            anchor = self._read_again()
        with self._lock:
            anchor = self._anchor or anchor
            self._shown = max(anchor.carried(self._now_s()), self._shown or anchor.at)
            return self._shown

    def check_leap(self) -> timedelta | None:
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
        """What the time is carried on from now, and a leap that is news."""
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
"""How long a commit is tried anew while the database restarts. Shorter than a lease, so that the claim still holds."""

BELIEVE_AFTER: Final = timedelta(seconds=210)
"""A lease and the time that an unanswered request is left alone, by default: see `DatabaseClock`."""


def make_engine(url: str, *, threads: int = 4) -> Engine:
    """An engine for `threads` threads of one process.

    Parameters never appear in its errors or logs: they are phone numbers and texts.
    """
    engine = create_engine(
        url,
        pool_size=threads + 2,
        max_overflow=4,
        pool_timeout=10,
        pool_recycle=1800,
        hide_parameters=True,
        connect_args={
            "connect_timeout": 5,
            "options": gate.CONNECTION_OPTIONS,
            "application_name": "campaigns",
            "keepalives_idle": 30,
            "tcp_user_timeout": 10_000,
        },
    )
    event.listen(engine, "connect", _send_arrays_as_binary)
    event.listen(engine, "handle_error", _leave_out_the_row)
    return engine


def _send_arrays_as_binary(connection: Any, _: object) -> None:
    """Facts travel as arrays of 200 to 500 values: as binary they cost a third."""
    connection.adapters.register_dumper(list, ListBinaryDumper)


def _passes_by_itself(error: BaseException) -> bool:
    """A lost connection, a restart, a deadlock: the same commit, tried again, can succeed."""
    if isinstance(error, (OperationalError, InterfaceError)):
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _leave_out_the_row(context: ExceptionContext) -> None:
    """PostgreSQL shows the failing row below its message: numbers and texts, which no log or traceback may hold."""
    if not isinstance(context.original_exception, psycopg.Error):
        return
    primary = context.original_exception.diag.message_primary
    if primary is not None:
        context.original_exception.args = (primary,)
        if context.sqlalchemy_exception is not None:
            context.sqlalchemy_exception.args = (f"({type(context.original_exception).__name__}) {primary}",)


class Database(Committer):
    """Runs one statement function a call, in one commit, and again if the database went away meanwhile.

    Every statement function is safe to run twice: it is guarded by the state it moves from, or only reads.
    """

    def __init__(
        self, engine: Engine, *, patience_s: float = PATIENCE_S, believe_after: timedelta = BELIEVE_AFTER
    ) -> None:
        self.engine = engine
        self._patience_s = patience_s
        self.clock = DatabaseClock(partial(self, database_now), believe_after=believe_after, on_leap=self._note_leap)

    def __call__(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`work(connection, …)` in a transaction of its own.

        Raises: sqlalchemy's OperationalError when the database stays away for longer than the patience.
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
        """Whether the database answers now; it is asked once, and not waited for."""
        try:
            with self.engine.connect() as connection:
                database_now(connection)
        except SQLAlchemyError:
            return False
        return True

    def now(self) -> datetime:
        """The database's time, as `DatabaseClock` carries it on.

        A jump of this machine's own clock does nothing, and a machine that slept does not take its lease from before.
        While a leap of the database's clock is waited out, nobody sends or resolves: see `gate`.
        """
        return self.clock.now()

    def _note_leap(self, by: timedelta) -> None:
        log.error("database clock leapt", extra={"by_s": round(by.total_seconds(), 1)})
        gate.note_leap(self, by=by, now=self.clock.now())
