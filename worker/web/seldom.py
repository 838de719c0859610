"""A line in the log, at most once a minute: a storm of calls must not become a storm of lines."""

from __future__ import annotations

import logging
import threading
from typing import Final

from campaigns.clock import steady

EVERY_S: Final = 60.0


class Seldom:
    """Logs an event, and how often it happened since it was last logged; safe for many threads."""

    def __init__(self, log: logging.Logger, event: str) -> None:
        self._log = log
        self._event = event
        self._times = 0
        self._quiet_until = 0.0
        self._lock = threading.Lock()

    def __call__(self, why: str) -> None:
        """It happened, for this reason: constant words."""
        with self._lock:
            self._times += 1
            if steady() < self._quiet_until:
                return
            times, self._times = self._times, 0
            self._quiet_until = steady() + EVERY_S
        self._log.warning(self._event, extra={"why": why, "times": times})
