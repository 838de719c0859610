"""A code that cannot leave at once: it waits where nothing has left us, and as long as it is worth something."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from kavenegar_campaigns import OtpState
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.stages import account, submit
from kavenegar_campaigns.stages.dispatch import tick
from kavenegar_campaigns.stages.otp.send import OtpOutcome, send_at_once, send_otp
from tests.stages.otp_requests import ordered, otp_request, sent, state_of, tokens_kept
from tests.waiting import until
from tests.world import Sandbox, at, batch_ids, run_due_work, running

pytestmark = pytest.mark.usefixtures("slow_operators")


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


@pytest.mark.parametrize("code", [451, 429])
def test_where_the_gateway_says_later_it_waits_and_leaves_by_itself(
    context: Context, engine: Engine, sandbox: Sandbox, code: int
) -> None:
    sandbox.arm("code", "verify/lookup", count=1, code=code)

    found = send_at_once(context, otp_request())

    assert found.state is OtpState.WAITING
    assert found.sent_at is None
    assert sent(sandbox) == 0
    _leaves(context, engine, sandbox, found.id)


def _leaves(context: Context, engine: Engine, sandbox: Sandbox, otp_id: int) -> None:
    """The pauses are the pace's own, on its own clock: the dispatcher is asked until it rings."""

    def left() -> bool:
        sandbox.advance(seconds=1)
        run_due_work(context)
        return state_of(engine, otp_id).state is OtpState.ACCEPTED

    until(left, "the second try", every_s=0.2)
    assert sent(sandbox) == 1


def test_a_gateway_that_is_down_costs_nothing_but_time_as_long_as_the_code_is_worth_something(
    context: Context, engine: Engine, sandbox: Sandbox, closed_port_url: str
) -> None:
    otp_id = ordered(engine)

    assert send_otp(at(context, closed_port_url), otp_id) is OtpOutcome.PUT_OFF
    assert state_of(engine, otp_id).state is OtpState.WAITING
    assert send_otp(context, otp_id) is OtpOutcome.NOT_DUE

    sandbox.advance(seconds=6)
    run_due_work(context)
    assert state_of(engine, otp_id).state is OtpState.ACCEPTED


def test_what_could_not_leave_in_its_lifetime_is_not_sent_any_more(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    otp_id = ordered(engine)
    sandbox.advance(seconds=121)

    assert send_otp(context, otp_id) is OtpOutcome.NOT_DUE
    run_due_work(context)

    assert state_of(engine, otp_id).state is OtpState.EXPIRED
    assert tokens_kept(engine) == 0
    assert sent(sandbox) == 0


def test_a_request_that_would_leave_after_the_lifetime_does_not(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """The worker stood still between its claim and its request, within its lease."""
    otp_id = ordered(engine, lifetime=timedelta(seconds=60))
    turned = iter([timedelta(0)] * 2)  # asked whether it is due, and for the claim; then comes the request
    late = replace(context, clock=lambda: context.now() + next(turned, timedelta(seconds=70)))

    assert send_otp(late, otp_id) is OtpOutcome.PUT_OFF

    assert state_of(engine, otp_id).state is OtpState.EXPIRED
    assert sent(sandbox) == 0


def test_the_next_tick_sends_what_was_just_ordered(context: Context, engine: Engine) -> None:
    otp_id = ordered(engine)
    assert run_due_work(context).otp == [otp_id]
    assert state_of(engine, otp_id).state is OtpState.ACCEPTED


def test_a_lost_task_is_made_up_for_by_a_later_tick(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    otp_id = ordered(engine)
    assert tick(context, now=context.now()).otp == [otp_id]
    assert tick(context, now=context.now()).otp == []
    sandbox.advance(seconds=3)
    assert run_due_work(context).otp == [otp_id]
    assert state_of(engine, otp_id).state is OtpState.ACCEPTED


def test_an_account_without_credit_stops_everybody_and_the_code_leaves_when_it_is_let_go(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.set_credit(0)
    otp_id = ordered(engine)
    campaign = running(engine, 10)

    assert send_otp(context, otp_id) is OtpOutcome.ACCOUNT_HELD
    assert submit.send_batch(context, *batch_ids(engine, campaign)) is submit.Outcome.NOT_DUE
    assert send_otp(context, otp_id) is OtpOutcome.NOT_DUE
    assert state_of(engine, otp_id).state is OtpState.WAITING

    sandbox.set_credit(1_000_000)
    assert account.recheck_hold(context) == "let go"
    run_due_work(context)
    assert state_of(engine, otp_id).state is OtpState.ACCEPTED


def test_while_the_account_is_on_hold_a_code_waits_until_it_expires_and_nobody_is_asked(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(account_code=403)
    first = send_at_once(context, otp_request())
    asked = sandbox.summary()["requests"]["verify/lookup"]
    second = send_at_once(context, otp_request())
    assert (first.state, second.state) == (OtpState.WAITING, OtpState.WAITING)
    assert sandbox.summary()["requests"]["verify/lookup"] == asked

    sandbox.advance(seconds=121)
    run_due_work(context)
    assert state_of(engine, second.id).state is OtpState.EXPIRED
