"""How many callbacks a second are taken: the gateway makes the other calls again two minutes later."""

from __future__ import annotations

import threading
from typing import Final

from campaigns.clock import steady

BURST_S: Final = 2.0
"""As many callbacks as two seconds allow may come at once."""


class Allowance:
    """A bucket of callbacks that fills at a steady rate; safe for many threads."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._most = max(1.0, rate * BURST_S)
        self._left = self._most
        self._filled_at = steady()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Whether one more call may be taken now."""
        with self._lock:
            now = steady()
            self._left = min(self._most, self._left + (now - self._filled_at) * self._rate)
            self._filled_at = now
            if self._left < 1:
                return False
            self._left -= 1
            return True

    def charge(self, more: int) -> None:
        """Count `more` callbacks of a call that was taken: no call is, until the bucket has made up for them."""
        with self._lock:
            self._left -= more
