"""Too many calls in the interval: the address is restricted for a while (451).

The service publishes neither its rate nor its kind of counting; both common kinds are here.
"""

from __future__ import annotations

from typing import Protocol

from worker.sandbox.knobs import Knobs


class Allowance(Protocol):
    def take(self, now: float) -> bool:
        """Whether one more call fits; a call that fits is counted."""


class Unlimited:
    def take(self, now: float) -> bool:  # noqa: ARG002 - the clock does not matter here
        return True


class TokenBucket:
    """`rate` calls a second, and up to `burst` at once after a pause."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._tokens = burst
        self._seen = 0.0

    def take(self, now: float) -> bool:
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._seen) * self._rate)
        self._seen = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class FixedWindow:
    """`rate * window_s` calls in each window of `window_s` seconds, counted from zero at each boundary."""

    def __init__(self, rate: float, window_s: float) -> None:
        self._window_s, self._allowed = window_s, rate * window_s
        self._window, self._count = -1, 0

    def take(self, now: float) -> bool:
        window = int(now // self._window_s)
        if window != self._window:
            self._window, self._count = window, 0
        self._count += 1
        return self._count <= self._allowed


class Limiter:
    """One address at the door: its allowance, and the penalty it stands under.

    Calls made while blocked are refused uncounted; with `extends` each one starts the penalty anew.
    """

    def __init__(self, allowance: Allowance, penalty_s: float, *, extends: bool) -> None:
        self._allowance, self._penalty_s, self._extends = allowance, penalty_s, extends
        self._blocked_until = 0.0

    def admits(self, now: float) -> bool:
        if now < self._blocked_until:
            if self._extends:
                self._blocked_until = now + self._penalty_s
            return False
        if self._allowance.take(now):
            return True
        self._blocked_until = now + self._penalty_s
        return False


def limiter(knobs: Knobs) -> Limiter:
    """A fresh limiter, as the knobs `limiter_*` describe it."""
    allowance: Allowance = Unlimited()
    if knobs.limiter == "token_bucket":
        allowance = TokenBucket(knobs.limiter_rate, knobs.limiter_burst)
    elif knobs.limiter == "fixed_window":
        allowance = FixedWindow(knobs.limiter_rate, knobs.limiter_window_s)
    return Limiter(allowance, knobs.limiter_penalty_s, extends=knobs.limiter_extends)
