"""The gateway's own time: the wall clock, and what somebody has put it forward."""

from __future__ import annotations

import time


class Clock:
    """Unix seconds. It can be put forward, never back, so that 5 minutes or 48 hours pass in a test at once."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now(self) -> float:
        return time.time() + self.ahead_s

    def advance(self, seconds: float) -> None:
        self.ahead_s += seconds
