"""Calls that slept through their slots, for their process or Redis was frozen, do not leave all at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kavenegar_campaigns.errors import Throttled
from kavenegar_campaigns.kavenegar.pace import Slot, Throttle
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.limiter import limiter
from tests.kavenegar.pace import Clock, Crowd, frozen, play, queue

CALLERS = 64
RATE = 20
SLACK_S = 0.022


def stalled(crowd: Crowd, clock: Clock, *, stalls_s: float = 1.5, callers: int = CALLERS, of: int = CALLERS) -> None:
    """So many of the callers freeze five times for a while, and ten seconds pass between two stalls."""
    everybody = [crowd.caller(lane) for lane in (Lane.SEND, Lane.SEND, Lane.POLL, Lane.SEND) for _ in range(of // 4)]
    for stall in range(5):
        begin_s = 10.0 * (stall + 1)
        everybody[:callers] = [frozen(each, clock, begin_s, begin_s + stalls_s) for each in everybody[:callers]]
    play(clock, everybody, for_s=60)


@pytest.mark.parametrize(
    ("rate", "stalls_s", "callers"),
    [(RATE, 1.5, CALLERS), (RATE, 1.5, CALLERS // 2), (RATE, 0.3, 3), (RATE, 6.0, CALLERS), (3, 1.5, CALLERS)],
)
def test_within_any_time_no_more_calls_leave_than_fit_whatever_froze_in_it(
    make_throttle: Callable[..., Throttle], clock: Clock, rate: int, stalls_s: float, callers: int
) -> None:
    crowd = Crowd(make_throttle(rate, rate, fixed=True), clock)
    stalled(crowd, clock, stalls_s=stalls_s, callers=callers)
    assert crowd.departures.burst(rate) <= 1 + SLACK_S * rate
    lost_s = 5 * (stalls_s + 2) if callers > 3 else 5
    assert len(crowd.departures.calls) >= 0.97 * rate * (60 - lost_s), "what was frozen is all that is lost"


@pytest.mark.parametrize("kind", ["token_bucket", "fixed_window"])
def test_a_gateway_that_takes_twenty_calls_a_second_refuses_none_after_five_stalls(
    make_throttle: Callable[..., Throttle], clock: Clock, kind: str
) -> None:
    limit = limiter(Knobs().turned({"limiter": kind, "limiter_rate": RATE, "limiter_burst": RATE}))
    refused: list[float] = []

    def gateway(at_s: float) -> int | None:
        if limit.admits(at_s):
            return None
        refused.append(at_s)
        return 451

    stalled(Crowd(make_throttle(RATE, RATE, fixed=True), clock, gateway=gateway), clock)
    assert refused == []


def test_a_slot_that_is_overdue_is_lost_and_its_holder_goes_to_the_end_of_the_queue(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(5, 5)
    _, *waiting = queue(throttle, 8)
    clock.s = 1.1
    on_time = [throttle.confirm(slot, max_wait_s=2).wait_s for slot in waiting]
    assert on_time == pytest.approx([0.5, 0.7, 0.9, 1.1, 0, 0.1, 0.3], abs=0.01)


def test_a_call_that_is_a_little_late_leaves_at_once_and_the_next_a_step_later(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(5, 5)
    _, late, then = queue(throttle, 3)
    clock.s = 0.29
    assert throttle.confirm(late, max_wait_s=2).wait_s == 0
    clock.s = 0.4
    assert throttle.confirm(then, max_wait_s=2).wait_s == pytest.approx(0.09 - 0.02, abs=0.001)


def admitted(throttle: Throttle, many: int) -> list[Slot]:
    """Slots that were taken one after the other for calls that come later."""
    return [throttle.take(Lane.SEND, held=True) for _ in range(many)]


def test_calls_that_the_database_held_up_after_their_slots_leave_a_step_apart(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(5, 5)
    slots = admitted(throttle, 6)
    clock.s = 1.5
    waits = [throttle.line_up(slot, max_wait_s=2).wait_s for slot in slots]
    assert waits == pytest.approx([0, 0.18, 0.38, 0.58, 0.78, 0.98], abs=0.002)


def test_a_call_that_follows_its_slot_at_once_waits_for_nothing(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(20, 20)
    for _ in range(40):
        slot = throttle.take(Lane.SEND, held=True)
        clock.s += 0.015  # the claim in the database
        assert throttle.line_up(slot, max_wait_s=2).wait_s == 0
    assert clock.s == pytest.approx(40 / 20, abs=0.1)


def test_a_one_time_password_that_was_held_up_waits_for_nobody(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(5, 5)
    slots = admitted(throttle, 3)
    code = throttle.take(Lane.OTP, held=True)
    clock.s = 1.5
    throttle.leave(slots[0])
    assert throttle.line_up(code, max_wait_s=2).wait_s == 0
    assert throttle.line_up(slots[1], max_wait_s=2).wait_s == pytest.approx(0.38, abs=0.002)


def test_a_pause_that_began_between_a_slot_and_its_call_keeps_the_call_back(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(5, 5)
    first, second = admitted(throttle, 2)
    throttle.leave(first)
    throttle.report_throttled(first, 451, 0)
    with pytest.raises(Throttled):
        throttle.leave(second)
