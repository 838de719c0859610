"""The work of Celery's processes beside the tasks: check the settings and the tables before the first task, end a
stuck worker, answer the doctor's questions, and schedule the ticks.

Settings that cannot be used end the process with one sentence: only a person can correct them. With tables of an older
version the process waits, so that workers of a new version may start before, or beside, `campaigns migrate`.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, NoReturn

import psycopg.errors
from celery.beat import PersistentScheduler, ScheduleEntry
from celery.signals import celeryd_after_setup, task_postrun, task_prerun, worker_ready, worker_shutting_down
from celery.worker.control import inspect_command
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from structlog.contextvars import bind_contextvars, clear_contextvars

from kavenegar_campaigns.api import admin
from kavenegar_campaigns.clock import steady
from kavenegar_campaigns.context import Database
from kavenegar_campaigns.errors import BadInput
from kavenegar_worker import isolation, logs, queues, wiring
from kavenegar_worker.app import app
from kavenegar_worker.logs import BOUND
from kavenegar_worker.settings import ignored_brokers

log = logging.getLogger(__name__)

EXIT_BAD_SETTINGS: Final = 78
"""The exit code of a process whose settings cannot be used: a configuration error, in the words of sysexits."""

TABLES_CHECK_INTERVAL_S: Final = 1.0

WAITING_FOR_MIGRATE: Final = (
    "waiting for `campaigns migrate`: the tables are older than this version, nothing is done before that"
)
WAITING_FOR_DATABASE: Final = "waiting for the database: it does not answer"


def prepare_celery_command() -> None:
    """Check the settings for `celery -A kavenegar_worker`, and allow embedded servers, without starting them yet.

    Ends the process where a setting cannot be read, or an address is missing. In a process that Celery's command did
    not start, does nothing.
    """
    if not isolation.is_celery_command():
        return
    wiring.allow_embedded_servers()
    try:
        if not wiring.settings().embedded:
            wiring.broker()
    except BadInput as why:
        _exit_with_sentence(why)
    for name in ignored_brokers(wiring.settings()):
        log.warning("another broker ignored", extra={"variable": name, "used": "CAMPAIGNS_BROKER_URL"})


# ── Celery's signals: connected where our worker or beat starts, never by an import, and for our app alone ──


def connect_signals() -> None:
    """Connect our receivers, and add our answers to `inspect`. Celery calls receivers for every app in the process."""
    celeryd_after_setup.connect(_check_before_first_task, weak=False)
    task_prerun.connect(_begin_task, weak=False)
    task_postrun.connect(_end_task, weak=False)
    worker_ready.connect(_start_watchdog, weak=False)
    worker_shutting_down.connect(_stop_watchdogs, weak=False)
    inspect_command(name=WALL_CLOCK)(report_wall_clock)
    inspect_command(name=DATABASE_LABEL)(report_database)


def _begin_task(task_id: str, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any], **_: Any) -> None:
    """Bind the fields of the task's log records: its name, its id, and the ids in its arguments and headers."""
    if task.app is not app:
        return
    clear_contextvars()
    given = {**queues.name_arguments(task, args), **kwargs}
    known = {**{name: given.get(name, task.request.get(name)) for name in BOUND}, "task": task.name, "task_id": task_id}
    bind_contextvars(**{name: value for name, value in known.items() if value is not None})
    _feed_watchdogs()


def _end_task(task: Any, **_: Any) -> None:
    if task.app is app:
        clear_contextvars()
        _feed_watchdogs()


def _check_before_first_task(instance: Any, **_: Any) -> None:
    """Check that a worker has the API key, and wait for its tables."""
    if instance.app is not app:
        return
    try:
        wiring.context()
    except BadInput as why:
        _exit_with_sentence(why)
    wait_for_tables(wiring.engine())


def _exit_with_sentence(why: BadInput) -> NoReturn:
    sys.stderr.write(logs.redact(f"cannot start: {why}\n"))
    sys.exit(EXIT_BAD_SETTINGS)


def wait_for_tables(engine: Engine, *, every_s: float = TABLES_CHECK_INTERVAL_S) -> None:
    """Wait until the tables have this version or a newer one. Each reason to wait is logged once."""
    said = None
    while (missing := _missing_tables(engine)) is not None:
        if missing != said:
            log.warning(missing)
            said = missing
        time.sleep(every_s)
    if said is not None:
        log.warning("tables found current: process started")


def _missing_tables(engine: Engine) -> str | None:
    """Return why the process has to wait, as a sentence; None when the tables are there."""
    try:
        with engine.connect() as connection:
            return WAITING_FOR_MIGRATE if admin.is_behind(connection) else None
    except DBAPIError as why:
        # A role that may not read the version of the tables may still use them.
        return None if isinstance(why.orig, psycopg.errors.InsufficientPrivilege) else WAITING_FOR_DATABASE
    except SQLAlchemyError:
        return WAITING_FOR_DATABASE


# ── the watchdog: a worker that is alive but consumes nothing ends itself, and its supervisor starts it anew ──
#
# A process that is up, even one that answers pings, may have stopped consuming: brokers and their clients do that. A
# worker is stuck when a message waits in one of its queues at every check, and no task begins or ends here meanwhile.
#
# A worker is not stuck while its queues are empty (beat is away, the account is on hold, all calls pause), while the
# broker or the database does not answer, while the whole machine sleeps, and while the whole process stands still.
# After each of these the patience begins again in full.

EXIT_STUCK = 75
"""The exit code of a worker that found itself stuck: a temporary failure, in the words of sysexits."""


class Watchdog:
    """Watches one worker process and the queues it consumes."""

    def __init__(
        self,
        database: Database,
        broker: Redis,
        consumed: Collection[str],
        patience: timedelta,
        *,
        now_s: Callable[[], float] = steady,
    ) -> None:
        self._database = database
        self._broker = broker
        self._queues = consumed
        self._patience = patience
        self._now_s = now_s
        self._fed_at = self._looked_at = now_s()
        self._stopping = threading.Event()

    def feed(self) -> None:
        """Note that a task began or ended here: the worker consumes."""
        self._fed_at = self._now_s()

    def stop(self) -> None:
        """Stop watching: the worker shuts down, and no progress is expected any more."""
        self._stopping.set()

    def watch(self) -> None:
        """Check a few times in every patience, until `stop`; end the process when it is stuck."""
        while not self._stopping.wait(self._patience.total_seconds() / 4):
            if self.is_stuck():
                facts = {"queues": ",".join(sorted(self._queues)), "exit_code": EXIT_STUCK}
                log.error("worker found stuck", extra=facts)
                os._exit(EXIT_STUCK)  # a stuck process cannot be asked to shut down; leases cover its claims

    def is_stuck(self) -> bool:
        """Return whether a message waited for this worker at every check of a whole patience while no task ran here."""
        patience_s, looked_before, now_s = self._patience.total_seconds(), self._looked_at, self._now_s()
        self._looked_at = now_s
        slept = now_s - looked_before > patience_s / 2  # no thread ran here meanwhile, not even the watchdog's
        if slept or not self._could_work():
            self.feed()
        return now_s - self._fed_at >= patience_s

    def _could_work(self) -> bool:
        """Return whether a message waits in a queue that is consumed here, and its task's database answers."""
        try:
            waiting = queues.lengths(self._broker)
        except RedisError:
            return False
        return any(waiting.get(name) for name in self._queues) and self._database.answers()


_watchdogs: list[Watchdog] = []


def _start_watchdog(sender: Any = None, **_: Any) -> None:
    if sender.app is not app:
        return
    consumed = set(sender.app.amqp.queues.consume_from)
    watchdog = Watchdog(wiring.database(), wiring.broker(), consumed, wiring.settings().stuck_after)
    _watchdogs.append(watchdog)
    threading.Thread(target=watchdog.watch, name="watchdog", daemon=True).start()


def _feed_watchdogs() -> None:
    for watchdog in _watchdogs:
        watchdog.feed()


def _stop_watchdogs(**_: Any) -> None:
    for watchdog in _watchdogs:
        watchdog.stop()


# ── a worker's answers to the doctor, beside those of Celery's `inspect` ──

WALL_CLOCK: Final = "campaigns_wall_clock"
DATABASE_LABEL: Final = "campaigns_database"


def report_wall_clock(_: Any) -> dict[str, float]:
    """Return the time by the clock of this worker's host: seconds since 1970."""
    return {"wall_s": time.time()}


def report_database(_: Any) -> dict[str, str]:
    """Return the identity of this worker's database; an empty answer while the database cannot be reached."""
    try:
        with wiring.engine().connect() as connection:
            return {"database": admin.database_label(connection)}
    except SQLAlchemyError:
        return {}


# ── beat's scheduler: it counts seconds on the steady clock, and publishes nothing into a full queue ──
#
# Celery's own scheduler uses the host's wall clock: set back by an hour, it publishes nothing for an hour. And while
# workers are away it fills the broker. An `expires` on its messages would not prevent this: the broker keeps expired
# messages until a worker takes them out.

MIN_SLEEP_S: Final = 0.01
"""Seconds between two looks at the schedule, at least."""


class Scheduler(PersistentScheduler):  # type: ignore[misc]  # celery ships no types
    """Publishes each entry of the schedule at its interval. A missed interval is left out."""

    now_s: Callable[[], float] = staticmethod(steady)

    def setup_schedule(self) -> None:
        """Set up the schedule as Celery does, without the last run's times from the file: they are on a wall clock."""
        self._due_s: dict[str, float] = {}
        super().setup_schedule()

    def install_default_entries(self, data: Any) -> None:
        """Install no entries: Celery would add a nightly removal of results, which we do not have."""

    def tick(self, *_: Any, **__: Any) -> float:
        """Publish the due entries. Returns the seconds until the next entry is due."""
        for entry in list(self.schedule.values()):
            if self._is_time_for(entry):
                self._publish(entry)
        return max(MIN_SLEEP_S, min(self._due_s.values()) - self.now_s())

    def _is_time_for(self, entry: ScheduleEntry) -> bool:
        """Return whether an entry is due now. It is next due an interval later; from now, if that moment is past."""
        now, every_s = self.now_s(), entry.schedule.run_every.total_seconds()
        due = self._due_s.get(entry.name, now)
        if due > now:
            return False
        self._due_s[entry.name] = due + every_s if due + every_s > now else now + every_s
        return True

    def _publish(self, entry: ScheduleEntry) -> None:
        queue = queues.queue_of_task(entry.task)
        try:
            waiting = queues.record_beat(wiring.broker(), queue)
        except RedisError as why:
            log.warning("broker not reached", extra={"entry": entry.name, "error": type(why).__name__})
            return
        if waiting < queues.MAX_LENGTH[queue]:
            self.apply_entry(self.reserve(entry), producer=self.producer)
