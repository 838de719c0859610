"""Beat's scheduler: it counts seconds on the steady clock, and publishes nothing into a queue that is full already.

Celery's own goes by the host's wall clock: set back by an hour, it publishes nothing for an hour. And while workers are
away it fills the broker, which an `expires` on its messages would not prevent: the broker keeps what has expired until
a worker takes it out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from celery.beat import PersistentScheduler, ScheduleEntry
from redis.exceptions import RedisError

from campaigns.clock import steady
from worker import queues, wiring

log = logging.getLogger(__name__)

SHORTEST_S: Final = 0.01
"""Between two looks at the schedule."""


class Scheduler(PersistentScheduler):  # type: ignore[misc]  # celery ships no types
    """Publishes each entry of the schedule at its interval; an interval that went by in between is left out."""

    now_s: Callable[[], float] = staticmethod(steady)

    def setup_schedule(self) -> None:
        """As Celery does it. What the file says of the last run does not count: it was on a wall clock."""
        self._due_s: dict[str, float] = {}
        super().setup_schedule()

    def install_default_entries(self, data: Any) -> None:
        """None: Celery would add a nightly removal of results, which we do not have."""

    def tick(self, *_: Any, **__: Any) -> float:
        """Publish what is due; the seconds until something is due again."""
        for entry in list(self.schedule.values()):
            if self._is_time_for(entry):
                self._publish(entry)
        return max(SHORTEST_S, min(self._due_s.values()) - self.now_s())

    def _is_time_for(self, entry: ScheduleEntry) -> bool:
        """Whether an entry is due now; it is due again an interval later, or an interval from now if that is past."""
        now, every_s = self.now_s(), entry.schedule.run_every.total_seconds()
        due = self._due_s.get(entry.name, now)
        if due > now:
            return False
        self._due_s[entry.name] = due + every_s if due + every_s > now else now + every_s
        return True

    def _publish(self, entry: ScheduleEntry) -> None:
        queue = queues.of_task(entry.task)
        try:
            waiting = queues.sign_of_beat(wiring.broker(), queue)
        except RedisError as why:
            log.warning("broker not reached", extra={"entry": entry.name, "error": type(why).__name__})
            return
        if waiting < queues.FULL[queue]:
            self.apply_entry(self.reserve(entry), producer=self.producer)
