"""What becomes of a message after it was accepted: its fate is drawn once, its status is read off the clock.

    2 --due--> 1 --handover--> 4 --delay--> 10 | 11 | 6 | 14 (refund) | 13 (refund)

Nothing runs for a message: a fate (one byte) and a delay (four bytes) are stored with it, and whoever asks gets
the status that follows from them and from its age.
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
    """Where a message ends: `steps` are (how many delays after its start, status from then on)."""

    name: str
    steps: tuple[tuple[float, int], ...]
    refunds: bool = False


OUTCOMES: tuple[Outcome, ...] = (  # a fate is stored as its place in this table: new rows go to the end
    Outcome("delivered", ((1, DELIVERED),)),
    Outcome("undelivered", ((1, UNDELIVERED),)),
    Outcome("failed", ((1, FAILED),)),
    Outcome("blocked", ((1, BLOCKED),), refunds=True),
    Outcome("returned", ((1, CANCELLED),), refunds=True),  # a problem in sending, not a cancel by the user
    Outcome("stuck", ()),  # stays with the telecom for ever
    Outcome("resent", ((1, UNDELIVERED), (2, AT_TELECOM), (3, DELIVERED))),  # the account's `resendfailed`
    Outcome("withdrawn", ()),  # 13 from now on: cancelled before it was due, or debug mode; refunded at once
)
WITHDRAWN = len(OUTCOMES) - 1
DRAWN_OUTCOMES: dict[str, int] = {outcome.name: place for place, outcome in enumerate(OUTCOMES) if place != WITHDRAWN}
_STEPS = tuple(outcome.steps for outcome in OUTCOMES)


class OutcomeModel:
    """The seeded distribution of fates and delays: the same message gets the same fate whenever it comes.

    `weights` need not add up to one; `delay_s` is the span delays are spread over evenly.
    """

    def __init__(self, seed: int, weights: Mapping[str, float], delay_s: tuple[float, float]) -> None:
        self._seed = seed
        self._outcomes = [DRAWN_OUTCOMES[name] for name, weight in weights.items() if weight > 0]
        self._bounds = list(accumulate(weight for weight in weights.values() if weight > 0))
        self._shortest, self._longest = delay_s

    def draw(self, *identity: int) -> tuple[int, float]:
        """(fate, seconds from the start of the message until it is met)."""
        fraction = uniform(self._seed, *identity)
        outcome = self._outcomes[bisect_right(self._bounds, fraction * self._bounds[-1])]
        spread = fraction * (1 << 20) % 1  # the digits further down, which say nothing about the fate
        return outcome, self._shortest + spread * (self._longest - self._shortest)


def status_at(outcome: int, delay_s: float, age_s: float, *, handover_s: float, initial: int) -> int:
    """The status of a message `age_s` seconds after its start; a negative age is a start still to come."""
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
