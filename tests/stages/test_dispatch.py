"""One tick: what is due is rung for and nothing else, what lapsed is doubted, and two dispatchers do no harm."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.kavenegar.redis_client import connect_redis
from kavenegar_campaigns.stages import dispatch, submit
from kavenegar_campaigns.stages.dispatch import DueWork
from kavenegar_campaigns.stages.submit import Outcome
from kavenegar_campaigns.store import due
from tests.stages.accepted import calls
from tests.world import Sandbox, batch_ids, run_due_work, running, states


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def tick(context: Context) -> DueWork:
    return dispatch.tick(context, now=context.now())


def batch_states(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT state FROM sms.batches ORDER BY first_id")).scalars())


def test_an_installation_with_nothing_to_do_is_quiet(context: Context) -> None:
    assert tick(context).summary == "quiet"


def test_every_batch_that_is_due_is_rung_for_once(context: Context, engine: Engine) -> None:
    campaign = running(engine, 1000)
    due_work = tick(context)
    assert sorted(due_work.send) == batch_ids(engine, campaign)
    assert due_work.summary == "send 5"
    assert tick(context).send == []


def test_no_more_is_rung_for_than_the_pace_can_take_in_its_horizon(
    context: Context, engine: Engine, broker_url: str
) -> None:
    slow = Throttle(connect_redis(broker_url), account="slow", start_rate=0.5, max_rate=0.5)
    running(engine, 2000)
    assert len(tick(replace(context, pace=slow)).send) == 2  # half a call a second, for three seconds


def test_verdicts_that_are_due_are_rung_for_five_hundred_at_a_time(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    running(engine, 1300)
    run_due_work(context)
    assert tick(context).polls == 0
    sandbox.advance(minutes=6)
    assert tick(context).summary == "poll 3"


def test_a_worker_that_died_with_a_batch_leaves_it_unknown_and_somebody_asks(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """Killed after the claim and before the call: the gateway never saw it, and it leaves then."""
    campaign = running(engine, 200)
    (only,) = batch_ids(engine, campaign)
    with engine.begin() as connection:
        connection.execute(
            text("""
                UPDATE sms.batches SET state = 'claimed', lease_owner = gen_random_uuid(), attempt = 1,
                                       first_sent_at = :now, due_at = :lapses
            """),
            {"now": context.now(), "lapses": context.now() + context.policy.lease},
        )
    assert tick(context).summary == "quiet"
    sandbox.advance(seconds=121)
    assert tick(context).summary == "quiet"  # what it sent at the very end of its lease may still arrive
    sandbox.advance(seconds=91)

    due_work = tick(context)

    assert due_work.resolve == [only]
    assert batch_states(engine) == ["unknown"]
    assert submit.resolve_batch(context, only) is Outcome.SENT_AGAIN
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 200}
    assert sandbox.summary()["messages"] == 200


def test_an_account_on_hold_is_looked_at_by_one_and_not_at_every_tick(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(account_code=401)
    campaign = running(engine, 200)
    submit.send_batch(context, batch_ids(engine, campaign)[0])
    assert [tick(context).account for _ in range(3)] == [True, False, False]
    sandbox.advance(seconds=61)
    assert tick(context).account


def test_while_another_dispatcher_is_at_work_nothing_is_rung_for(context: Context, engine: Engine) -> None:
    running(engine, 200)
    with engine.connect() as other, other.begin():
        assert due.try_tick_lock(other)
        assert tick(context) == DueWork()
    assert len(tick(context).send) == 1


@pytest.fixture
def nobody() -> Iterator[str]:
    """The address of a broker that is down."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"redis://127.0.0.1:{taken.getsockname()[1]}/0"


def test_without_the_pace_nobody_is_rung_for_and_time_goes_on(
    context: Context, engine: Engine, sandbox: Sandbox, nobody: str
) -> None:
    lost = replace(context, pace=Throttle(connect_redis(nobody), account="tests", start_rate=1, max_rate=1))
    campaign = running(engine, 200)
    with engine.begin() as connection:
        campaigns.cancel(connection, campaign)

    assert tick(lost) == DueWork()

    assert states(engine, campaign) == {"cancelled": 200}


def test_a_campaign_whose_messages_all_have_their_verdict_is_finished(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 200)
    run_due_work(context)
    sandbox.advance(minutes=6)
    run_due_work(context)
    with engine.connect() as connection:
        assert campaigns.get(connection, campaign).finished_at is None
    moment = context.now()
    dispatch.tick(context, now=moment)
    with engine.connect() as connection:
        assert campaigns.get(connection, campaign).finished_at == moment


def test_a_doubled_ring_costs_no_slot_of_the_pace(context: Context, engine: Engine) -> None:
    """Rings come twice and late: each that finds nothing must not take a call away from those who have work."""
    campaign = running(engine, 200)
    (only,) = batch_ids(engine, campaign)
    submit.send_batch(context, only)
    before = calls(context)
    assert [submit.send_batch(context, only), submit.resolve_batch(context, only)] == [Outcome.NOT_DUE, Outcome.NOT_DUE]
    assert calls(context) == before


def test_the_horizon_is_shorter_than_the_time_after_which_a_ring_counts_as_lost(context: Context) -> None:
    """Otherwise a ring that only waits its turn is rung for again."""
    assert timedelta(0) < context.policy.enqueue_horizon < context.policy.reenqueue_after


# ── polls whose window is about to close ──


def test_polls_of_windows_that_are_about_to_close_are_told_from_the_others(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(fates={"stuck": 1.0})
    running(engine, 700)
    run_due_work(context)
    sandbox.advance(hours=40)
    running(engine, 600)
    run_due_work(context)
    assert tick(context).closing == 0

    sandbox.advance(hours=7, minutes=46)

    assert tick(context).summary == "poll 3 closing 2"


def test_a_short_window_is_about_to_close_in_its_last_quarter(context: Context) -> None:
    now = context.now()
    short = replace(context.policy, status_window=timedelta(seconds=40))
    assert (short.closing_before(now), context.policy.closing_before(now)) == (
        now + timedelta(seconds=10),
        now + timedelta(minutes=15),
    )
