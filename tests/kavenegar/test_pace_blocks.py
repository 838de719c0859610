"""When the gateway says no, everybody pauses; the rate falls at once and climbs back with care."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from campaigns.errors import Throttled
from campaigns.kavenegar.throttle import Lane, Throttle
from tests.kavenegar.pace import BEGIN, MINUTE, Clock, compete, refused, use_fully


def test_one_workers_block_pauses_all_of_them_and_every_lane(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    here, there = make_throttle(), make_throttle()
    here.blocked(451, 60)
    for lane in Lane:
        why = refused(there, lane)
        assert why.retry_after_s == pytest.approx(60)
        assert "451" in str(why)
    clock.s = 59
    assert there.take(Lane.SEND) == pytest.approx(1)
    view = there.view()
    assert (view.paused_until, view.code) == (BEGIN + timedelta(seconds=60), 451)
    clock.s = 60
    assert (there.view().paused_until, there.view().code, there.view().paused_for_s) == (None, None, 0)


def test_a_pause_that_begins_during_a_wait_is_kept_by_those_who_wait(make_throttle: Callable[..., Throttle]) -> None:
    other = make_throttle()
    throttle = make_throttle(sleep=lambda _: other.blocked(429, 300))
    throttle.take(Lane.SEND)
    assert refused(throttle).retry_after_s == pytest.approx(300 - 0.2)  # since the slot it gave up was due


def test_a_shorter_pause_does_not_end_a_longer_one(make_throttle: Callable[..., Throttle]) -> None:
    throttle = make_throttle()
    throttle.blocked(451, 60)
    throttle.blocked(409, 2)
    assert throttle.view().paused_for_s == pytest.approx(60)
    assert throttle.view().code == 451


@pytest.mark.parametrize("code", [451, 429])
def test_a_block_cuts_the_rate_once_however_many_calls_were_under_way(
    make_throttle: Callable[..., Throttle], clock: Clock, code: int
) -> None:
    throttle = make_throttle(10, 20)
    for late in range(24):
        clock.s = late
        throttle.blocked(code, 60)
    assert throttle.rate() == pytest.approx(7)
    assert throttle.view().paused_until == BEGIN + timedelta(seconds=23 + 60)


def test_a_short_pause_still_cuts_at_most_once_a_second(make_throttle: Callable[..., Throttle], clock: Clock) -> None:
    throttle = make_throttle(10, 20)
    for tenth in range(25):
        clock.s = tenth / 10
        throttle.blocked(451, 0)
    assert throttle.rate() == pytest.approx(10 * 0.7**3)


def test_a_busy_gateway_pauses_us_briefly_and_cuts_nothing(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(10, 20)
    for _ in range(5):
        throttle.blocked(409, 2)
    assert (throttle.rate(), throttle.view().code, throttle.view().paused_for_s) == (10, 409, 2)
    clock.s = 1
    throttle.blocked(451, 60)
    assert throttle.rate() == pytest.approx(7)


def test_blocked_again_soon_after_a_pause_doubles_it_up_to_a_quarter_of_an_hour(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle()
    pauses = []
    for _ in range(6):
        throttle.blocked(451, 60)
        pauses.append(throttle.view().paused_for_s)
        clock.s += pauses[-1] + 30
    assert pauses == pytest.approx([60, 120, 240, 480, 900, 900])
    clock.s += 601
    throttle.blocked(451, 60)
    assert throttle.view().paused_for_s == pytest.approx(60)


def test_nobody_asks_for_a_pause_longer_than_the_longest(make_throttle: Callable[..., Throttle]) -> None:
    throttle = make_throttle()
    throttle.blocked(409, 10**6)
    assert throttle.view().paused_for_s == pytest.approx(900)


def test_after_a_pause_calls_begin_one_step_apart(make_throttle: Callable[..., Throttle], clock: Clock) -> None:
    throttle = make_throttle(10, 10)
    throttle.blocked(451, 60)
    clock.s = 59
    assert [throttle.take(Lane.SEND) for _ in range(3)] == pytest.approx([1, 1 + 1 / 7, 1 + 2 / 7], abs=0.01)


def test_a_fixed_rate_is_paused_but_neither_cut_nor_raised(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(10, 20, fixed=True)
    throttle.blocked(451, 60)
    assert refused(throttle).retry_after_s == pytest.approx(60)
    clock.s = 60
    compete(throttle, clock, {Lane.SEND: 24}, for_s=2 * MINUTE)
    assert throttle.rate() == throttle.view().rate == 10


def test_the_rate_never_falls_to_nothing(make_throttle: Callable[..., Throttle], clock: Clock) -> None:
    throttle = make_throttle()
    for _ in range(50):
        throttle.blocked(451, 1)
        clock.s += 1000
    assert throttle.rate() == pytest.approx(0.2)


def test_a_lower_highest_rate_holds_at_once(make_throttle: Callable[..., Throttle]) -> None:
    make_throttle(50, 50).blocked(451, 0)
    assert make_throttle(5, 5).rate() == make_throttle(5, 5).view().rate == 5


def test_a_rate_that_is_fully_used_climbs_to_the_highest(make_throttle: Callable[..., Throttle], clock: Clock) -> None:
    throttle = make_throttle(1, 3)
    rates = [use_fully(throttle, clock, until_s=second) for second in (10, 20, 30, 40, 50)]
    assert rates == sorted(rates)
    assert rates[0] == pytest.approx(1.5, abs=0.1)
    assert rates[-1] == 3


def test_after_a_block_the_rate_stays_below_its_ceiling_for_ten_minutes_and_then_feels_for_it(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(2, 3)
    throttle.blocked(451, 1)
    assert throttle.rate() == pytest.approx(1.4)
    assert use_fully(throttle, clock, until_s=MINUTE) == use_fully(throttle, clock, until_s=600) == pytest.approx(1.8)
    assert 1.8 < use_fully(throttle, clock, until_s=700) < 1.9
    assert 2.1 < use_fully(throttle, clock, until_s=1200) < 2.3
    assert use_fully(throttle, clock, until_s=1260) > 2.5, "the ceiling has gone: climb as before"


def test_a_rate_that_is_not_used_does_not_climb(make_throttle: Callable[..., Throttle], clock: Clock) -> None:
    throttle = make_throttle(10, 20)
    for _ in range(100):
        clock.s += 10
        throttle.take(Lane.SEND)
    assert throttle.rate() == 10


def test_a_limit_nobody_published_is_found_and_hardly_ever_touched(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    limit = 3
    granted, blocks = [-1.0] * limit, 0
    throttle = make_throttle(1, 30)
    while clock.s < 3600:
        try:
            clock.s += throttle.take(Lane.SEND)
        except Throttled as why:
            clock.s += why.retry_after_s
            continue
        if clock.s - granted[-limit] < 0.999:
            blocks += 1
            throttle.blocked(451, 60)
        else:
            granted.append(clock.s)
    assert 2 <= blocks <= 8
    assert len(granted) / (limit * 3600) > 0.75
