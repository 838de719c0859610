"""The tick and the pace: nobody is rung for in vain during a pause, and what was learnt is kept and given back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.kavenegar.redis_client import connect_redis
from kavenegar_campaigns.rules.pace import Lane, LearntRate
from kavenegar_campaigns.stages import dispatch, submit
from kavenegar_campaigns.stages.dispatch import DueWork
from kavenegar_campaigns.store import due
from kavenegar_worker.wiring import account_label
from tests.world import Sandbox, batch_ids, run_due_work, running


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def tick(context: Context) -> DueWork:
    return dispatch.tick(context, now=context.now())


# ── a pause ──


class ManualClock:
    """The clock of a pace; tests move it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 21, tzinfo=UTC)

    def us(self) -> int:
        return round(self.now.timestamp() * 1_000_000)

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def test_while_the_pace_is_paused_nobody_is_rung_for_until_their_calls_can_leave(
    context: Context, engine: Engine, sandbox: Sandbox, broker_url: str
) -> None:
    """The pause is told on the clock of the Redis server, which here is months away from the database's."""
    clock = ManualClock()
    pace = Throttle(
        connect_redis(broker_url), account="paused", start_rate=4, max_rate=4, clock=clock.us, sleep=clock.move
    )
    paused = replace(context, pace=pace)
    running(engine, 600)
    run_due_work(context)
    sandbox.advance(minutes=6)
    campaign = running(engine, 6000)
    pace.report_throttled(pace.take(Lane.SEND), 409, 30)

    assert tick(paused) == DueWork()
    clock.move(27.9)
    assert tick(paused) == DueWork()
    clock.move(1.1)

    due_work = tick(paused)

    assert len(due_work.send) == 8  # four calls a second, for what the pause leaves of three seconds
    assert set(due_work.send) <= set(batch_ids(engine, campaign))
    assert due_work.polls == 2


def test_a_paused_pace_costs_an_account_on_hold_no_look(
    context: Context, engine: Engine, sandbox: Sandbox, broker_url: str
) -> None:
    clock = ManualClock()
    pace = Throttle(
        connect_redis(broker_url), account="held", start_rate=4, max_rate=4, clock=clock.us, sleep=clock.move
    )
    sandbox.turn(account_code=401)
    submit.send_batch(context, batch_ids(engine, running(engine, 200))[0])
    pace.report_throttled(pace.take(Lane.SEND), 409, 30)
    assert tick(replace(context, pace=pace)) == DueWork()
    assert tick(context).account


# ── what the gateway has taught ──

TAUGHT = LearntRate(rate=37.5, refused=41.25, at=datetime(2026, 1, 5, 8, tzinfo=UTC))


@pytest.fixture
def taught(context: Context, broker_url: str) -> Context:
    """The same context at a pace that may learn: it begins at five calls a second and never exceeds a hundred."""
    return replace(context, pace=Throttle(connect_redis(broker_url), account="taught", start_rate=5, max_rate=100))


def flush(broker_url: str) -> None:
    with connect_redis(broker_url) as client:
        client.flushall()


def kept(engine: Engine) -> list[tuple[object, ...]]:
    """What PostgreSQL keeps, and which transaction wrote it."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT label, rate, refused, learnt_at, xmin::text FROM sms.pace"))
        return [tuple(row) for row in rows]


def test_what_the_gateway_taught_outlives_a_flush_of_redis(taught: Context, broker_url: str) -> None:
    assert taught.pace.restore(TAUGHT)
    learnt = taught.pace.learnt()
    assert learnt is not None
    tick(taught)
    flush(broker_url)
    assert (taught.pace.learnt(), taught.pace.rate()) == (None, 5)

    tick(taught)

    again = taught.pace.learnt()
    assert again is not None
    assert (again.refused, again.at) == (learnt.refused, learnt.at)
    assert taught.pace.rate() > 30


def test_the_tick_that_reminds_the_pace_rings_at_the_rate_it_was_reminded_of(
    taught: Context, engine: Engine, broker_url: str
) -> None:
    taught.pace.restore(TAUGHT)
    tick(taught)
    flush(broker_url)
    running(engine, 10_000)
    assert len(tick(taught).send) == 50  # every batch of it; five calls a second would be 25


def test_as_long_as_nothing_was_learnt_nothing_is_written_down(taught: Context, engine: Engine) -> None:
    tick(taught)
    assert kept(engine) == []


def test_each_account_is_reminded_of_its_own(taught: Context, broker_url: str) -> None:
    taught.pace.restore(TAUGHT)
    tick(taught)
    other = Throttle(connect_redis(broker_url), account="another", start_rate=5, max_rate=100)
    tick(replace(taught, pace=other))
    assert (other.learnt(), other.rate()) == (None, 5)


def test_a_rotated_key_is_reminded_of_what_the_one_before_it_was_taught_at_the_same_address(
    context: Context, engine: Engine, broker_url: str
) -> None:
    def with_key(key: str, egress: str) -> Context:
        label = account_label(key, egress)
        return replace(context, pace=Throttle(connect_redis(broker_url), account=label, start_rate=5, max_rate=100))

    old, new, elsewhere = with_key("old", "office"), with_key("new", "office"), with_key("new", "warehouse")
    old.pace.restore(TAUGHT)
    for each in (old, new, elsewhere):
        tick(each)
    assert new.pace.learnt() == TAUGHT
    assert (elsewhere.pace.learnt(), elsewhere.pace.rate()) == (None, 5)


def test_a_fixed_pace_is_reminded_of_nothing(taught: Context, broker_url: str) -> None:
    taught.pace.restore(TAUGHT)
    tick(taught)
    flush(broker_url)
    fixed = Throttle(connect_redis(broker_url), account="taught", start_rate=5, max_rate=5, fixed=True)
    tick(replace(taught, pace=fixed))
    assert taught.pace.learnt() is None


@pytest.mark.parametrize(
    ("later", "written"),
    [
        (replace(TAUGHT, rate=37.6, at=TAUGHT.at + timedelta(minutes=9)), False),
        (replace(TAUGHT, rate=38.5), True),
        (replace(TAUGHT, rate=36.5), True),
        (replace(TAUGHT, refused=41.0), True),
        (replace(TAUGHT, refused=None), True),
        (replace(TAUGHT, at=TAUGHT.at + timedelta(minutes=11)), True),
    ],
    ids=["much the same", "faster", "slower", "refused sooner", "never refused", "confirmed again"],
)
def test_only_what_is_news_is_written_down(
    taught: Context, engine: Engine, broker_url: str, later: LearntRate, written: bool
) -> None:
    taught.pace.restore(TAUGHT)
    tick(taught)
    (before,) = kept(engine)
    flush(broker_url)
    taught.pace.restore(later)

    tick(taught)

    (after,) = kept(engine)
    learnt = taught.pace.learnt()
    assert learnt is not None
    assert (after != before) is written
    assert after[1:4] == ((learnt.rate, learnt.refused, learnt.at) if written else before[1:4])


def test_a_second_dispatcher_writes_nothing_down(taught: Context, engine: Engine) -> None:
    taught.pace.restore(TAUGHT)
    with engine.connect() as other, other.begin():
        assert due.try_tick_lock(other)
        tick(taught)
    assert kept(engine) == []
