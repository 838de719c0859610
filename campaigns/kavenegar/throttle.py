"""The pace all workers share: one budget of calls for an account and the address it calls from.

It lives in Redis, on that server's clock, in one atomic script (pace.lua). A caller reserves the next free slot and
sleeps until it, which uses a rate limit better than asking again and again. When the gateway says "too many", one
worker's word pauses all of them; the rate falls at once and climbs back slowly while it is fully used.

Nothing of value is kept here. After a flush the pace begins at its start rate; while Redis is away nobody calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from importlib.resources import files
from typing import Any

import orjson
import redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

from campaigns.errors import Postpone, Throttled

PACE_LUA = files(__package__).joinpath("pace.lua").read_text(encoding="utf-8")
RETRY_PACE_AFTER_S = 5.0
# Too many calls from our address. 409 is not one of these: the gateway is busy, whoever asks.
CUTTING_CODES = frozenset({451, 429})
_US = 1_000_000


class Lane(Enum):
    """Who goes before whom: in the order written.

    `floor`: the share of the rate a lane may take ahead of everybody's queue; they sum to less than 1. `ceiling`: the
    share it is held to while a lane above it waits. A lane that is alone gets everything.
    """

    OTP = ("otp", 0, 0.5, 1.0)
    SEND = ("send", 1, 0.0, 1.0)
    POLL = ("poll", 2, 0.2, 0.5)
    HOUSEKEEPING = ("housekeeping", 3, 0.02, 0.1)

    def __init__(self, label: str, rank: int, floor: float, ceiling: float) -> None:
        self.label = label
        self.rank = rank
        self.floor = floor
        self.ceiling = ceiling


@dataclass(frozen=True, slots=True)
class PaceView:
    """The pace at a moment. `rate` is calls a second; `taken` counts the last minute's slots by lane.

    `paused_until` is on the Redis server's clock, None while calls flow; `code` is the return code that paused them.
    """

    rate: float
    max_rate: float
    paused_until: datetime | None
    paused_for_s: float
    code: int | None
    taken: Mapping[Lane, int]


class Throttle:
    """One account's pace, as seen by one process.

    Args:
        client: see `connect`; its timeouts bound every wait for Redis.
        account: an opaque label of account and egress address. It becomes a key, so it must not be the API key.
        start_rate: calls a second before anything was learnt, and again after a flush.
        max_rate: never more than this.
        fixed: keep to `start_rate`; a block then pauses the calls but does not slow them.
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
        self._redis = client
        self._key = f"pace:{account}"
        self._script = client.register_script(PACE_LUA)
        self._start_rate = start_rate
        self._max_rate = max_rate
        self._fixed = fixed
        self._clock = clock
        self._sleep = sleep

    def take(self, lane: Lane, *, max_wait_s: float = 2.0) -> float:
        """Wait for the next slot of a lane and have it; the seconds waited.

        Raises:
            Throttled: the slot is farther away than `max_wait_s` (none was taken), or a pause began during the wait.
            Postpone: Redis does not answer.
        """
        reservation = ("take", lane.label, lane.rank, lane.floor, lane.ceiling, round(max_wait_s * _US))
        reply: tuple[int, int, int, int] = self._run(*reservation)
        granted, wait_us, due_us, code = reply
        wait_s = wait_us / _US
        if not granted:
            raise Throttled(_why(code), retry_after_s=wait_s)
        if wait_s:
            self._sleep(wait_s)
            self._check_open(due_us)
        return wait_s

    def blocked(self, code: int, pause_s: float) -> None:
        """The gateway answered `code`: everybody pauses. A second block soon after a pause doubles it, up to 15 min.

        Raises:
            Postpone: Redis does not answer, so nobody else was told.
        """
        self._run("blocked", code, round(pause_s * _US), int(code in CUTTING_CODES))

    def rate(self) -> float:
        """Calls a second at present, pauses aside. Raises Postpone if Redis does not answer."""
        learnt = None if self._fixed else self._read("rate")
        return self._start_rate if learnt is None else min(self._max_rate, learnt)

    def view(self) -> PaceView:
        """Everything about the pace now. Raises Postpone if Redis does not answer."""
        seen = orjson.loads(self._run("view", *(lane.label for lane in Lane)))
        paused_until = int(seen["paused_until"]) / _US
        return PaceView(
            rate=float(seen["rate"]),
            max_rate=self._max_rate,
            paused_until=datetime.fromtimestamp(paused_until, UTC) if paused_until else None,
            paused_for_s=int(seen["paused_for"]) / _US,
            code=seen["code"] or None,
            taken={lane: seen["taken"][lane.label] for lane in Lane},
        )

    def _check_open(self, due_us: int) -> None:
        """A pause that began while we slept is meant for us too: the slot is given up."""
        pause_left_us = (self._read("paused_until") or 0) - due_us
        if pause_left_us > 0:
            raise Throttled("the pace was paused while this call waited", retry_after_s=pause_left_us / _US)

    def _read(self, field: str) -> float | None:
        try:
            value = self._redis.hget(self._key, field)
        except RedisError as exc:
            raise _unreachable(exc) from exc
        return None if value is None else float(value)

    def _run(self, verb: str, *args: str | float) -> Any:
        now = "" if self._clock is None else self._clock()
        try:
            return self._script(
                keys=[self._key], args=[verb, now, self._start_rate, self._max_rate, int(self._fixed), *args]
            )
        except RedisError as exc:
            raise _unreachable(exc) from exc


def connect(url: str) -> redis.Redis:
    """A Redis client that never waits long: 3 s to connect, 5 s to answer, one new try on a connection found dead."""
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=3,
        socket_timeout=5,
        socket_keepalive=True,
        health_check_interval=15,
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    )


def _unreachable(exc: RedisError) -> Postpone:
    what = f"Redis, which keeps the pace, cannot be used ({type(exc).__name__})"
    return Postpone(what, retry_after_s=RETRY_PACE_AFTER_S)


def _why(code: int) -> str:
    return f"all calls are paused after the gateway's {code}" if code else "the shared pace has no slot soon enough"
