"""When a worker counts as stuck: by what waited for it, in the time in which it could have run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.store import installation
from kavenegar_campaigns.store.database import Database
from kavenegar_campaigns.store.engine import make_engine
from kavenegar_worker.process import Watchdog
from tests.world import Sandbox, run_due_work, running

PATIENCE = timedelta(seconds=60)
LOOKS_S = 15


class Steady:
    """A steady clock in the hands of the test."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def broker(broker_url: str) -> Iterator[redis.Redis]:
    """The broker's queues, as the watchdog sees them."""
    with redis.Redis.from_url(broker_url) as client:
        yield client


@pytest.fixture
def clock() -> Steady:
    return Steady()


@pytest.fixture
def watchdog(context: Context, broker: redis.Redis, clock: Steady) -> Watchdog:
    """Of a worker that consumes everything but one-time passwords."""
    return Watchdog(context.database, broker, {"send", "poll", "inbox", "maint"}, PATIENCE, now_s=clock)


def looked(watchdog: Watchdog, clock: Steady, *, times: int) -> list[bool]:
    """What it finds each time it looks, a quarter of its patience apart."""
    found = []
    for _ in range(times):
        clock.seconds += LOOKS_S
        found.append(watchdog.is_stuck())
    return found


@pytest.mark.parametrize("queue", ["send", "poll", "inbox", "maint"])
def test_a_worker_for_which_a_message_waits_all_the_time_is_stuck(
    watchdog: Watchdog, broker: redis.Redis, clock: Steady, queue: str
) -> None:
    broker.lpush(queue, "a task")
    assert looked(watchdog, clock, times=4) == [False, False, False, True]


def test_a_worker_is_not_stuck_for_messages_that_others_consume(
    watchdog: Watchdog, broker: redis.Redis, clock: Steady
) -> None:
    broker.lpush("otp", "a task")
    assert not any(looked(watchdog, clock, times=8))


def test_a_worker_that_consumes_is_not_stuck_however_much_waits(
    watchdog: Watchdog, broker: redis.Redis, clock: Steady
) -> None:
    broker.lpush("send", "a task", "another")
    assert not any(looked(watchdog, clock, times=3))
    watchdog.feed()
    assert not any(looked(watchdog, clock, times=3))


def test_a_worker_whose_machine_slept_for_an_hour_gets_its_whole_patience_anew(
    watchdog: Watchdog, broker: redis.Redis, clock: Steady
) -> None:
    broker.lpush("send", "a task")
    clock.seconds += 3600
    assert not watchdog.is_stuck()
    assert looked(watchdog, clock, times=4) == [False, False, False, True]


def test_a_worker_is_not_stuck_while_no_beat_rings_nor_when_it_is_back(
    watchdog: Watchdog, context: Context, sandbox: Sandbox, broker: redis.Redis, clock: Steady
) -> None:
    """It had nothing to consume. Without a tick nothing stands in any queue, and the last tick is long ago."""
    run_due_work(context)
    sandbox.advance(hours=1)
    assert not any(looked(watchdog, clock, times=8))
    broker.lpush("maint", "a tick")
    assert looked(watchdog, clock, times=4) == [False, False, False, True]


def test_a_worker_is_not_stuck_when_a_hold_of_the_account_is_lifted(
    watchdog: Watchdog, context: Context, sandbox: Sandbox, broker: redis.Redis, clock: Steady
) -> None:
    """Batches have been due for an hour, and nobody could do anything about it."""
    now = context.now()
    context.database(
        installation.hold_account, code=418, reason="no credit", hold_recheck_at=now + timedelta(hours=2), now=now
    )
    running(context.database.engine, 200)
    sandbox.advance(hours=1)
    assert not any(looked(watchdog, clock, times=8))
    context.database(installation.release_hold, credit_rial=1, now=context.now())
    broker.lpush("send", "a ring")
    assert not any(looked(watchdog, clock, times=3))


def test_a_worker_is_not_stuck_while_the_broker_is_away(
    context: Context, broker: redis.Redis, clock: Steady, closed_port_url: str
) -> None:
    broker.lpush("send", "a task")
    away = redis.Redis.from_url(closed_port_url.replace("http", "redis"))
    watchdog = Watchdog(context.database, away, {"send"}, PATIENCE, now_s=clock)
    assert not any(looked(watchdog, clock, times=8))


def test_a_worker_is_not_stuck_while_the_database_is_away(
    broker: redis.Redis, clock: Steady, closed_port_url: str
) -> None:
    """Its tasks wait for it, all of its threads may do so, and they go on when it is back."""
    broker.lpush("send", "a task")
    engine = make_engine(closed_port_url.replace("http", "postgresql+psycopg") + "/nowhere")
    watchdog = Watchdog(Database(engine), broker, {"send"}, PATIENCE, now_s=clock)
    assert not any(looked(watchdog, clock, times=8))
    engine.dispose()
