"""Redis flushed, restarted, silent or gone, or its clock set back: the pace begins anew, or nobody calls."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import redis

from kavenegar_campaigns.errors import GatewayDown, Postpone, Throttled
from kavenegar_campaigns.kavenegar.pace import Slot, Throttle
from kavenegar_campaigns.kavenegar.redis_client import connect_redis
from kavenegar_campaigns.rules.pace import Lane, LearntRate
from tests.kavenegar.pace import BEGIN, MINUTE, Clock, Crowd, compete, play, queue, turned_away

TAUGHT = LearntRate(rate=12.5, refused=14.25, at=BEGIN - timedelta(hours=3))
SLOT = Slot(Lane.SEND, wait_s=0.0, due_us=0, tier=0, epoch=0, generation=0, probe=True)

# ── forgotten ──


def test_after_a_flush_the_pace_begins_at_its_start(
    make_throttle: Callable[..., Throttle], valkey: redis.Redis
) -> None:
    throttle = make_throttle(10, 20)
    throttle.report_throttled(throttle.take(Lane.SEND), 451, 60)
    valkey.flushall()
    assert throttle.rate() == 10
    assert throttle.take(Lane.SEND).wait_s == 0


def test_a_slot_from_before_a_flush_is_void(
    make_throttle: Callable[..., Throttle], clock: Clock, valkey: redis.Redis
) -> None:
    throttle = make_throttle()
    *_, last = queue(throttle, 3)
    clock.s = 0.1
    valkey.flushall()
    turned_away(throttle, last)
    queue(throttle, 1)
    turned_away(throttle, last)


def test_calls_that_wait_through_a_flush_do_not_leave_all_at_once(
    make_throttle: Callable[..., Throttle], clock: Clock, valkey: redis.Redis
) -> None:
    throttle = make_throttle(10, 10)
    crowd = Crowd(throttle, clock)
    play(clock, [crowd.caller() for _ in range(24)] + [crowd.caller(Lane.OTP)], for_s=10)
    callers = [crowd.caller(begins_s=n / 40) for n in range(24)]
    play(clock, callers, for_s=1)
    valkey.flushall()
    flushed = clock.s
    play(clock, callers, for_s=3)
    assert sum(flushed < at < flushed + 1 for at in crowd.departures.times()) <= 11


def test_the_pace_begins_at_what_it_is_reminded_of(make_throttle: Callable[..., Throttle]) -> None:
    throttle = make_throttle(5, 30)
    assert throttle.restore(TAUGHT)
    assert throttle.rate() == 12.5
    learnt = throttle.learnt()
    assert learnt is not None
    assert (learnt.refused, learnt.at) == (TAUGHT.refused, TAUGHT.at)


def test_what_was_reminded_of_is_what_is_known(make_throttle: Callable[..., Throttle]) -> None:
    throttle = make_throttle(5, 30)
    throttle.restore(TAUGHT)
    assert throttle.learnt() == TAUGHT


def test_a_pace_that_was_never_refused_is_reminded_of_that(make_throttle: Callable[..., Throttle]) -> None:
    throttle = make_throttle(5, 30)
    assert throttle.restore(replace(TAUGHT, refused=None))
    learnt = throttle.learnt()
    assert learnt is not None
    assert learnt.refused is None


def test_what_is_known_is_not_overruled_by_a_memory(make_throttle: Callable[..., Throttle]) -> None:
    throttle = make_throttle(5, 30)
    throttle.report_throttled(throttle.take(Lane.SEND), 451, 60)
    known = throttle.learnt()
    assert known is not None
    assert not throttle.restore(TAUGHT)
    assert throttle.learnt() == known


def test_calls_since_the_flush_are_no_knowledge(make_throttle: Callable[..., Throttle]) -> None:
    throttle = make_throttle(5, 30)
    queue(throttle, 3)
    assert throttle.restore(TAUGHT)
    assert throttle.rate() == 12.5


def test_no_memory_lifts_the_pace_above_its_highest_rate_or_changes_a_fixed_one(
    make_throttle: Callable[..., Throttle],
) -> None:
    assert not make_throttle(5, 30, fixed=True).restore(TAUGHT)
    assert make_throttle(5, 8).restore(TAUGHT)
    assert make_throttle(5, 8).rate() == 8


def test_first_nothing_is_learnt_then_what_held_then_what_was_refused(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(2, 100)
    assert throttle.learnt() is None
    throttle.take(Lane.SEND)
    assert throttle.learnt() is None

    compete(throttle, clock, {Lane.SEND: 24}, for_s=30)
    held, rate = throttle.learnt(), throttle.rate()
    assert held is not None
    assert held.refused is None
    assert 2 < held.rate <= rate
    assert timedelta(0) <= throttle.view().at - held.at < timedelta(seconds=5)

    clock.s += 5
    throttle.report_throttled(throttle.take(Lane.SEND), 451, 60)
    learnt = throttle.learnt()
    assert learnt is not None
    assert learnt.refused == pytest.approx(rate)
    assert learnt.rate < rate
    assert learnt.at == throttle.view().at


def test_a_forgotten_script_is_loaded_again(make_throttle: Callable[..., Throttle], valkey: redis.Redis) -> None:
    throttle = make_throttle(5, 5)
    throttle.take(Lane.SEND)
    valkey.script_flush()
    assert throttle.take(Lane.SEND).wait_s == pytest.approx(0.2, abs=1e-5)


# ── a clock set back ──


def _queue(throttle: Throttle, clock: Clock) -> None:
    queue(throttle, 9)


def _polls_held_to_their_cap(throttle: Throttle, clock: Clock) -> None:
    compete(throttle, clock, {Lane.SEND: 9, Lane.POLL: 9}, for_s=5)


def _busy(throttle: Throttle, clock: Clock) -> None:
    throttle.report_throttled(throttle.take(Lane.SEND), 409, 60)


def _blocked(throttle: Throttle, clock: Clock) -> None:
    throttle.report_throttled(throttle.take(Lane.SEND), 451, 60)


def _probed(throttle: Throttle, clock: Clock) -> None:
    _blocked(throttle, clock)
    assert throttle.take(Lane.SEND).probe


@pytest.mark.parametrize("left_behind", [_queue, _polls_held_to_their_cap, _busy, _blocked, _probed])
def test_a_clock_set_back_holds_nobody_up_for_longer_than_a_pause_and_a_minute(
    make_throttle: Callable[..., Throttle], clock: Clock, left_behind: Callable[[Throttle, Clock], None]
) -> None:
    throttle = make_throttle(5, 5)
    clock.s = 10 * 86_400
    left_behind(throttle, clock)
    clock.s -= 86_400
    crowd = Crowd(throttle, clock)
    play(clock, [crowd.one_call(Lane.SEND), crowd.one_call(Lane.POLL)], for_s=900 + MINUTE)
    assert {lane for _, lane, _ in crowd.departures.calls} == {Lane.SEND, Lane.POLL}


def test_after_a_clock_was_set_back_an_otp_goes_ahead_as_before(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(5, 5)
    clock.s = 86_400
    queue(throttle, 9)
    clock.s = MINUTE
    compete(throttle, clock, {Lane.SEND: 24}, for_s=2 * MINUTE)
    crowd = Crowd(throttle, clock)
    play(clock, [*(crowd.caller() for _ in range(12)), crowd.one_call(Lane.OTP, begins_s=0.5)], for_s=5)
    assert crowd.departures.waits(Lane.OTP) == pytest.approx([0.2], abs=0.21)


# ── gone ──


@pytest.mark.parametrize(
    "ask",
    [
        lambda t: t.take(Lane.SEND),
        lambda t: t.reserve(Lane.OTP, max_wait_s=2),
        lambda t: t.confirm(SLOT, max_wait_s=2),
        lambda t: t.report_ok(SLOT),
        lambda t: t.report_throttled(SLOT, 451, 60),
        lambda t: t.restore(TAUGHT),
        lambda t: t.learnt(),
        lambda t: t.rate(),
        lambda t: t.view(),
    ],
    ids=["take", "reserve", "confirm", "report_ok", "report_throttled", "restore", "learnt", "rate", "view"],
)
def test_without_redis_nobody_calls_and_nobody_is_told(closed_port_url: str, ask: Callable[[Throttle], Any]) -> None:
    with connect_redis(closed_port_url.replace("http", "redis")) as absent, pytest.raises(Postpone) as caught:
        ask(Throttle(absent, account="one", start_rate=5, max_rate=5))
    assert not isinstance(caught.value, Throttled | GatewayDown)
    assert caught.value.retry_after_s == 5


def test_a_redis_that_is_silent_is_waited_for_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        with (
            connect_redis(url) as client,
            redis.Redis.from_url(url, socket_timeout=0.3, retry=client.get_retry()) as hasty,
        ):
            throttle = Throttle(hasty, account="one", start_rate=5, max_rate=5)
            began = time.monotonic()
            with pytest.raises(Postpone):
                throttle.take(Lane.SEND)
            assert time.monotonic() - began < 5
            kept = client.connection_pool.connection_kwargs
            assert (kept["socket_connect_timeout"], kept["socket_timeout"]) == (3, 5)


def test_a_key_of_somebody_elses_postpones_instead_of_calling_unpaced(
    make_throttle: Callable[..., Throttle], valkey: redis.Redis
) -> None:
    valkey.set("pace:one", "not a hash")
    with pytest.raises(Postpone):
        make_throttle().take(Lane.SEND)


def test_a_redis_that_goes_while_a_call_waits_for_its_slot_postpones_it(
    make_throttle: Callable[..., Throttle], valkey: redis.Redis
) -> None:
    queue(make_throttle(), 2)
    with pytest.raises(Postpone) as caught:
        make_throttle(sleep=lambda _: valkey.set("pace:one", "not a hash")).take(Lane.SEND)
    assert not isinstance(caught.value, Throttled)


def test_a_dropped_connection_is_made_anew_without_the_caller_noticing(valkey_url: str, valkey: redis.Redis) -> None:
    with connect_redis(valkey_url) as own:
        throttle = Throttle(own, account="one", start_rate=1000, max_rate=1000)
        throttle.take(Lane.SEND)
        valkey.client_kill_filter(_type="normal", skipme=True)
        throttle.take(Lane.SEND)


@pytest.mark.parametrize(("start", "highest"), [(0, 5), (-1, 5), (6, 5)])
def test_rates_that_make_no_sense_are_found_at_once(
    make_throttle: Callable[..., Throttle], start: float, highest: float
) -> None:
    with pytest.raises(ValueError, match="rate"):
        make_throttle(start, highest)


def test_many_threads_at_once_keep_the_pace_of_the_servers_clock(valkey_url: str, valkey: redis.Redis) -> None:
    """Forty slots at 200 a second cannot be done in less than 39 steps, whatever the threads do."""
    began = time.monotonic()
    with connect_redis(valkey_url) as own:
        throttle = Throttle(own, account="one", start_rate=200, max_rate=200)
        takes = {"lane": Lane.SEND, "max_wait_s": 60}
        threads = [threading.Thread(target=throttle.take, kwargs=takes) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert throttle.view().lanes[Lane.SEND].calls == 40
    assert time.monotonic() - began >= 39 / 200 - 0.002
