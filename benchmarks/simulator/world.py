"""A limit nobody knows, callers who want more of it than it gives, and the time in which that happens."""

from __future__ import annotations

import heapq
import random
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from math import inf
from typing import Any, cast

import redis

from benchmarks.simulator.record import Call, Record
from benchmarks.simulator.script import LuaRedis
from kavenegar_campaigns.errors import Throttled
from kavenegar_campaigns.kavenegar.pace import Slot, Throttle
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.limiter import Limiter, limiter

BEGIN_S = 1_800_000_000
MAX_WAIT_S = 2.0  # as the gateway's callers wait
COME_BACK_S = 5.0  # who finds no slot asks again by then, as a dispatcher rings again
TOO_MANY = 451

Steps = Generator[float, None, None]
"""What somebody does, and between its steps the seconds until the next."""


@dataclass(frozen=True, slots=True)
class Demand:
    """The calls of a lane: callers that always want more, and `per_s` calls a second at random times."""

    lane: Lane = Lane.SEND
    callers: int = 0
    per_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The world of a simulation of `for_s` seconds.

    `turns` says by which knobs the limiter goes from a second on. `latency_s` is a call's way there and back; each step
    is late by `jitter_s` in the mean. The answers to the first `probes_lost` probes never come; their callers come back
    after `deadline_s`. Everything random comes from `seed`.
    """

    knobs: Knobs
    for_s: float
    demands: Sequence[Demand] = (Demand(callers=16),)
    turns: Mapping[float, Knobs] = field(default_factory=dict)
    start_rate: float = 5.0
    max_rate: float = 60.0
    fixed: bool = False
    latency_s: float = 0.05
    jitter_s: float = 0.003
    probes_lost: int = 0
    deadline_s: float = 30.0
    seed: int = 1


def simulate(world: World) -> Record:
    """Simulate a world. The result is the same at every run."""
    return _Simulation(world).run()


class _Simulation:
    """One run. Whatever happens is a generator that yields the seconds until its next step."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = random.Random(world.seed)  # noqa: S311 - a simulation is to be repeatable
        self._now_s = 0.0
        self._limiter: Limiter = limiter(world.knobs)
        self._throttle = Throttle(
            cast("redis.Redis", LuaRedis()),
            account="simulated",
            start_rate=world.start_rate,
            max_rate=world.max_rate,
            fixed=world.fixed,
            clock=lambda: round((BEGIN_S + self._now_s) * 1_000_000),
        )
        self._probes_to_lose = world.probes_lost
        self._record = Record()
        self._agenda: list[tuple[float, int, Steps]] = []
        self._numbers = count()

    def run(self) -> Record:
        for steps in self._everything():
            self._plan(0.0, steps)
        while self._agenda and self._agenda[0][0] < self._world.for_s:
            self._now_s, _, steps = heapq.heappop(self._agenda)
            delay_s = next(steps, None)
            if delay_s is not None:
                self._plan(delay_s, steps)
        return self._record

    def _plan(self, delay_s: float, steps: Steps) -> None:
        heapq.heappush(self._agenda, (self._now_s + delay_s, next(self._numbers), steps))

    def _everything(self) -> Iterator[Steps]:
        yield self._watched()
        yield from (self._turned(at_s, knobs) for at_s, knobs in self._world.turns.items())
        for demand in self._world.demands:
            yield from (self._calling(demand.lane) for _ in range(demand.callers))
            if demand.per_s:
                yield self._arriving(demand)

    # ── what goes on ──

    def _watched(self) -> Steps:
        while True:
            self._record.rates.append(self._throttle.rate())
            yield 1.0

    def _turned(self, at_s: float, knobs: Knobs) -> Steps:
        yield at_s
        self._limiter.turn(knobs, self._now_s)

    def _calling(self, lane: Lane) -> Steps:
        yield self._chance.uniform(0, 0.5)
        while True:
            yield from self._call(lane)

    def _arriving(self, demand: Demand) -> Steps:
        while True:
            yield self._chance.expovariate(demand.per_s)
            self._plan(0.0, self._call(demand.lane))

    def _call(self, lane: Lane) -> Steps:
        """One call, until it is admitted or its answer is lost."""
        asked_s = self._now_s
        while not (yield from self._tried(lane, asked_s)):
            pass

    def _tried(self, lane: Lane, asked_s: float) -> Generator[float, Any, bool]:
        """The wait for a slot, the way to the gateway and back, and what is told of it to the others."""
        slot = yield from self._taken(lane)
        left_s = self._now_s
        yield self._world.latency_s / 2 + self._lateness_s()
        admitted, back_s = self._limiter.admits(self._now_s), self._way_back_s(slot)
        answered_s = self._now_s + back_s
        self._record.calls.append(Call(lane, asked_s, left_s, self._now_s, answered_s, admitted, slot.probe))
        if back_s == inf:
            yield self._world.deadline_s
            return True
        yield back_s
        if not admitted:
            yield from self._refused(slot)
        else:
            self._throttle.report_ok(slot)
        return admitted

    def _way_back_s(self, slot: Slot) -> float:
        if slot.probe and self._probes_to_lose:
            self._probes_to_lose -= 1
            return inf
        return self._world.latency_s / 2 + self._lateness_s()

    def _refused(self, slot: Slot) -> Steps:
        pause_s = self._throttle.report_throttled(slot, TOO_MANY, 60.0)
        self._record.pauses.append((self._now_s, self._now_s + pause_s))
        yield self._until_next_try_s(pause_s)

    def _taken(self, lane: Lane) -> Generator[float, Any, Slot]:
        """As `Throttle.take`, with time that passes for others meanwhile; again and again until there is a slot."""
        while True:
            try:
                slot = self._throttle.reserve(lane, max_wait_s=MAX_WAIT_S)
                waited_s = 0.0
                while slot.wait_s:
                    yield slot.wait_s + self._lateness_s()
                    waited_s += slot.wait_s
                    slot = self._throttle.confirm(slot, max_wait_s=MAX_WAIT_S - waited_s)
            except Throttled as why:
                yield self._until_next_try_s(why.retry_after_s)
            else:
                return replace(slot, wait_s=waited_s)

    def _lateness_s(self) -> float:
        return self._chance.expovariate(1 / self._world.jitter_s)

    def _until_next_try_s(self, retry_after_s: float) -> float:
        return min(retry_after_s, COME_BACK_S) + self._chance.uniform(0, 0.2)
