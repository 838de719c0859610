"""The script run in this process, as the simulator runs it, answers like the script on a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, cast

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.simulator.script import LuaRedis
from kavenegar_campaigns.errors import Throttled
from kavenegar_campaigns.kavenegar.pace import Slot, Throttle
from kavenegar_campaigns.rules.pace import Lane, LearntRate

BEGIN_US = 1_800_000_000_000_000

Step = tuple[int, Callable[["Pace"], Any]]
"""The µs that pass before, and what is asked."""


@dataclass
class Pace:
    """A pace, and the slots it gave so far."""

    throttle: Throttle
    slots: list[Slot] = field(default_factory=list)

    def slot(self, place: int) -> Slot:
        """One of the last it gave; they are asked about late and repeatedly, too."""
        return self.slots[-1 - place % len(self.slots)]


def reserved(lane: Lane, max_wait_s: float) -> Callable[[Pace], Any]:
    def ask(pace: Pace) -> Slot:
        pace.slots.append(pace.throttle.reserve(lane, max_wait_s=max_wait_s))
        return pace.slots[-1]

    return ask


def departed(place: int, max_wait_s: float) -> Callable[[Pace], Any]:
    def ask(pace: Pace) -> Slot:
        pace.slots.append(pace.throttle.confirm(pace.slot(place), max_wait_s=max_wait_s))
        return pace.slots[-1]

    return ask


def blocked(place: int, code: int, pause_s: float) -> Callable[[Pace], Any]:
    return lambda pace: pace.throttle.report_throttled(pace.slot(place), code, pause_s)


def passed(place: int) -> Callable[[Pace], Any]:
    return lambda pace: pace.throttle.report_ok(pace.slot(place))


def reminded(rate: float, refused: float | None) -> Callable[[Pace], Any]:
    learnt = LearntRate(rate, refused, datetime(2026, 11, 23, 8, tzinfo=UTC))
    return lambda pace: pace.throttle.restore(learnt)


def viewed() -> Callable[[Pace], Any]:
    return lambda pace: pace.throttle.view()


PLACES = st.integers(0, 8)
WAITS_S = st.sampled_from([0.0, 0.1, 2.0, 30.0])
ASKED = st.one_of(
    st.builds(reserved, st.sampled_from(list(Lane)), WAITS_S),
    st.builds(reserved, st.just(Lane.SEND), st.just(2.0)),
    st.builds(departed, PLACES, WAITS_S),
    st.builds(blocked, PLACES, st.sampled_from([451, 429, 409]), st.floats(0, 100)),
    st.builds(passed, PLACES),
    st.builds(reminded, st.floats(0.2, 60), st.none() | st.floats(0.2, 60)),
    st.builds(viewed),
)
PAUSES_US = st.integers(0, 300_000) | st.integers(0, 400_000_000) | st.just(-5_000_000)  # a clock may be set back
STEPS = st.lists(st.tuples(PAUSES_US, ASKED), min_size=5, max_size=60)


@pytest.fixture
def accounts() -> Iterator[int]:
    """Numbers of accounts of which nothing is known yet."""
    return count()


@given(rate=st.floats(0.3, 60), fixed=st.booleans(), steps=STEPS)
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_script_in_this_process_answers_whatever_is_asked_as_valkey_does(
    valkey: redis.Redis, accounts: Iterator[int], rate: float, fixed: bool, steps: list[Step]
) -> None:
    now = [BEGIN_US]
    account = f"twin-{next(accounts)}"

    def pace(client: redis.Redis) -> Pace:
        options: dict[str, Any] = {"start_rate": rate, "max_rate": 2 * rate, "fixed": fixed, "clock": lambda: now[0]}
        return Pace(Throttle(client, account=account, **options))

    real, simulated = pace(valkey), pace(cast("redis.Redis", LuaRedis()))
    for asked_us, ask in [(0, reserved(Lane.SEND, 2.0)), *steps, (0, viewed())]:
        now[0] += asked_us
        assert outcome(simulated, ask) == outcome(real, ask)


def outcome(pace: Pace, ask: Callable[[Pace], Any]) -> Any:
    """What came back, or after how many seconds to ask again."""
    try:
        return ask(pace)
    except Throttled as why:
        return why.retry_after_s
