"""A worker that is alive but consumes nothing ends itself, so that its supervisor starts it anew.

A process that is up, even one that answers pings, may have stopped consuming: brokers and their clients do that. What
counts is that a message waits in one of its queues at every look, and that no task begins or ends here meanwhile.

Nothing speaks against a worker while its queues are empty (beat is away, the account is on hold, all calls pause),
while the broker or the database does not answer, while the whole machine sleeps, and while the whole process stands
still. Once that is over it has its whole patience anew.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any

from celery.signals import task_postrun, task_prerun, worker_ready, worker_shutting_down
from redis import Redis
from redis.exceptions import RedisError

from campaigns.clock import steady
from campaigns.store.database import Database
from worker import queues, wiring

log = logging.getLogger(__name__)

STUCK = 75
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
        """A task began or ended here: the worker consumes."""
        self._fed_at = self._now_s()

    def rest(self) -> None:
        """The worker shuts down: no progress is expected any more."""
        self._stopping.set()

    def watch(self) -> None:
        """Look a few times in every patience, until `rest`; end the process when it is stuck."""
        while not self._stopping.wait(self._patience.total_seconds() / 4):
            if self.stuck():
                facts = {"queues": ",".join(sorted(self._queues)), "exit_code": STUCK}
                log.error("worker found stuck", extra=facts)
                os._exit(STUCK)  # a stuck process cannot be asked to shut down; leases cover what it held

    def stuck(self) -> bool:
        """Whether a message has waited for this worker at every look of a whole patience, and nothing happened here."""
        patience_s, looked_before, now_s = self._patience.total_seconds(), self._looked_at, self._now_s()
        self._looked_at = now_s
        slept = now_s - looked_before > patience_s / 2  # nobody ran here meanwhile, not even the thread that looks
        if slept or not self._could_work():
            self.feed()
        return now_s - self._fed_at >= patience_s

    def _could_work(self) -> bool:
        """Whether a message waits in a queue that is consumed here, and the database that its task needs answers."""
        try:
            waiting = queues.lengths(self._broker)
        except RedisError:
            return False
        return any(waiting.get(name) for name in self._queues) and self._database.answers()


_watchdogs: list[Watchdog] = []


@worker_ready.connect(weak=False)
def _begin(sender: Any = None, **_: Any) -> None:
    consumed = set(sender.app.amqp.queues.consume_from)
    watchdog = Watchdog(wiring.database(), wiring.broker(), consumed, wiring.settings().stuck_after)
    _watchdogs.append(watchdog)
    threading.Thread(target=watchdog.watch, name="watchdog", daemon=True).start()


@task_prerun.connect(weak=False)
@task_postrun.connect(weak=False)
def _feed(**_: Any) -> None:
    for watchdog in _watchdogs:
        watchdog.feed()


@worker_shutting_down.connect(weak=False)
def _rest(**_: Any) -> None:
    for watchdog in _watchdogs:
        watchdog.rest()
