"""A worker that is alive but consumes nothing ends itself, so that its supervisor starts it anew.

A process that is up, even one that answers pings, may have stopped consuming: brokers and their clients do that. What
counts is progress: work that is due in the database, and no task here for a while.

Time in which the whole machine slept, or the whole process stood still, says nothing against the worker.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any

from celery.signals import task_prerun, worker_ready, worker_shutting_down
from sqlalchemy.exc import SQLAlchemyError

from campaigns.clock import steady
from campaigns.house import House
from campaigns.store import due
from worker import wiring

log = logging.getLogger(__name__)

STUCK = 75
"""The exit code of a worker that found itself stuck: a temporary failure, in the words of sysexits."""


class Watchdog:
    """Watches one worker process and the queues it consumes."""

    def __init__(
        self, house: House, queues: Collection[str], patience: timedelta, *, now_s: Callable[[], float] = steady
    ) -> None:
        self._house = house
        self._queues = queues
        self._patience = patience
        self._now_s = now_s
        self._fed_at = self._looked_at = now_s()
        self._stopping = threading.Event()

    def feed(self) -> None:
        """A task began: the worker consumes."""
        self._fed_at = self._now_s()

    def rest(self) -> None:
        """The worker shuts down: no progress is expected any more."""
        self._stopping.set()

    def watch(self) -> None:
        """Look a few times in every patience, until `rest`; end the process when it is stuck."""
        while not self._stopping.wait(self._patience.total_seconds() / 4):
            if self.stuck():
                log.error("worker found stuck", extra={"queues": ",".join(sorted(self._queues))})
                os._exit(STUCK)  # a stuck process cannot be asked to shut down; leases cover what it held

    def stuck(self) -> bool:
        """Whether work has been due for the whole patience while nothing was consumed here."""
        patience_s, looked_before, now_s = self._patience.total_seconds(), self._looked_at, self._now_s()
        self._looked_at = now_s
        if now_s - looked_before > patience_s / 2:
            self.feed()  # nobody ran here meanwhile, not even the thread that looks
        if now_s - self._fed_at < patience_s:
            return False
        before = self._house.now() - self._patience
        try:
            return self._house.database(due.neglected, self._queues, before=before)
        except SQLAlchemyError:
            return False  # without the database there is no progress to expect


_watchdogs: list[Watchdog] = []


@worker_ready.connect(weak=False)
def _begin(sender: Any = None, **_: Any) -> None:
    queues = set(sender.app.amqp.queues.consume_from)
    watchdog = Watchdog(wiring.house(), queues, wiring.settings().stuck_after)
    _watchdogs.append(watchdog)
    threading.Thread(target=watchdog.watch, name="watchdog", daemon=True).start()


@task_prerun.connect(weak=False)
def _feed(**_: Any) -> None:
    for watchdog in _watchdogs:
        watchdog.feed()


@worker_shutting_down.connect(weak=False)
def _rest(**_: Any) -> None:
    for watchdog in _watchdogs:
        watchdog.rest()
