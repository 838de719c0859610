"""The record of a simulation, and the figures taken from it. All times are in seconds since it began."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from kavenegar_campaigns.rules.pace import Lane


@dataclass(frozen=True, slots=True)
class Call:
    """One call, from the decision to make it to what the gateway said.

    A `probe` finds out whether a block is over. `answered_s` is infinite where the answer never came.
    """

    lane: Lane
    asked_s: float
    left_s: float
    arrived_s: float
    answered_s: float
    admitted: bool
    probe: bool

    @property
    def wait_s(self) -> float:
        """The seconds that the pace held the call, tries without a slot and refused tries included."""
        return self.left_s - self.asked_s


@dataclass(slots=True)
class Record:
    """Calls in the order they came to the gateway, the rate second by second, and the pauses as (begun, until)."""

    calls: list[Call] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    pauses: list[tuple[float, float]] = field(default_factory=list)

    def between(self, begin_s: float, end_s: float) -> list[Call]:
        return [call for call in self.calls if begin_s <= call.arrived_s < end_s]

    def admitted(self, begin_s: float, end_s: float) -> int:
        return sum(call.admitted for call in self.between(begin_s, end_s))

    def refused(self, begin_s: float, end_s: float) -> int:
        return sum(not call.admitted for call in self.between(begin_s, end_s))

    def share_refused(self, begin_s: float, end_s: float) -> float:
        """Return the share of refused calls in a span; 0 if there were none."""
        calls = self.between(begin_s, end_s)
        return sum(not call.admitted for call in calls) / len(calls) if calls else 0.0

    def use(self, limit: float, begin_s: float, end_s: float) -> float:
        """The part of a limit (calls a second) that was used."""
        return self.admitted(begin_s, end_s) / (limit * (end_s - begin_s))

    def by_lane(self, begin_s: float, end_s: float) -> Counter[Lane]:
        return Counter(call.lane for call in self.between(begin_s, end_s))

    def waits(self, lane: Lane, begin_s: float, end_s: float) -> list[float]:
        """Return the waits of a lane's calls that were made in a span and passed, the shortest first."""
        passed = (call for call in self.calls if call.lane is lane and call.admitted)
        return sorted(call.wait_s for call in passed if begin_s <= call.asked_s < end_s)

    def most_in(self, window_s: float) -> int:
        """The most calls that left within any stretch of time."""
        left = sorted(call.left_s for call in self.calls)
        most, first = 0, 0
        for place, moment in enumerate(left):
            while moment - left[first] >= window_s:
                first += 1
            most = max(most, place - first + 1)
        return most

    def longest_silence_s(self, begin_s: float, end_s: float) -> float:
        """The longest time in which nothing was admitted."""
        passed = [call.arrived_s for call in self.between(begin_s, end_s) if call.admitted]
        return max(later - earlier for earlier, later in pairwise([begin_s, *passed, end_s]))


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of them do not exceed; 0 where there are none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
