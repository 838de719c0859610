"""The door to PostgreSQL: the engine, the database's clock, and the retry of whole commits.

No transaction here is open across HTTP, and none is long.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import psycopg
from psycopg.types.array import ListBinaryDumper
from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_exponential_jitter

from campaigns.store import leaps, sessions
from campaigns.store.clock import DatabaseClock

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

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
            "options": sessions.OPTIONS,
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

    def __init__(
        self, engine: Engine, *, patience_s: float = PATIENCE_S, believe_after: timedelta = BELIEVE_AFTER
    ) -> None:
        self.engine = engine
        self._patience_s = patience_s
        self.clock = DatabaseClock(
            partial(self, _clock_timestamp), believe_after=believe_after, on_leap=self._note_leap
        )

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
                _clock_timestamp(connection)
        except SQLAlchemyError:
            return False
        return True

    def now(self) -> datetime:
        """The database's time, carried on this machine's steady clock and read anew every few seconds.

        Leases and due times of many machines compare only on one clock; a jump of this machine's own does nothing, and
        a machine that slept does not take its lease from before. When the database's own clock leaps, the time goes on
        as before until the leap has lasted for `believe_after`, and nobody sends or resolves meanwhile: see `gate`.
        """
        return self.clock.now()

    def _note_leap(self, by: timedelta) -> None:
        log.error("database clock leapt", extra={"by_s": round(by.total_seconds(), 1)})
        self(leaps.note, by=by, now=self.clock.now())


def _clock_timestamp(connection: Connection) -> datetime:
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment
