"""The rate limit of an address (451): the common algorithms, penalties, and other software behind the same address.

The service publishes neither its limit, nor its algorithm, nor the penalty for an address that goes on calling. The
file needs no gateway: a simulation calls `limiter(knobs).admits(now)` with its own clock.

Times are seconds of any epoch; a clock that is set back admits no more calls. Two moments less than a microsecond apart
count as one, because Unix time in a float is no finer: a call exactly on time must not count as too early.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from math import floor, inf
from typing import Protocol

from kavenegar_sandbox.knobs import WINDOW_CALLS_MAX, Knobs

ROUNDING_S = 1e-6
CATCH_UP_MAX = 100_000  # calls made up for at once (about 50 ms of work); older ones no longer matter


class RateLimit(Protocol):
    """An algorithm that decides which calls fit."""

    def take(self, now: float) -> bool:
        """Return whether one more call fits. A call that fits is counted."""

    def turn(self, knobs: Knobs, now: float) -> None:
        """Use new knobs from now on. Calls already counted stay counted."""


class Unlimited:
    """Every call fits."""

    def __init__(self, knobs: Knobs) -> None:
        """There is nothing to measure by."""

    def take(self, now: float) -> bool:  # noqa: ARG002 - no algorithm
        return True

    def turn(self, knobs: Knobs, now: float) -> None:
        """There is nothing to change."""


class TokenBucket:
    """`limiter_rate` calls a second, and up to `limiter_burst` at once after a pause. The bucket starts full."""

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
    """`limiter_rate` × `limiter_window_s` calls in each window. Windows start at the multiples of their length."""

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

    With `limiter_counts_refused`, a call that does not fit is counted too: an address that keeps calling stays refused.
    """

    def __init__(self, knobs: Knobs) -> None:
        self._counted: deque[float] = deque(maxlen=WINDOW_CALLS_MAX)
        self._set(knobs)

    def take(self, now: float) -> bool:
        while self._counted and self._counted[0] <= now - self._window_s + ROUNDING_S:
            self._counted.popleft()
        fits = len(self._counted) < self._allowed
        if fits or self._counts_refused:
            self._counted.append(now)
        return fits

    def turn(self, knobs: Knobs, now: float) -> None:  # noqa: ARG002 - counted calls have their own times
        self._set(knobs)

    def _set(self, knobs: Knobs) -> None:
        self._window_s, self._allowed = knobs.limiter_window_s, _in_a_window(knobs)
        self._counts_refused = knobs.limiter_counts_refused


def _in_a_window(knobs: Knobs) -> int:
    """Return how many whole calls a window admits (0.29 × 100 is 28.999… in floats, and means 29). Below one: none."""
    return floor(knobs.limiter_rate * knobs.limiter_window_s + ROUNDING_S)


RATE_LIMITS: dict[str, Callable[[Knobs], RateLimit]] = {
    "none": Unlimited,
    "token_bucket": TokenBucket,
    "fixed_window": FixedWindow,
    "sliding_window": SlidingWindow,
}


class OtherTraffic:
    """Calls of other software behind the same address: evenly spaced, from the first call of ours on."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._made: int | None = None
        self.admitted = self.refused = 0

    def calls(self, now: float) -> Iterator[float]:
        """Return the moments of the calls made since the previous question, up to `now`."""
        due = floor(now * self._rate)
        made = due if self._made is None else max(self._made, due - CATCH_UP_MAX)
        self._made = max(made, due)
        return (min(number / self._rate, now) for number in range(made + 1, due + 1))

    def count(self, *, admitted: bool) -> None:
        """Count one call as admitted or refused."""
        self.admitted += admitted
        self.refused += not admitted

    def turn(self, rate: float, now: float) -> None:
        """Use another rate (calls a second) from now on."""
        if rate != self._rate:
            self._rate, self._made = rate, floor(now * rate)


class Limiter:
    """One calling address: its rate limit, its penalty, and other software behind it.

    The penalty belongs to the address, whoever made the call that did not fit. Calls during a penalty are refused and
    not counted; calls of ours, not those of others, may extend it, as the knobs say.
    """

    def __init__(self, knobs: Knobs) -> None:
        self._knobs = knobs
        self._rate_limit = RATE_LIMITS[knobs.limiter](knobs)
        self._blocked_until = -inf
        self.others = OtherTraffic(knobs.limiter_others_rate)

    def admits(self, now: float) -> bool:
        """Return whether a call of ours passes. `now` is in seconds, of any epoch."""
        self.catch_up(now)
        if now < self._blocked_until:
            self._extend_penalty(now)
            return False
        return self._take(now)

    def turn(self, knobs: Knobs, now: float) -> None:
        """Use new knobs from now on. Counts and a running penalty stay, unless `limiter` names another algorithm."""
        self.catch_up(now)
        if knobs.limiter == self._knobs.limiter:
            self._rate_limit.turn(knobs, now)
        else:
            self._rate_limit, self._blocked_until = RATE_LIMITS[knobs.limiter](knobs), -inf
        self.others.turn(knobs.limiter_others_rate, now)
        self._knobs = knobs

    def catch_up(self, now: float) -> None:
        """Make the calls of the other software that are due. `others` has counted them when this returns."""
        for moment in self.others.calls(now):
            self.others.count(admitted=moment >= self._blocked_until and self._take(moment))

    def _take(self, now: float) -> bool:
        """Return whether a call fits. One that does not starts the penalty."""
        if self._rate_limit.take(now):
            return True
        self._blocked_until = now + self._knobs.limiter_penalty_s
        return False

    def _extend_penalty(self, now: float) -> None:
        """Restart the penalty, extend it, or leave it, for a call of ours during a penalty."""
        knobs, left_s = self._knobs, self._blocked_until - now
        if knobs.limiter_extends:
            left_s = knobs.limiter_penalty_s
        elif knobs.limiter_penalty_growth_s:
            left_s = min(left_s + knobs.limiter_penalty_growth_s, knobs.limiter_penalty_most_s)
        self._blocked_until = max(self._blocked_until, now + left_s)


def limiter(knobs: Knobs) -> Limiter:
    """Return a new limiter, as the knobs `limiter` and `limiter_*` describe it."""
    return Limiter(knobs)
