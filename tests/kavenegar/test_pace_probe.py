"""After a block one call goes ahead, and everybody waits for what becomes of it; what came too late changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.rules.pace import Lane
from tests.kavenegar.pace import (
    EARLY_S,
    MINUTE,
    Caller,
    Clock,
    Crowd,
    play,
    probe,
    queue,
    turned_away,
)

PROBE_LASTS_S = 3.0
AWAKE_S = 0.1  # those who wait for a probe look again that often, or more


@pytest.fixture
def throttle(make_throttle: Callable[..., Throttle]) -> Throttle:
    return make_throttle(10, 10)


def block(throttle: Throttle) -> float:
    return throttle.report_throttled(throttle.take(Lane.SEND), 451, 60)


def prober(throttle: Throttle, answered_at_s: list[float], clock: Clock, *, after_s: float) -> Caller:
    """The first in the queue of a pause: the probe, which is answered after a while."""
    slot = throttle.reserve(Lane.SEND, max_wait_s=MINUTE)
    assert slot.probe
    yield slot.wait_s
    slot = throttle.confirm(slot, max_wait_s=0)
    yield after_s
    throttle.report_ok(slot)
    answered_at_s.append(clock.s)


# ── one goes, the others wait ──


@pytest.mark.parametrize("lane", Lane)
def test_after_a_pause_a_single_call_leaves_whichever_lane_it_is_of(
    throttle: Throttle, clock: Clock, lane: Lane
) -> None:
    clock.s += block(throttle)
    assert throttle.reserve(lane, max_wait_s=2).probe
    others = [throttle.reserve(other, max_wait_s=2) for other in Lane if other is not lane]
    assert not any(slot.probe for slot in others)
    assert all(slot.wait_s > 0 for slot in others)


def test_a_probe_may_be_reserved_during_the_pause_and_no_one_leaves_before_its_answer(
    throttle: Throttle, clock: Clock
) -> None:
    pause_s = block(throttle)
    first, *others = queue(throttle, 4)
    assert first.probe
    assert first.wait_s == pytest.approx(pause_s)
    clock.s += pause_s
    first = throttle.confirm(first, max_wait_s=2)
    assert (first.probe, first.wait_s) == (True, 0)
    for _ in range(5):
        clock.s += 0.4
        others = [throttle.confirm(slot, max_wait_s=2) for slot in others]
        assert all(slot.wait_s > 0 and not slot.probe for slot in others)


@pytest.mark.parametrize("rate", [3, 10, 40])
@pytest.mark.parametrize("after_s", [0.05, 1.0, 1.5, 2.5])
def test_once_the_probe_is_answered_the_others_leave_a_step_apart_and_at_once(
    make_throttle: Callable[..., Throttle], clock: Clock, rate: int, after_s: float
) -> None:
    throttle = make_throttle(rate, rate, fixed=True)
    block(throttle)
    answered: list[float] = []
    probing = prober(throttle, answered, clock, after_s=after_s)
    crowd = Crowd(throttle, clock)
    others = [crowd.one_call(begins_s=0.01 + 0.7 * n / rate) for n in range(10 * rate)]
    play(clock, [probing, *others], for_s=8)
    times = crowd.departures.times()
    assert answered[0] <= times[0] <= answered[0] + 1 / rate + AWAKE_S
    assert crowd.departures.burst(rate) <= 1 + AWAKE_S * rate
    assert sum(at < answered[0] + 2 for at in times) >= 1.5 * rate


def test_those_who_waited_for_the_probe_and_those_who_come_after_it_leave_a_step_apart(
    throttle: Throttle, clock: Clock
) -> None:
    crowd = Crowd(throttle, clock, gateway=lambda at: 451 if 5 <= at < 7 else None, latency_s=0.3)
    play(clock, [crowd.caller(lane) for lane in (Lane.SEND, Lane.POLL, Lane.OTP) for _ in range(8)], for_s=20)
    assert sum(at > 10 for at in crowd.departures.times()) > 30
    assert crowd.departures.burst(10) <= 1 + AWAKE_S * 10


def test_during_a_block_nothing_leaves_but_probes(throttle: Throttle, clock: Clock) -> None:
    crowd = Crowd(throttle, clock, gateway=lambda at: 451 if at >= 5 else None)
    play(clock, [crowd.caller(lane) for lane in Lane for _ in range(8)], for_s=5 + MINUTE)
    beyond = [at for at in crowd.departures.times() if at >= 5]
    assert len(beyond) <= 2 + 8, "what was under way, and probes after 0.5, 1, 2, 4, 8, 16, 32 s"


# ── a probe that dies ──


def test_a_probe_without_an_answer_is_followed_by_another_after_three_seconds(throttle: Throttle, clock: Clock) -> None:
    block(throttle)
    probe(throttle, clock)
    clock.s += PROBE_LASTS_S - 0.1
    waiting = throttle.reserve(Lane.SEND, max_wait_s=2)
    assert not waiting.probe
    clock.s += 0.2
    second = throttle.confirm(waiting, max_wait_s=2)
    assert (second.probe, second.wait_s) == (True, 0)
    third = throttle.reserve(Lane.SEND, max_wait_s=2)
    assert not third.probe
    assert third.wait_s > 0


@pytest.mark.parametrize("rate", [3, 10, 40])
def test_those_who_waited_for_a_probe_that_died_leave_a_step_apart_once_the_next_is_answered(
    make_throttle: Callable[..., Throttle], clock: Clock, rate: int
) -> None:
    throttle = make_throttle(rate, rate, fixed=True)
    block(throttle)
    probe(throttle, clock)
    crowd = Crowd(throttle, clock)
    others = [crowd.one_call(begins_s=0.7 * n / rate) for n in range(10 * rate)]
    play(clock, others, for_s=12)
    assert len(crowd.departures.calls) > 4 * rate
    assert crowd.departures.burst(rate) <= 1 + AWAKE_S * rate


def test_a_probe_that_gave_up_before_it_left_holds_nobody_up_for_longer_than_one_that_died(
    throttle: Throttle, clock: Clock
) -> None:
    block(throttle)
    turned_away(throttle, queue(throttle, 1)[0])
    clock.s += 0.5 + PROBE_LASTS_S + 0.1
    assert throttle.reserve(Lane.SEND, max_wait_s=2).probe


# ── echoes ──


def test_echoes_of_a_block_keep_the_pause_open_and_neither_double_it_nor_cut(throttle: Throttle, clock: Clock) -> None:
    first, *under_way = queue(throttle, 8)
    clock.s = 1
    throttle.report_throttled(first, 451, 60)
    cut = throttle.rate()
    for slot in under_way:
        clock.s += 0.1
        assert throttle.report_throttled(slot, 451, 60) == pytest.approx(0.5)
    assert throttle.rate() == cut
    assert throttle.view().pauses == 1
    assert throttle.report_throttled(probe(throttle, clock), 451, 60) == pytest.approx(1.0), (
        "the second pause, as if no echo"
    )


def test_a_probe_of_a_pause_that_an_echo_prolonged_waits_for_its_end(throttle: Throttle, clock: Clock) -> None:
    first, late = queue(throttle, 2)
    throttle.report_throttled(first, 451, 60)
    waiting = queue(throttle, 2)
    clock.s = 0.4
    throttle.report_throttled(late, 451, 60)
    clock.s = 0.5
    assert turned_away(throttle, waiting[0]).retry_after_s == pytest.approx(0.4)
    clock.s = 0.9
    assert throttle.reserve(Lane.SEND, max_wait_s=0).probe


def test_an_echo_that_comes_when_the_pause_is_over_pauses_nobody(throttle: Throttle, clock: Clock) -> None:
    first, late = queue(throttle, 2)
    throttle.report_throttled(first, 451, 60)
    throttle.report_ok(probe(throttle, clock))
    cut = throttle.rate()
    assert throttle.report_throttled(late, 451, 60) == 0
    assert (throttle.rate(), throttle.view().paused_until, throttle.view().pauses) == (cut, None, 1)


def test_an_answer_to_a_call_from_before_the_block_does_not_end_it(throttle: Throttle, clock: Clock) -> None:
    first, late = queue(throttle, 2)
    throttle.report_throttled(first, 451, 60)
    probe(throttle, clock)
    throttle.report_ok(late)
    assert throttle.reserve(Lane.SEND, max_wait_s=2).wait_s > 0


def test_an_answer_to_the_probe_of_an_earlier_pause_does_not_end_a_later_one(throttle: Throttle, clock: Clock) -> None:
    block(throttle)
    slow = probe(throttle, clock)
    clock.s += PROBE_LASTS_S + 0.1
    throttle.report_throttled(probe(throttle, clock), 451, 60)
    throttle.report_ok(slow)
    assert probe(throttle, clock).probe


# ── a busy gateway meanwhile ──


def test_a_probe_that_finds_the_gateway_busy_is_followed_by_another(throttle: Throttle, clock: Clock) -> None:
    block(throttle)
    cut = throttle.rate()
    assert throttle.report_throttled(probe(throttle, clock), 409, 2) == 2
    clock.s += 2 + PROBE_LASTS_S
    throttle.report_ok(throttle.take(Lane.SEND))
    assert throttle.take(Lane.SEND).wait_s <= 1 / throttle.rate() + EARLY_S
    assert throttle.rate() == cut
