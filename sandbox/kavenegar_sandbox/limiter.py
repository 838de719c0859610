"""How many calls an address may make: the common kinds of counting, of which the service does not say which is its own.

Each reads a clock of any epoch, in seconds; a clock that is set back gives nobody more. Two moments less than a
microsecond apart are one: Unix time in a float is no finer, and a call made exactly on time is not one too early.

Too many calls in the interval: the address is restricted for a while (451).

The service publishes neither its limit, nor how it counts, nor what it does to those who go on calling. This needs no
gateway: a simulation asks `limiter(knobs).admits(now)` on a clock of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from math import floor, inf
from typing import Protocol

from kavenegar_sandbox.knobs import WINDOW_CALLS_MAX, Knobs

ROUNDING_S = 1e-6


class RateLimit(Protocol):
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
        self._counted: deque[float] = deque(maxlen=WINDOW_CALLS_MAX)
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


RATE_LIMITS: dict[str, Callable[[Knobs], RateLimit]] = {
    "none": Unlimited,
    "token_bucket": TokenBucket,
    "fixed_window": FixedWindow,
    "sliding_window": SlidingWindow,
}


CATCH_UP_MAX = 100_000  # calls of others gone through at once, about 50 ms; a longer silence has long been forgotten


class OtherTraffic:
    """Other software behind the same address: its calls, evenly spaced, all the time since our first."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._made: int | None = None
        self.admitted = self.refused = 0

    def calls(self, now: float) -> Iterator[float]:
        """The moments of those it has made up to now and since we asked last."""
        due = floor(now * self._rate)
        made = due if self._made is None else max(self._made, due - CATCH_UP_MAX)
        self._made = max(made, due)
        return (min(number / self._rate, now) for number in range(made + 1, due + 1))

    def count(self, *, admitted: bool) -> None:
        self.admitted += admitted
        self.refused += not admitted

    def turn(self, rate: float, now: float) -> None:
        """Another rate from now on."""
        if rate != self._rate:
            self._rate, self._made = rate, floor(now * rate)


class Limiter:
    """One address at the door: its allowance, the penalty it stands under, and who else is behind it.

    The penalty is the address's, whoever's call was one too many. Calls made while blocked are refused uncounted; ours,
    not the others', may make it longer, as the knobs say.
    """

    def __init__(self, knobs: Knobs) -> None:
        self._knobs = knobs
        self._rate_limit = RATE_LIMITS[knobs.limiter](knobs)
        self._blocked_until = -inf
        self.others = OtherTraffic(knobs.limiter_others_rate)

    def admits(self, now: float) -> bool:
        """Whether a call of ours passes. `now` is in seconds, of any epoch."""
        self.catch_up(now)
        if now < self._blocked_until:
            self._extend_penalty(now)
            return False
        return self._take(now)

    def turn(self, knobs: Knobs, now: float) -> None:
        """Other knobs from now on: what is used up and a penalty that runs stay, unless it is another kind of limit."""
        self.catch_up(now)
        if knobs.limiter == self._knobs.limiter:
            self._rate_limit.turn(knobs, now)
        else:
            self._rate_limit, self._blocked_until = RATE_LIMITS[knobs.limiter](knobs), -inf
        self.others.turn(knobs.limiter_others_rate, now)
        self._knobs = knobs

    def catch_up(self, now: float) -> None:
        """Let the others make the calls they owe; `others` has counted them when this returns."""
        for moment in self.others.calls(now):
            self.others.count(admitted=moment >= self._blocked_until and self._take(moment))

    def _take(self, now: float) -> bool:
        """Whether a call fits; one that does not starts the penalty."""
        if self._rate_limit.take(now):
            return True
        self._blocked_until = now + self._knobs.limiter_penalty_s
        return False

    def _extend_penalty(self, now: float) -> None:
        """A call of ours while blocked: the penalty starts anew, or what is left of it grows, or neither."""
        knobs, left_s = self._knobs, self._blocked_until - now
        if knobs.limiter_extends:
            left_s = knobs.limiter_penalty_s
        elif knobs.limiter_penalty_growth_s:
            left_s = min(left_s + knobs.limiter_penalty_growth_s, knobs.limiter_penalty_most_s)
        self._blocked_until = max(self._blocked_until, now + left_s)


def limiter(knobs: Knobs) -> Limiter:
    """A fresh limiter, as the knobs `limiter` and `limiter_*` describe it."""
    return Limiter(knobs)
