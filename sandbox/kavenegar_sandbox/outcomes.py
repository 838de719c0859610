"""The life of an accepted message: its outcome is drawn once, and its status is computed from its age.

    2 --start--> 1 --handover--> 4 --delay--> 10 | 11 | 6 | 14 (refund) | 13 (refund)

No task runs for a message. Its outcome (one byte) and its delay (four bytes) are stored with it; its status follows
from them and from the clock.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from kavenegar_sandbox.protocol import AT_TELECOM, BLOCKED, CANCELLED, DELIVERED, FAILED, SCHEDULED, UNDELIVERED
from kavenegar_sandbox.rng import uniform


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a message ends. `steps` are pairs: after how many delays from its start, and the status from then on."""

    name: str
    steps: tuple[tuple[float, int], ...]
    refunds: bool = False


OUTCOMES: tuple[Outcome, ...] = (  # stored as an index: append new ones at the end
    Outcome("delivered", ((1, DELIVERED),)),
    Outcome("undelivered", ((1, UNDELIVERED),)),
    Outcome("failed", ((1, FAILED),)),
    Outcome("blocked", ((1, BLOCKED),), refunds=True),
    Outcome("returned", ((1, CANCELLED),), refunds=True),  # 13 for a problem in sending, not a cancel by the user
    Outcome("stuck", ()),  # stays at status 4
    Outcome("resent", ((1, UNDELIVERED), (2, AT_TELECOM), (3, DELIVERED))),  # the account's `resendfailed`
    Outcome("withdrawn", ()),  # 13 at once, refunded: cancelled before its start, or debug mode
)
WITHDRAWN = len(OUTCOMES) - 1
DRAWN_OUTCOMES: dict[str, int] = {outcome.name: place for place, outcome in enumerate(OUTCOMES) if place != WITHDRAWN}
_STEPS = tuple(outcome.steps for outcome in OUTCOMES)


class OutcomeModel:
    """The random distribution of outcomes and delays. The same message always gets the same outcome.

    `weights` need not add up to one. Delays are spread evenly over `delay_s`, in seconds.
    """

    def __init__(self, seed: int, weights: Mapping[str, float], delay_s: tuple[float, float]) -> None:
        self._seed = seed
        self._outcomes = [DRAWN_OUTCOMES[name] for name, weight in weights.items() if weight > 0]
        self._bounds = list(accumulate(weight for weight in weights.values() if weight > 0))
        self._shortest, self._longest = delay_s

    def draw(self, *identity: int) -> tuple[int, float]:
        """Returns (index in OUTCOMES, delay in seconds) for the numbers that identify a message."""
        fraction = uniform(self._seed, *identity)
        outcome = self._outcomes[bisect_right(self._bounds, fraction * self._bounds[-1])]
        spread = fraction * (1 << 20) % 1  # lower digits, independent of the outcome
        return outcome, self._shortest + spread * (self._longest - self._shortest)


def status_at(outcome: int, delay_s: float, age_s: float, *, handover_s: float, initial: int) -> int:
    """Return the status of a message `age_s` seconds after its start. A negative age means that it has not started."""
    if outcome == WITHDRAWN:
        return CANCELLED
    if age_s < 0:
        return SCHEDULED
    status = initial if age_s < handover_s else AT_TELECOM
    for delays, reached in _STEPS[outcome]:
        if age_s < delays * delay_s:
            break
        status = reached
    return status
