"""Redis flushed, restarted, silent or gone: the pace begins anew, or nobody calls."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from campaigns.errors import GatewayDown, Postpone, Throttled
from campaigns.kavenegar.throttle import Lane, Throttle, connect
from tests.kavenegar.pace import Clock, refused


def test_after_a_flush_the_pace_begins_at_its_start(
    make_throttle: Callable[..., Throttle], valkey: redis.Redis
) -> None:
    throttle = make_throttle(10, 20)
    throttle.blocked(451, 60)
    valkey.flushall()
    assert throttle.take(Lane.SEND) == 0
    assert throttle.rate() == 10


def test_a_forgotten_script_is_loaded_again(make_throttle: Callable[..., Throttle], valkey: redis.Redis) -> None:
    throttle = make_throttle()
    throttle.take(Lane.SEND)
    valkey.script_flush()
    assert throttle.take(Lane.SEND) == pytest.approx(0.2, abs=1e-5)


def test_a_clock_set_back_holds_nobody_up_for_longer_than_a_pause(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle()
    clock.s = 10 * 86_400
    throttle.take(Lane.SEND)
    throttle.blocked(451, 60)
    clock.s = 0
    assert refused(throttle).retry_after_s <= 960


@pytest.mark.parametrize(
    "call",
    [lambda t: t.take(Lane.SEND), lambda t: t.blocked(451, 60), lambda t: t.view(), lambda t: t.rate()],
    ids=["take", "blocked", "view", "rate"],
)
def test_without_redis_nobody_calls(closed_port_url: str, call: Callable[[Throttle], Any]) -> None:
    with connect(closed_port_url.replace("http", "redis")) as absent, pytest.raises(Postpone) as caught:
        call(Throttle(absent, account="one", start_rate=5, max_rate=5))
    assert not isinstance(caught.value, Throttled | GatewayDown)
    assert caught.value.retry_after_s == 5


def test_a_redis_that_is_silent_is_waited_for_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        with connect(url) as client, redis.Redis.from_url(url, socket_timeout=0.3, retry=client.get_retry()) as hasty:
            throttle = Throttle(hasty, account="one", start_rate=5, max_rate=5)
            began = time.monotonic()
            with pytest.raises(Postpone):
                throttle.take(Lane.SEND)
            assert time.monotonic() - began < 1.5
            kept = client.connection_pool.connection_kwargs
            assert (kept["socket_connect_timeout"], kept["socket_timeout"]) == (3, 5)


def test_a_key_of_somebody_elses_postpones_instead_of_calling_unpaced(
    make_throttle: Callable[..., Throttle], valkey: redis.Redis
) -> None:
    valkey.set("pace:one", "not a hash")
    with pytest.raises(Postpone):
        make_throttle().take(Lane.SEND)


def test_a_dropped_connection_is_made_anew_without_the_caller_noticing(valkey_url: str, valkey: redis.Redis) -> None:
    with connect(valkey_url) as own:
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
    with connect(valkey_url) as own:
        throttle = Throttle(own, account="one", start_rate=200, max_rate=200)
        threads = [threading.Thread(target=throttle.take, args=(Lane.SEND,)) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert time.monotonic() - began >= 39 / 200
    assert throttle.rate() == 200
