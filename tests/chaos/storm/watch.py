"""Check the invariants of every instant, every few seconds during a storm."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import redis
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from kavenegar_campaigns.errors import DatabaseFailed
from tests.chaos import instants, leaks
from tests.chaos.checker import SHOWN, Broken
from tests.chaos.storm.crowd import Crowd
from tests.chaos.storm.stage import Stage
from tests.chaos.storm.timeline import Timeline

EVERY_S: Final = 3.0


@dataclass(slots=True)
class Watch:
    """A thread that takes samples. `broken` has the violations, `samples` the number of samples."""

    stage: Stage
    crowd: Crowd
    timeline: Timeline
    broken: list[Broken] = field(default_factory=list)
    samples: int = 0
    missed: int = 0
    _era: int | None = None
    _overdue: frozenset[tuple[int, int]] = frozenset()
    _hold: instants.Hold = instants.FIRST_LOOK
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._go, name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join(timeout=30)

    def _go(self) -> None:
        while not self._over.wait(EVERY_S):
            try:
                with self.stage.engine.connect() as connection:
                    self._look(connection)
            except (DatabaseFailed, SQLAlchemyError):
                self.missed += 1
            try:
                self._look_into_the_broker()
            except redis.RedisError:
                self.missed += 1

    def _look(self, connection: Connection) -> None:
        """Take one sample. It is compared with an earlier one only in the same era of the database."""
        era = self.stage.past.era
        uneven, overdue, hold = instants.uneven(connection), instants.overdue(connection), instants.hold(connection)
        if era is None or era != self.stage.past.era:
            self.missed += 1
            return
        self.samples += 1
        self.timeline.keep("progress", **self.crowd.progress())
        self._found("I6", "a campaign's counters add up to its recipients at every instant", uneven)
        if era == self._era:
            twice = sorted(batch for batch, _ in overdue & self._overdue)
            self._found("I7", "no batch is claimed past its lease and two sweeps", twice)
            claims = [hold.last_claim or 0] * self._hold.broken_by(hold)
            self._found("I11", "nobody claims while the account is on hold", claims)
        self._era, self._overdue, self._hold = era, overdue, hold

    def _look_into_the_broker(self) -> None:
        with self.stage.broker() as broker:
            leaked = [word for body in _bodies(broker) for word in leaks.found(body)]
        self._found("I10", f"no number, text or key is in the broker ({len(leaked)} are)", [0] * bool(leaked))

    def _found(self, number: str, claim: str, ids: list[int]) -> None:
        if ids:
            self.broken.append(Broken(number, claim, len(ids), ids[:SHOWN]))
            self.timeline.note(f"{number} broken", ids=ids[:SHOWN])


def _bodies(broker: redis.Redis) -> Iterator[str]:
    """Yield everything in the broker, with the bodies of tasks decoded."""
    for key in broker.scan_iter(count=500):
        for value in _values(broker, key):
            raw = value.decode("utf-8", "replace")
            yield raw
            for body in re.findall(r'"body": "([A-Za-z0-9+/=]+)"', raw):
                yield base64.b64decode(body).decode("utf-8", "replace")


def _values(broker: Any, key: bytes) -> list[bytes]:
    """Return the values under a key of any type."""
    readers: dict[bytes, Callable[[], Any]] = {
        b"list": lambda: broker.lrange(key, 0, -1),
        b"hash": lambda: broker.hvals(key),
        b"string": lambda: [broker.get(key) or b""],
    }
    return list(readers.get(broker.type(key), list)())
