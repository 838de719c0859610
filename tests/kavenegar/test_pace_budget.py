"""One budget of calls for all workers, on a real Valkey; time is handed in, so that an hour passes in a moment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import redis

from campaigns.kavenegar.throttle import Lane, Throttle, connect
from tests.kavenegar.pace import MINUTE, Clock, refused


def test_slots_lie_one_step_apart(make_throttle: Callable[..., Throttle]) -> None:
    throttle = make_throttle(start_rate=5)
    assert [throttle.take(Lane.SEND) for _ in range(6)] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0], abs=1e-5)


def test_a_wait_too_long_takes_no_slot_and_says_how_long_it_is(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(start_rate=5)
    for _ in range(11):
        throttle.take(Lane.SEND)
    for _ in range(20):
        why = refused(throttle)
        assert why.retry_after_s == pytest.approx(2.2, abs=1e-5)
        assert why.code is None
    clock.s += 0.2
    assert throttle.take(Lane.SEND) == pytest.approx(2.0, abs=1e-5)
    assert throttle.take(Lane.SEND, max_wait_s=5) == pytest.approx(2.2, abs=1e-5)


def test_no_slots_are_saved_up_in_quiet_times(make_throttle: Callable[..., Throttle], clock: Clock) -> None:
    throttle = make_throttle(start_rate=5)
    throttle.take(Lane.SEND)
    clock.s += 3600
    assert [throttle.take(Lane.SEND) for _ in range(3)] == pytest.approx([0, 0.2, 0.4], abs=1e-5)


def test_no_two_threads_of_all_processes_get_the_same_slot(valkey_url: str, valkey: redis.Redis, clock: Clock) -> None:
    def take_25(_: int) -> list[float]:
        with connect(valkey_url) as own:
            throttle = Throttle(own, account="one", start_rate=100, max_rate=100, clock=clock, sleep=lambda _: None)
            return [throttle.take(Lane.SEND, max_wait_s=60) for _ in range(25)]

    with ThreadPoolExecutor(8) as threads:
        waits = sorted(wait for part in threads.map(take_25, range(8)) for wait in part)
    assert waits == pytest.approx([n / 100 for n in range(200)], abs=1e-5)


def test_accounts_do_not_share_a_pace(make_throttle: Callable[..., Throttle]) -> None:
    assert make_throttle(account="one").take(Lane.SEND) == make_throttle(account="two").take(Lane.SEND) == 0


def test_a_wait_is_slept_and_told(make_throttle: Callable[..., Throttle]) -> None:
    slept: list[float] = []
    throttle = make_throttle(start_rate=5, sleep=slept.append)
    told = [throttle.take(Lane.SEND) for _ in range(3)]
    assert slept == told[1:] == pytest.approx([0.2, 0.4], abs=1e-5)


def test_the_servers_own_clock_is_used_unless_another_is_given(valkey_url: str, valkey: redis.Redis) -> None:
    slept: list[float] = []
    with connect(valkey_url) as own:
        throttle = Throttle(own, account="one", start_rate=0.5, max_rate=0.5, sleep=slept.append)
        throttle.take(Lane.SEND)
        throttle.take(Lane.SEND)
        throttle.blocked(451, 60)
        paused_until = throttle.view().paused_until
    assert 1 < slept[0] <= 2
    seconds, _ = valkey.time()  # type: ignore[misc]
    assert paused_until is not None
    assert abs(paused_until - datetime.fromtimestamp(seconds, UTC) - timedelta(seconds=60)) < timedelta(seconds=2)


def test_the_view_counts_the_last_minutes_slots_by_lane(make_throttle: Callable[..., Throttle], clock: Clock) -> None:
    throttle = make_throttle(100, 200)
    for lane, many in ((Lane.OTP, 1), (Lane.SEND, 40), (Lane.POLL, 20)):
        for _ in range(many):
            throttle.take(lane)
    assert throttle.view().taken == {Lane.OTP: 1, Lane.SEND: 40, Lane.POLL: 20, Lane.HOUSEKEEPING: 0}
    assert (throttle.view().max_rate, throttle.view().rate) == (200, throttle.rate())
    clock.s = 1.5 * MINUTE
    assert throttle.view().taken[Lane.SEND] == 20
    throttle.take(Lane.SEND)
    assert throttle.view().taken[Lane.SEND] == 21
    clock.s = 4 * MINUTE
    assert set(throttle.view().taken.values()) == {0}


def test_a_look_changes_nothing(make_throttle: Callable[..., Throttle], valkey: redis.Redis) -> None:
    throttle = make_throttle()
    throttle.view()
    throttle.rate()
    assert valkey.keys() == []


def test_one_key_an_account_which_goes_when_nobody_calls_but_not_during_a_pause(
    make_throttle: Callable[..., Throttle], valkey: redis.Redis
) -> None:
    make_throttle().take(Lane.SEND)
    assert valkey.keys() == [b"pace:one"]
    assert 900 < valkey.ttl("pace:one") <= 3600  # type: ignore[operator]
