"""The door to PostgreSQL: the engine, the database's clock, and the retry of whole commits.

No transaction here is open across HTTP, and none is long.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import psycopg
from psycopg.types.array import ListBinaryDumper
from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_exponential_jitter

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

PATIENCE_S: Final = 20.0
"""How long a commit is tried anew while the database restarts. Shorter than a lease, so that the claim still holds."""

CLOCK_LASTS_S: Final = 5.0
"""How long the database's time is carried on before it is read again."""

CLOCK_READ_WITHIN_S: Final = 0.5
CLOCK_READINGS: Final = 5

SESSION: Final = " ".join(
    f"-c {name}={value}"
    for name, value in {
        "statement_timeout": "60s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "15s",  # a frozen worker keeps its locks no longer
        "timezone": "UTC",
        "jit": "off",  # our statements are short; compiling one would take longer than running it
    }.items()
)


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
            "options": SESSION,
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


class Database:
    """Runs one statement function a call, in one commit, and again if the database went away meanwhile.

    Every statement function is safe to run twice: it is guarded by the state it moves from, or only reads.
    """

    def __init__(self, engine: Engine, *, patience_s: float = PATIENCE_S) -> None:
        self.engine = engine
        self._patience_s = patience_s
        self._clock: tuple[datetime, float] | None = None

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

    def now(self) -> datetime:
        """The database's time, carried on this machine's steady clock and read anew every few seconds.

        Leases and due times of many machines compare only on one clock; a jump of this machine's own does nothing, and
        a machine that slept does not take its lease from before.
        """
        clock = self._clock
        if clock is None or _steady() - clock[1] > CLOCK_LASTS_S:
            clock = self._clock = self._read_clock()
        read_at, then = clock
        return read_at + timedelta(seconds=_steady() - then)

    def _read_clock(self) -> tuple[datetime, float]:
        """The database's time and ours of the same moment. A reading that took long says little: it is made anew."""
        for _ in range(CLOCK_READINGS):
            before = _steady()
            reading = (self(_clock_timestamp), before)
            if _steady() - before <= CLOCK_READ_WITHIN_S:
                break
        return reading


def _steady() -> float:
    """Seconds on a clock that only ever goes forward, and goes on while the machine sleeps where there is one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _clock_timestamp(connection: Connection) -> datetime:
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment
