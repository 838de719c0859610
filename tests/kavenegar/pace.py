"""Time that a test hands to the pace, and callers that want as much of it as they can get.

A caller is a generator that yields for how long it sleeps; `play` wakes each when its time has come, so that minutes
of many callers pass in a moment on a real Valkey.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from kavenegar_campaigns.errors import Throttled
from kavenegar_campaigns.kavenegar.pace import Slot, Throttle
from kavenegar_campaigns.rules.pace import Lane

BEGIN = datetime(2026, 3, 21, tzinfo=UTC)
MINUTE = 60.0
MAX_WAIT_S = 2.0
A_MOMENT_S = 0.01  # to come back after a no
EARLY_S = 0.0011  # what a call may leave too early, and the rounding to µs


@dataclass
class Clock:
    """Seconds since BEGIN, told to the script in µs since 1970. Whoever sleeps on it moves it."""

    s: float = 0.0

    def __call__(self) -> int:
        return round((BEGIN.timestamp() + self.s) * 1_000_000)

    def sleep(self, seconds: float) -> None:
        self.s += seconds


def refused(throttle: Throttle, lane: Lane = Lane.SEND, *, max_wait_s: float = MAX_WAIT_S) -> Throttled:
    """The pace's no to a call that wants a place."""
    with pytest.raises(Throttled) as caught:
        throttle.reserve(lane, max_wait_s=max_wait_s)
    return caught.value


def turned_away(throttle: Throttle, slot: Slot, *, max_wait_s: float = MAX_WAIT_S) -> Throttled:
    """The pace's no to a call that wants to confirm."""
    with pytest.raises(Throttled) as caught:
        throttle.confirm(slot, max_wait_s=max_wait_s)
    return caught.value


def queue(throttle: Throttle, many: int, lane: Lane = Lane.SEND) -> list[Slot]:
    """Slots reserved at one moment, however far ahead the last may lie. The first leaves if the way is free."""
    return [throttle.reserve(lane, max_wait_s=MINUTE) for _ in range(many)]


def probe(throttle: Throttle, clock: Clock) -> Slot:
    """Wait for the end of a pause and leave as its probe."""
    view = throttle.view()
    if view.paused_until is not None:
        clock.s += (view.paused_until - view.at).total_seconds()
    slot = throttle.reserve(Lane.SEND, max_wait_s=0)
    assert (slot.probe, slot.wait_s) == (True, 0)
    return slot


# ── callers ──

Caller = Generator[float, None, None]
Gateway = Callable[[float], int | None]


@dataclass
class Departures:
    """Every call that left: when, of which lane, and how long it had wanted to."""

    calls: list[tuple[float, Lane, float]] = field(default_factory=list)

    def times(self, lane: Lane | None = None) -> list[float]:
        return sorted(at for at, of, _ in self.calls if lane in (None, of))

    def waits(self, lane: Lane) -> list[float]:
        return [waited for _, of, waited in self.calls if of is lane]

    def part(self, lane: Lane) -> float:
        return len(self.times(lane)) / len(self.calls)

    def shortest_gap_s(self) -> float:
        return min(later - earlier for earlier, later in pairwise(self.times()))

    def burst(self, rate: float) -> float:
        """The most calls that a bucket had held which leaks so many a second: 1 where all were a step apart."""
        held = most = 1.0
        for earlier, later in pairwise(self.times()):
            held = 1 + max(0.0, held - rate * (later - earlier))
            most = max(most, held)
        return most


def content(_: float) -> int | None:
    """A gateway that refuses nothing."""
    return None


@dataclass
class Crowd:
    """Callers of one pace. `gateway` says with which code it refuses a call that left at a moment; None: not at all."""

    throttle: Throttle
    clock: Clock
    gateway: Gateway = content
    latency_s: float = 0.05
    max_wait_s: float = MAX_WAIT_S
    departures: Departures = field(default_factory=Departures)

    def caller(self, lane: Lane = Lane.SEND, *, begins_s: float = 0.0, calls: int = 1_000_000) -> Caller:
        """Calls again and again as a worker does: a place, the wait for it, the call, and what is told of it."""
        yield begins_s
        for _ in range(calls):
            began = self.clock.s
            slot = None
            while slot is None:
                slot = yield from self.way_out(lane)
            self.departures.calls.append((self.clock.s, lane, self.clock.s - began))
            code = self.gateway(self.clock.s)
            yield self.latency_s
            if code is not None:
                yield A_MOMENT_S + self.throttle.report_throttled(slot, code, 2.0)
            else:
                self.throttle.report_ok(slot)

    def way_out(self, lane: Lane) -> Generator[float, None, Slot | None]:
        """As `Throttle.take`, with sleeps that others use; None, after the time it was told, for a no."""
        left_s = self.max_wait_s
        try:
            slot = self.throttle.reserve(lane, max_wait_s=left_s)
            while slot.wait_s:
                yield slot.wait_s
                left_s -= slot.wait_s
                slot = self.throttle.confirm(slot, max_wait_s=left_s)
        except Throttled as why:
            yield A_MOMENT_S + why.retry_after_s
            return None
        return replace(slot, wait_s=self.max_wait_s - left_s)

    def one_call(self, lane: Lane = Lane.SEND, *, begins_s: float = 0.0) -> Caller:
        return self.caller(lane, begins_s=begins_s, calls=1)


def frozen(caller: Caller, clock: Clock, begin_s: float, end_s: float) -> Caller:
    """A caller whose process, or whose Redis, stands still for a while: what falls into it happens at its end."""
    for sleep_s in caller:
        wakes_s = clock.s + sleep_s
        yield end_s - clock.s if begin_s <= wakes_s < end_s else sleep_s


def play(clock: Clock, callers: Iterable[Caller], *, for_s: float) -> None:
    """Wake each caller when its sleep is over, in the order of time."""
    over_s = clock.s + for_s
    asleep = [(clock.s, n, caller) for n, caller in enumerate(callers)]
    while asleep and asleep[0][0] < over_s:
        clock.s, n, caller = heapq.heappop(asleep)
        sleep_s = next(caller, None)
        if sleep_s is not None:
            heapq.heappush(asleep, (clock.s + sleep_s, n, caller))
    clock.s = over_s


def compete(throttle: Throttle, clock: Clock, callers: dict[Lane, int], *, for_s: float, **given: Any) -> Departures:
    """So many callers of each lane that always want more; given are fields of their `Crowd`."""
    crowd = Crowd(throttle, clock, **given)
    lanes = [lane for lane, many in callers.items() for _ in range(many)]
    play(clock, [crowd.caller(lane) for lane in lanes], for_s=for_s)
    return crowd.departures
