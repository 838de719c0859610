"""Who goes before whom, and what nobody can take from those behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from campaigns.kavenegar.throttle import Lane, Throttle
from tests.kavenegar.pace import MINUTE, Clock, compete


@pytest.mark.parametrize("lane", Lane)
def test_a_lane_that_is_alone_gets_the_whole_rate(
    make_throttle: Callable[..., Throttle], clock: Clock, lane: Lane
) -> None:
    slots, _ = compete(make_throttle(start_rate=10, max_rate=10), clock, {lane: 24}, for_s=MINUTE)
    assert 595 <= slots[lane] <= 601


def test_polls_get_their_share_while_sends_wait_and_no_more_than_half(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    slots, _ = compete(make_throttle(10, 10), clock, {Lane.SEND: 24, Lane.POLL: 24}, for_s=2 * MINUTE)
    assert 0.2 <= slots[Lane.POLL] / slots.total() <= 0.5
    assert 1195 <= slots.total() <= 1205


def test_one_poller_among_many_senders_keeps_its_share(make_throttle: Callable[..., Throttle], clock: Clock) -> None:
    slots, longest = compete(make_throttle(10, 10), clock, {Lane.SEND: 48, Lane.POLL: 1}, for_s=2 * MINUTE)
    assert slots[Lane.POLL] / slots.total() >= 0.19
    assert longest[Lane.POLL] < 1


def test_one_sender_among_many_pollers_keeps_half(make_throttle: Callable[..., Throttle], clock: Clock) -> None:
    slots, _ = compete(make_throttle(10, 10), clock, {Lane.SEND: 8, Lane.POLL: 48}, for_s=2 * MINUTE)
    assert slots[Lane.SEND] / slots.total() >= 0.49


def test_an_otp_does_not_wait_behind_a_campaign(make_throttle: Callable[..., Throttle], clock: Clock) -> None:
    callers = {Lane.OTP: 1, Lane.SEND: 48, Lane.POLL: 8}
    slots, longest = compete(make_throttle(5, 5), clock, callers, for_s=2 * MINUTE)
    assert longest[Lane.OTP] <= 0.41
    assert slots[Lane.OTP] / slots.total() >= 0.45
    assert 595 <= slots.total() <= 605


def test_all_lanes_together_stay_within_the_rate_and_none_starves(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    callers = dict.fromkeys(Lane, 16)
    slots, _ = compete(make_throttle(20, 20), clock, callers, for_s=2 * MINUTE)
    assert 2390 <= slots.total() <= 2410
    assert slots[Lane.OTP] >= slots[Lane.SEND] >= slots[Lane.POLL] >= slots[Lane.HOUSEKEEPING] > 40


def test_floors_leave_room_for_sends() -> None:
    assert sum(lane.floor for lane in Lane) < 0.8
