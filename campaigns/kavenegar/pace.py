"""The pace that all workers share: one budget of calls for an account and the address it calls from.

It is kept in Redis, on that server's clock, by one atomic script (lua/). A caller reserves the next free slot and
sleeps until it, which uses a rate limit better than repeated requests. When the gateway answers "too many" to one
worker, all workers pause; one call probes whether the block is over; the rate falls at once and rises again in steps.

The pace holds no data that must not be lost. After a flush it begins at its start rate, or at a restored rate; while
Redis is away no call is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import orjson
import redis
from redis.exceptions import RedisError

from kavenegar_campaigns.clock import steady
from kavenegar_campaigns.errors import Postpone, Throttled
from kavenegar_campaigns.kavenegar.codes import TOO_MANY_CODES
from kavenegar_campaigns.rules.pace import Lane, LaneView, LearntRate, PaceView

LUA_PARTS = ("state.lua", "rate.lua", "gate.lua")
PACE_LUA = "".join(files(__package__).joinpath("lua", part).read_text(encoding="utf-8") for part in LUA_PARTS)
RETRY_PACE_AFTER_S = 5.0
OVERSLEPT_S = 0.05  # a held-up call that wakes later than this after the end of its wait lines up again, …
MAX_LINE_UPS = 2  # … once, so that a machine that always wakes late makes calls, too
_RANKS = {lane: rank for rank, lane in enumerate(Lane)}
_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in the queue of calls: its time, and `wait_s`, the seconds until then.

    `tier`, `epoch` and `generation` are the script's values, which later requests pass back to it. A `probe` is the one
    call that finds out whether a block is over: all other calls wait for its result.
    """

    lane: Lane
    wait_s: float
    due_us: int
    tier: int
    epoch: int
    generation: int
    probe: bool


class Throttle:
    """One account's pace, as seen by one process.

    Args:
        client: see `redis_client.connect_redis`; its timeouts bound every wait for Redis.
        account: an opaque label of account and egress address. It is part of a Redis key: never pass the API key.
        start_rate: calls a second before a rate was learnt, and again after a flush.
        max_rate: the highest rate, in calls a second.
        fixed: keep to `start_rate` (to 99 % of it, for clocks are not exact); a block then pauses the calls but does
            not slow them.
        clock: µs since 1970 instead of the server's clock, for simulations.
        sleep: how to wait, for simulations.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        account: str,
        start_rate: float,
        max_rate: float,
        fixed: bool = False,
        clock: Callable[[], int] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not 0 < start_rate <= max_rate:
            raise ValueError("the start rate must be above 0 and at most the highest rate")
        self.account = account
        self._redis = client
        self._key = f"pace:{account}"
        self._script = client.register_script(PACE_LUA)
        self._start_rate = start_rate
        self._max_rate = max_rate
        self._fixed = fixed
        self._clock = clock
        self._sleep = sleep

    def take(self, lane: Lane, *, max_wait_s: float = 2.0, held: bool = False) -> Slot:
        """Wait for the next slot of a lane, and return it; its `wait_s` is the time waited, in seconds.

        `held`: the call does not leave at once; it calls `leave` first.

        Raises:
            Throttled: the slot is later than `max_wait_s`, or a pause began during the wait. No slot was taken.
            Postpone: Redis does not answer.
        """
        slot = self.reserve(lane, max_wait_s=max_wait_s, held=held)
        waited_s = 0.0
        while slot.wait_s:
            self._sleep(slot.wait_s)
            waited_s += slot.wait_s
            slot = self.confirm(slot, max_wait_s=max_wait_s - waited_s, held=held)
        return replace(slot, wait_s=waited_s)

    def leave(self, slot: Slot, *, max_wait_s: float = 2.0) -> Slot:
        """Wait until the call of a held slot may leave: calls that were held up together leave a step apart.

        Raises:
            Throttled: the wait is longer than `max_wait_s`, or a pause began meanwhile.
            Postpone: Redis does not answer.
        """
        for _ in range(MAX_LINE_UPS):
            wait_s = self.line_up(slot, max_wait_s=max_wait_s).wait_s
            began = steady()
            if wait_s:
                self._sleep(wait_s)
            if steady() - began <= wait_s + OVERSLEPT_S:
                break
        return slot

    def line_up(self, slot: Slot, *, max_wait_s: float) -> Slot:
        """Reserve a place among the calls that leave now, `wait_s` seconds ahead. Raises: Throttled, Postpone."""
        return _slot(slot.lane, self._run("leave", *_lane_args(slot.lane, max_wait_s, held=True), *_slot_args(slot)))

    def reserve(self, lane: Lane, *, max_wait_s: float, held: bool = False) -> Slot:
        """Reserve a place in the queue; with `wait_s` zero the call may leave. Raises: Throttled, Postpone."""
        return _slot(lane, self._run("reserve", *_lane_args(lane, max_wait_s, held=held)))

    def confirm(self, slot: Slot, *, max_wait_s: float, held: bool = False) -> Slot:
        """Confirm a slot when its wait is over; with `wait_s` above zero, wait on. Raises: Throttled, Postpone.

        Another call may have taken this slot: then a new one is returned, or none if it is later than `max_wait_s`.
        """
        return _slot(slot.lane, self._run("confirm", *_lane_args(slot.lane, max_wait_s, held=held), *_slot_args(slot)))

    def report_ok(self, slot: Slot) -> None:
        """Report that the gateway answered the call of a slot without throttling. Raises: Postpone, if Redis is away.

        After a probe this ends the block. A call that waited for its slot proves the rate at which it left.
        """
        if slot.probe or (slot.wait_s and not self._fixed):
            self._run("report_ok", slot.generation, int(slot.wait_s > 0))

    def report_throttled(self, slot: Slot, code: int, pause_s: float) -> float:
        """Pause all calls, because the gateway answered `code` to the call of a slot. Returns the pause in seconds.

        `pause_s` is the pause when the gateway is only busy (409). After "too many" the pace decides: half a second at
        first, doubled by each refused probe, up to 15 minutes; later it begins with the pause that was enough before.

        Raises:
            Postpone: Redis does not answer, so other workers do not pause.
        """
        left_us: int = self._run(
            "report_throttled", slot.generation, code, round(pause_s * _US), int(code in TOO_MANY_CODES)
        )[0]
        return left_us / _US

    def rate(self) -> float:
        """Return the calls a second at present, pauses aside. Raises: Postpone if Redis does not answer."""
        return self.view().rate

    def learnt(self) -> LearntRate | None:
        """Return the learnt rate, or None before one is learnt. Raises: Postpone if Redis does not answer."""
        return self.view().learnt

    def restore(self, learnt: LearntRate) -> bool:
        """Restore a rate learnt before a flush. Returns False where a rate is known already. Raises: Postpone."""
        at_us = round(learnt.at.timestamp() * _US)
        return bool(self._run("restore", learnt.rate, learnt.refused or 0, at_us)[0])

    def view(self) -> PaceView:
        """Return everything about the pace now. Raises: Postpone if Redis does not answer."""
        seen = orjson.loads(self._run("view", *(lane.label for lane in Lane)))
        learnt_at, refused = _moment(seen["learnt_at"]), float(seen["refused"])
        return PaceView(
            at=datetime.fromtimestamp(int(seen["at"]) / _US, UTC),
            rate=float(seen["rate"]),
            max_rate=self._max_rate,
            fixed=self._fixed,
            learnt=LearntRate(float(seen["held"]), refused or None, learnt_at) if learnt_at else None,
            queue_s=int(seen["queue"]) / _US,
            paused_until=_moment(seen["paused_until"]),
            code=seen["code"] or None,
            refusals=seen["refusals"],
            pauses=seen["pauses"],
            lanes={lane: LaneView(**seen["lanes"][lane.label]) for lane in Lane},
        )

    def _run(self, verb: str, *args: str | float) -> Any:
        now = "" if self._clock is None else self._clock()
        try:
            return self._script(
                keys=[self._key], args=[verb, now, self._start_rate, self._max_rate, int(self._fixed), *args]
            )
        except RedisError as exc:
            what = f"Redis, which keeps the pace, cannot be used ({type(exc).__name__})"
            raise Postpone(what, retry_after_s=RETRY_PACE_AFTER_S) from exc


def _lane_args(lane: Lane, max_wait_s: float, *, held: bool) -> tuple[str | float, ...]:
    return lane.label, _RANKS[lane], lane.share, lane.cap, round(max_wait_s * _US), int(held)


def _slot_args(slot: Slot) -> tuple[int, ...]:
    """Return the values of a slot that later requests pass back to the script."""
    return slot.due_us, slot.tier, slot.epoch, slot.generation, int(slot.probe)


def _slot(lane: Lane, reply: list[int]) -> Slot:
    granted, wait_us, due_us, tier, epoch, generation, probe = reply
    if not granted:
        raise Throttled("the shared pace has no slot soon enough", retry_after_s=wait_us / _US)
    return Slot(lane, wait_us / _US, due_us, tier, epoch, generation, bool(probe))


def _moment(us: str) -> datetime | None:
    return datetime.fromtimestamp(int(us) / _US, UTC) if int(us) else None
