"""One budget of calls for all workers, on a real Valkey; time is handed in, so that an hour passes in a moment."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from kavenegar_campaigns.errors import Throttled
from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.kavenegar.redis_client import connect_redis
from kavenegar_campaigns.rules.pace import Lane
from tests.kavenegar.pace import EARLY_S, MINUTE, Clock, Crowd, Departures, compete, play, queue, refused, turned_away

# ── slots ──


@pytest.mark.parametrize("rate", [0.4, 3, 5, 7.5, 40])
def test_slots_lie_one_step_apart(make_throttle: Callable[..., Throttle], rate: float) -> None:
    slots = queue(make_throttle(rate, rate), 8)
    assert [slot.wait_s for slot in slots] == pytest.approx([n / rate for n in range(8)], abs=1e-5)


def test_no_two_threads_of_all_processes_get_the_same_slot(valkey_url: str, valkey: redis.Redis, clock: Clock) -> None:
    def reserve_25(_: int) -> list[float]:
        with connect_redis(valkey_url) as own:
            throttle = Throttle(own, account="one", start_rate=100, max_rate=100, clock=clock)
            return [slot.wait_s for slot in queue(throttle, 25)]

    with ThreadPoolExecutor(8) as threads:
        waits = sorted(wait for part in threads.map(reserve_25, range(8)) for wait in part)
    assert waits == pytest.approx([n / 100 for n in range(200)], abs=1e-5)


def test_a_wait_too_long_reserves_nothing_and_says_how_long_it_is(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(5, 5)
    queue(throttle, 11)
    for _ in range(20):
        why = refused(throttle, max_wait_s=2)
        assert why.retry_after_s == pytest.approx(2.2, abs=1e-5)
        assert why.code is None
    clock.s += 0.2
    assert throttle.reserve(Lane.SEND, max_wait_s=2).wait_s == pytest.approx(2.0, abs=1e-5)
    assert throttle.reserve(Lane.SEND, max_wait_s=5).wait_s == pytest.approx(2.2, abs=1e-5)


@pytest.mark.parametrize(("start", "highest"), [(3, 3), (5, 5), (7.1, 7.1), (3, 30), (7.1, 30)])
def test_the_last_in_the_queue_that_gives_up_leaves_no_gap(
    make_throttle: Callable[..., Throttle], start: float, highest: float
) -> None:
    throttle = make_throttle(start, highest)
    last = queue(throttle, 7)[-1]
    turned_away(throttle, last, max_wait_s=0)
    again = throttle.reserve(Lane.SEND, max_wait_s=5)
    assert again.wait_s == pytest.approx(last.wait_s, abs=0.01 / start)


def test_one_in_the_middle_that_gives_up_lets_nobody_leave_together_with_another(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(5, 5)
    crowd = Crowd(throttle, clock)
    impatient = Crowd(throttle, clock, max_wait_s=1.5)
    sends = [crowd.one_call(begins_s=0.001 * n) for n in range(7)]
    then = [crowd.one_call(begins_s=0.1 + 0.1 * n) for n in range(20)]
    otps = [crowd.one_call(Lane.OTP, begins_s=0.5 + 0.001 * n) for n in range(3)]
    play(clock, [*sends, impatient.one_call(begins_s=0.0065), *then, *otps], for_s=20)
    assert len(crowd.departures.calls) == 30
    both = Departures([*crowd.departures.calls, *impatient.departures.calls])
    assert both.shortest_gap_s() >= 0.2 - EARLY_S


def test_quiet_times_save_nothing_up(make_throttle: Callable[..., Throttle], clock: Clock) -> None:
    throttle = make_throttle(5, 5)
    queue(throttle, 2)
    clock.s += 3600
    assert [slot.wait_s for slot in queue(throttle, 3)] == pytest.approx([0, 0.2, 0.4], abs=1e-5)


def test_accounts_do_not_share_a_pace(make_throttle: Callable[..., Throttle]) -> None:
    queue(make_throttle(account="one"), 9)
    assert make_throttle(account="two").reserve(Lane.SEND, max_wait_s=0).wait_s == 0


def test_a_given_rate_is_kept_to_at_99_percent_and_no_call_leaves_too_soon(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(10, 20, fixed=True)
    left = compete(throttle, clock, {Lane.SEND: 24}, for_s=MINUTE)
    assert throttle.rate() == pytest.approx(9.9)
    assert 0.98 * 10 * MINUTE <= len(left.calls) <= 0.99 * 10 * MINUTE + 1
    assert left.shortest_gap_s() >= 1 / 9.9 - EARLY_S


# ── waiting for them ──


def test_a_wait_is_slept_and_told(make_throttle: Callable[..., Throttle], clock: Clock) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.sleep(seconds)

    throttle = make_throttle(5, 5, sleep=sleep)
    waits = [throttle.take(Lane.SEND).wait_s for _ in range(3)]
    assert slept == waits[1:] == pytest.approx([0.2, 0.2], abs=1e-5)


def test_who_wakes_too_early_sleeps_on(make_throttle: Callable[..., Throttle], clock: Clock) -> None:
    throttle = make_throttle(5, 5, sleep=lambda seconds: clock.sleep(seconds / 2))
    throttle.take(Lane.SEND)
    throttle.take(Lane.SEND)
    assert clock.s >= 0.2 - EARLY_S


def test_who_is_moved_back_while_asleep_waits_no_longer_than_was_asked_for(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    otps = make_throttle(5, 5)

    def sleep(seconds: float) -> None:
        queue(otps, 3, Lane.OTP)
        clock.sleep(seconds)

    queue(otps, 10)
    with contextlib.suppress(Throttled):
        make_throttle(5, 5, sleep=sleep).take(Lane.SEND, max_wait_s=2)
    assert clock.s <= 2


def test_the_servers_own_clock_is_used_unless_another_is_given(valkey_url: str, valkey: redis.Redis) -> None:
    with connect_redis(valkey_url) as own:
        throttle = Throttle(own, account="one", start_rate=0.5, max_rate=0.5)
        slot, next_slot = queue(throttle, 2)
        throttle.report_throttled(slot, 409, 60)
        view = throttle.view()
    assert 0 < next_slot.wait_s <= 2
    moment: Any = valkey.time()
    assert view.paused_until is not None
    assert abs(view.at - datetime.fromtimestamp(moment[0], UTC)) < timedelta(seconds=30)
    assert timedelta(0) < view.paused_until - view.at <= timedelta(seconds=60)


# ── what is seen of it ──


def test_the_view_counts_the_last_minutes_calls_by_lane(make_throttle: Callable[..., Throttle], clock: Clock) -> None:
    def calls() -> dict[Lane, int]:
        return {lane: seen.calls for lane, seen in throttle.view().lanes.items() if seen.calls}

    throttle = make_throttle(100, 200)
    for lane, many in ((Lane.OTP, 1), (Lane.SEND, 40), (Lane.POLL, 20)):
        queue(throttle, many, lane)
    assert calls() == {Lane.OTP: 1, Lane.SEND: 40, Lane.POLL: 20}
    clock.s = 1.5 * MINUTE
    assert calls()[Lane.SEND] == 20
    queue(throttle, 1)
    assert calls()[Lane.SEND] == 21
    clock.s = 4 * MINUTE
    assert calls() == {}


def test_the_view_tells_how_long_the_queue_is_and_which_lanes_wait(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(5, 5)
    queue(throttle, 4)
    view = throttle.view()
    assert (view.rate, view.max_rate, view.fixed, view.at.timestamp() * 1e6) == (5, 5, False, clock())
    assert view.queue_s == pytest.approx(0.8, abs=1e-5)
    queue(throttle, 1, Lane.OTP)
    view = throttle.view()
    assert {lane for lane, seen in view.lanes.items() if seen.waiting} == {Lane.OTP, Lane.SEND}
    clock.s = 10
    assert throttle.view().queue_s == 0
    assert not any(seen.waiting for seen in throttle.view().lanes.values())


def test_a_look_changes_nothing(make_throttle: Callable[..., Throttle], valkey: redis.Redis) -> None:
    throttle = make_throttle()
    throttle.view()
    throttle.rate()
    throttle.learnt()
    assert valkey.keys() == []


def test_one_key_an_account_which_goes_when_nobody_calls_but_not_during_a_pause(
    make_throttle: Callable[..., Throttle], valkey: redis.Redis
) -> None:
    (slot,) = queue(make_throttle(), 1)
    make_throttle().report_throttled(slot, 409, 900)
    assert valkey.keys() == [b"pace:one"]
    lasts_s: Any = valkey.ttl("pace:one")
    assert 900 < lasts_s <= 3600
