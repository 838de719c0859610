"""Time that a test hands to the pace, and callers that want as much of it as they can get."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from campaigns.errors import Throttled
from campaigns.kavenegar.throttle import Lane, Throttle

BEGIN = datetime(2026, 3, 21, tzinfo=UTC)
MINUTE = 60.0


@dataclass
class Clock:
    """Seconds since BEGIN, told to the script in µs since 1970."""

    s: float = 0.0

    def __call__(self) -> int:
        return round((BEGIN.timestamp() + self.s) * 1_000_000)


def refused(throttle: Throttle, lane: Lane = Lane.SEND, **options: Any) -> Throttled:
    with pytest.raises(Throttled) as caught:
        throttle.take(lane, **options)
    return caught.value


def compete(
    throttle: Throttle, clock: Clock, callers: dict[Lane, int], *, for_s: float, latency_s: float = 0.05
) -> tuple[Counter[Lane], dict[Lane, float]]:
    """Callers that always want more: slots due within the time by lane, and the longest a grant was waited for."""
    waiting = [(0.0, n, lane) for n, lane in enumerate(lane for lane, many in callers.items() for _ in range(many))]
    slots, longest = Counter[Lane](), dict.fromkeys(callers, 0.0)
    since = {n: 0.0 for _, n, _ in waiting}
    while waiting and waiting[0][0] < for_s:
        clock.s, n, lane = heapq.heappop(waiting)
        try:
            due = clock.s + throttle.take(lane)
        except Throttled as why:
            heapq.heappush(waiting, (clock.s + why.retry_after_s, n, lane))
            continue
        if due < for_s:
            slots[lane] += 1
        longest[lane] = max(longest[lane], due - since[n])
        since[n] = due + latency_s
        heapq.heappush(waiting, (since[n], n, lane))
    return slots, longest


def use_fully(throttle: Throttle, clock: Clock, *, until_s: float) -> float:
    """Call as often as the pace allows; the rate reached."""
    while clock.s < until_s:
        try:
            clock.s += throttle.take(Lane.SEND)
        except Throttled as why:
            clock.s += why.retry_after_s
    return throttle.rate()
