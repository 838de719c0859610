"""Too many calls in the interval: the address is restricted for a while (451).

The service publishes neither its limit, nor how it counts, nor what it does to those who go on calling. This needs no
gateway: a simulation asks `limiter(knobs).admits(now)` on a clock of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import floor, inf

from kavenegar_sandbox.allowance import ALLOWANCES
from kavenegar_sandbox.knobs import Knobs

MOST_CAUGHT_UP = 100_000  # calls of others gone through at once, about 50 ms; a longer silence has long been forgotten


class Others:
    """Other software behind the same address: its calls, evenly spaced, all the time since our first."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._made: int | None = None
        self.admitted = self.refused = 0

    def calls(self, now: float) -> Iterator[float]:
        """The moments of those it has made up to now and since we asked last."""
        due = floor(now * self._rate)
        made = due if self._made is None else max(self._made, due - MOST_CAUGHT_UP)
        self._made = max(made, due)
        return (min(number / self._rate, now) for number in range(made + 1, due + 1))

    def answered(self, *, admitted: bool) -> None:
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
        self._allowance = ALLOWANCES[knobs.limiter](knobs)
        self._blocked_until = -inf
        self.others = Others(knobs.limiter_others_rate)

    def admits(self, now: float) -> bool:
        """Whether a call of ours passes. `now` is in seconds, of any epoch."""
        self.catch_up(now)
        if now < self._blocked_until:
            self._lengthen(now)
            return False
        return self._take(now)

    def turn(self, knobs: Knobs, now: float) -> None:
        """Other knobs from now on: what is used up and a penalty that runs stay, unless it is another kind of limit."""
        self.catch_up(now)
        if knobs.limiter == self._knobs.limiter:
            self._allowance.turn(knobs, now)
        else:
            self._allowance, self._blocked_until = ALLOWANCES[knobs.limiter](knobs), -inf
        self.others.turn(knobs.limiter_others_rate, now)
        self._knobs = knobs

    def catch_up(self, now: float) -> None:
        """Let the others make the calls they owe; `others` has counted them when this returns."""
        for moment in self.others.calls(now):
            self.others.answered(admitted=moment >= self._blocked_until and self._take(moment))

    def _take(self, now: float) -> bool:
        """Whether a call fits; one that does not starts the penalty."""
        if self._allowance.take(now):
            return True
        self._blocked_until = now + self._knobs.limiter_penalty_s
        return False

    def _lengthen(self, now: float) -> None:
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
