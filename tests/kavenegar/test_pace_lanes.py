"""Who goes before whom, and what nobody can take from those behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.rules.pace import Lane
from tests.kavenegar.pace import EARLY_S, MINUTE, Clock, Crowd, compete, play, queue

PATIENT = 60.0


# ── ahead of the queue ──


@pytest.mark.parametrize("rate", [3, 10, 40])
def test_an_otp_leaves_at_most_a_step_after_it_was_asked_for_however_long_the_queue(
    make_throttle: Callable[..., Throttle], clock: Clock, rate: int
) -> None:
    throttle = make_throttle(rate, rate)
    crowd = Crowd(throttle, clock, max_wait_s=PATIENT)
    sends = [crowd.one_call() for _ in range(20 * rate)]
    otps = [crowd.one_call(Lane.OTP, begins_s=1.77 * n + 0.01) for n in range(8)]
    play(clock, [*sends, *otps], for_s=MINUTE)
    assert len(crowd.departures.waits(Lane.OTP)) == 8
    assert max(crowd.departures.waits(Lane.OTP)) <= 1 / rate + EARLY_S


def test_who_goes_ahead_costs_those_who_wait_one_step_and_leaves_with_nobody(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    crowd = Crowd(make_throttle(3, 3), clock, max_wait_s=PATIENT)
    play(clock, [*(crowd.one_call() for _ in range(6)), crowd.one_call(Lane.OTP, begins_s=0.1)], for_s=9)
    assert crowd.departures.times() == pytest.approx([n / 3 for n in range(7)], abs=EARLY_S)
    assert crowd.departures.times(Lane.OTP) == pytest.approx([1 / 3], abs=EARLY_S)


def test_calls_that_go_ahead_and_calls_that_queue_leave_a_step_apart(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(10, 10)
    crowd = Crowd(throttle, clock, max_wait_s=PATIENT)
    sends = [crowd.one_call(begins_s=n / 30) for n in range(60)]
    ahead = [crowd.one_call(lane, begins_s=0.37 * n) for n in range(10) for lane in (Lane.OTP, Lane.POLL, Lane.CLOSING)]
    play(clock, [*sends, *ahead], for_s=20)
    times = crowd.departures.times()
    assert len(times) == 90
    assert crowd.departures.shortest_gap_s() >= 0.1 - EARLY_S
    assert times[-1] == pytest.approx(8.9, abs=0.5), "hardly a step is lost"


def test_a_burst_of_otps_goes_ahead_as_far_as_its_share_goes_and_does_not_shut_out_the_sends(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(10, 10)
    crowd = Crowd(throttle, clock)
    otps = [crowd.one_call(Lane.OTP, begins_s=5) for _ in range(100)]
    play(clock, [*(crowd.caller() for _ in range(24)), *otps], for_s=20)
    assert sum(at < 6.2 for at in crowd.departures.times(Lane.OTP)) >= 10
    assert sum(5 <= at < 15 for at in crowd.departures.times(Lane.SEND)) >= 15
    assert crowd.departures.shortest_gap_s() >= 0.1 - EARLY_S


@pytest.mark.parametrize("rate", [3, 10, 40])
def test_an_otp_leaves_within_a_second_also_behind_polls_that_had_saved_up_their_share(
    make_throttle: Callable[..., Throttle], clock: Clock, rate: int
) -> None:
    throttle = make_throttle(rate, rate)
    crowd = Crowd(throttle, clock, max_wait_s=PATIENT)
    sends = [crowd.one_call() for _ in range(20 * rate)]
    polls = [crowd.one_call(lane, begins_s=5) for lane in (Lane.POLL, Lane.CLOSING) for _ in range(rate)]
    otp = crowd.one_call(Lane.OTP, begins_s=5.001)
    play(clock, [*sends, *polls, otp], for_s=MINUTE)
    assert crowd.departures.waits(Lane.OTP)[0] <= 1


# ── parts of the whole ──


@pytest.mark.parametrize("lane", Lane)
def test_a_lane_that_is_alone_has_the_whole_rate(
    make_throttle: Callable[..., Throttle], clock: Clock, lane: Lane
) -> None:
    left = compete(make_throttle(10, 10), clock, {lane: 24}, for_s=MINUTE)
    assert 595 <= len(left.calls) <= 601


@pytest.mark.parametrize("rate", [3, 10, 40])
def test_an_otp_now_and_then_costs_the_others_one_step_each_and_no_more(
    make_throttle: Callable[..., Throttle], clock: Clock, rate: int
) -> None:
    throttle = make_throttle(rate, rate)
    crowd = Crowd(throttle, clock)
    otps = [crowd.one_call(Lane.OTP, begins_s=5 + 7.3 * n) for n in range(8)]
    play(clock, [*(crowd.caller() for _ in range(48)), *otps], for_s=MINUTE)
    assert len(crowd.departures.calls) >= 0.97 * rate * MINUTE


@pytest.mark.parametrize("rate", [3, 40])
def test_polls_get_their_share_while_sends_wait_and_no_more_than_half(
    make_throttle: Callable[..., Throttle], clock: Clock, rate: int
) -> None:
    left = compete(make_throttle(rate, rate), clock, {Lane.SEND: 24, Lane.POLL: 24}, for_s=MINUTE)
    assert len(left.calls) >= 0.97 * rate * MINUTE
    assert 0.19 <= left.part(Lane.POLL) <= 0.51


@pytest.mark.parametrize("rate", [3, 10])
def test_one_poller_among_many_senders_keeps_its_share_and_leaves_them_theirs(
    make_throttle: Callable[..., Throttle], clock: Clock, rate: int
) -> None:
    left = compete(make_throttle(rate, rate), clock, {Lane.SEND: 48, Lane.POLL: 1}, for_s=MINUTE)
    assert len(left.calls) >= 0.97 * rate * MINUTE
    assert left.part(Lane.POLL) >= 0.18


def test_a_few_senders_among_many_pollers_keep_half(make_throttle: Callable[..., Throttle], clock: Clock) -> None:
    left = compete(make_throttle(10, 10), clock, {Lane.SEND: 8, Lane.POLL: 24}, for_s=MINUTE)
    assert left.part(Lane.SEND) >= 0.49


def test_otps_without_end_take_no_more_than_their_share_from_the_sends(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    left = compete(make_throttle(10, 10), clock, {Lane.OTP: 1, Lane.SEND: 24}, for_s=MINUTE)
    assert len(left.calls) >= 0.97 * 10 * MINUTE
    assert 0.4 <= left.part(Lane.OTP) <= 0.6


@pytest.mark.parametrize("rate", [3, 40])
def test_when_everybody_wants_everything_nobody_starves_and_nothing_is_wasted(
    make_throttle: Callable[..., Throttle], clock: Clock, rate: int
) -> None:
    left = compete(make_throttle(rate, rate), clock, dict.fromkeys(Lane, 12), for_s=MINUTE)
    assert 0.97 * rate * MINUTE <= len(left.calls) <= rate * MINUTE + 1
    assert left.shortest_gap_s() >= 1 / rate - EARLY_S
    for lane in (Lane.OTP, Lane.CLOSING, Lane.POLL, Lane.HOUSEKEEPING):
        assert left.part(lane) >= 0.5 * lane.share
    assert left.part(Lane.SEND) >= 0.02


def test_a_lane_held_to_its_cap_is_let_out_where_that_is_soon_enough(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(10, 10)
    queue(throttle, 3)
    throttle.take(Lane.HOUSEKEEPING)
    assert throttle.take(Lane.HOUSEKEEPING, max_wait_s=2).wait_s <= 2


@pytest.mark.parametrize("lane", [lane for lane in Lane if lane.share])
def test_what_a_lane_took_while_it_was_alone_it_does_not_owe(
    make_throttle: Callable[..., Throttle], clock: Clock, lane: Lane
) -> None:
    throttle = make_throttle(10, 10)
    compete(throttle, clock, {lane: 24}, for_s=MINUTE)
    left = compete(throttle, clock, {lane: 4, Lane.SEND: 4}, for_s=MINUTE)
    assert left.part(lane) >= 0.8 * lane.share


def test_the_shares_leave_room_for_the_sends() -> None:
    assert sum(lane.share for lane in Lane) < 1
