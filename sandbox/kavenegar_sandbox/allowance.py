"""How many calls an address may make: the common kinds of counting, of which the service does not say which is its own.

Each reads a clock of any epoch, in seconds; a clock that is set back gives nobody more. Two moments less than a
microsecond apart are one: Unix time in a float is no finer, and a call made exactly on time is not one too early.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import floor, inf
from typing import Protocol

from kavenegar_sandbox.knobs import MOST_IN_A_WINDOW, Knobs

ROUNDING_S = 1e-6


class Allowance(Protocol):
    def take(self, now: float) -> bool:
        """Whether one more call fits; a call that fits is counted."""

    def turn(self, knobs: Knobs, now: float) -> None:
        """Another measure from now on; what is used up stays used up."""


class Unlimited:
    """Every call fits."""

    def __init__(self, knobs: Knobs) -> None:
        """There is nothing to measure by."""

    def take(self, now: float) -> bool:  # noqa: ARG002 - the clock does not matter here
        return True

    def turn(self, knobs: Knobs, now: float) -> None:
        """There is nothing to change."""


class TokenBucket:
    """`limiter_rate` calls a second, and up to `limiter_burst` at once after a pause. It begins full."""

    def __init__(self, knobs: Knobs) -> None:
        self._rate, self._burst = knobs.limiter_rate, knobs.limiter_burst
        self._tokens, self._seen = self._burst, -inf

    def take(self, now: float) -> bool:
        self._fill(now)
        if self._tokens < 1 - self._rate * ROUNDING_S:
            return False
        self._tokens -= 1
        return True

    def turn(self, knobs: Knobs, now: float) -> None:
        self._fill(now)
        self._rate, self._burst = knobs.limiter_rate, knobs.limiter_burst

    def _fill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + (now - self._seen) * self._rate)
        self._seen = now


class FixedWindow:
    """`limiter_rate` × `limiter_window_s` calls in each window, counted from zero at every multiple of its length."""

    def __init__(self, knobs: Knobs) -> None:
        self._window_s, self._allowed = knobs.limiter_window_s, _in_a_window(knobs)
        self._window, self._count = -inf, 0

    def take(self, now: float) -> bool:
        self._enter(now)
        if self._count >= self._allowed:
            return False
        self._count += 1
        return True

    def turn(self, knobs: Knobs, now: float) -> None:
        self._enter(now)
        self._window_s, self._allowed = knobs.limiter_window_s, _in_a_window(knobs)
        self._window = self._window_at(now)

    def _enter(self, now: float) -> None:
        window = self._window_at(now)
        if window > self._window:
            self._window, self._count = window, 0

    def _window_at(self, now: float) -> float:
        return (now + ROUNDING_S) // self._window_s


class SlidingWindow:
    """At most `limiter_rate` × `limiter_window_s` calls in any `limiter_window_s` seconds.

    With `limiter_counts_refused` a call that did not fit takes up room too: who keeps calling stays out.
    """

    def __init__(self, knobs: Knobs) -> None:
        self._counted: deque[float] = deque(maxlen=MOST_IN_A_WINDOW)
        self._set(knobs)

    def take(self, now: float) -> bool:
        while self._counted and self._counted[0] <= now - self._window_s + ROUNDING_S:
            self._counted.popleft()
        fits = len(self._counted) < self._allowed
        if fits or self._counts_refused:
            self._counted.append(now)
        return fits

    def turn(self, knobs: Knobs, now: float) -> None:  # noqa: ARG002 - the calls that are counted know their moment
        self._set(knobs)

    def _set(self, knobs: Knobs) -> None:
        self._window_s, self._allowed = knobs.limiter_window_s, _in_a_window(knobs)
        self._counts_refused = knobs.limiter_counts_refused


def _in_a_window(knobs: Knobs) -> int:
    """Whole calls, for 0.29 × 100 is 28.999…; fewer than one lets nobody in."""
    return floor(knobs.limiter_rate * knobs.limiter_window_s + ROUNDING_S)


ALLOWANCES: dict[str, Callable[[Knobs], Allowance]] = {
    "none": Unlimited,
    "token_bucket": TokenBucket,
    "fixed_window": FixedWindow,
    "sliding_window": SlidingWindow,
}
