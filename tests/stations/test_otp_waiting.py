"""A code that cannot leave at once: it waits where nothing has left us, and as long as it is worth something."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from campaigns import OtpState, account, submit
from campaigns.house import House
from campaigns.otp.send import Outcome, run, send
from tests.stations.ordering import ordered, sent, state_of, tokens_kept, wish
from tests.waiting import until
from tests.world import Sandbox, answer_bells, at, batch_ids, running


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


@pytest.fixture(autouse=True)
def _slow_operators(sandbox: Sandbox) -> None:
    """Verdicts take a day, so that what is accepted stays accepted while we look."""
    sandbox.turn(delivery_s=[86_400, 90_000])


@pytest.mark.parametrize("code", [451, 429])
def test_where_the_gateway_says_later_it_waits_and_leaves_by_itself(
    house: House, engine: Engine, sandbox: Sandbox, code: int
) -> None:
    sandbox.arm("code", "verify/lookup", count=1, code=code)

    found = send(house, wish())

    assert found.state is OtpState.WAITING
    assert found.sent_at is None
    assert sent(sandbox) == 0
    _leaves(house, engine, sandbox, found.id)


def _leaves(house: House, engine: Engine, sandbox: Sandbox, otp_id: int) -> None:
    """The pauses are the pace's own, on its own clock: the dispatcher is asked until it rings."""

    def left() -> bool:
        sandbox.advance(seconds=1)
        answer_bells(house)
        return state_of(engine, otp_id).state is OtpState.ACCEPTED

    until(left, "the second try", every_s=0.2)
    assert sent(sandbox) == 1


def test_a_gateway_that_is_down_costs_nothing_but_time_as_long_as_the_code_is_worth_something(
    house: House, engine: Engine, sandbox: Sandbox, closed_port_url: str
) -> None:
    otp_id = ordered(engine)

    assert run(at(house, closed_port_url), otp_id) is Outcome.PUT_OFF
    assert state_of(engine, otp_id).state is OtpState.WAITING
    assert run(house, otp_id) is Outcome.NOT_DUE

    sandbox.advance(seconds=6)
    answer_bells(house)
    assert state_of(engine, otp_id).state is OtpState.ACCEPTED


def test_what_could_not_leave_in_its_lifetime_is_not_sent_any_more(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    otp_id = ordered(engine)
    sandbox.advance(seconds=121)

    assert run(house, otp_id) is Outcome.NOT_DUE
    answer_bells(house)

    assert state_of(engine, otp_id).state is OtpState.EXPIRED
    assert tokens_kept(engine) == 0
    assert sent(sandbox) == 0


def test_a_request_that_would_leave_after_the_lifetime_does_not(house: House, engine: Engine, sandbox: Sandbox) -> None:
    """The worker stood still between its claim and its request, within its lease."""
    otp_id = ordered(engine, lifetime=timedelta(seconds=60))
    turned = iter([timedelta(0)] * 2)  # asked whether it is due, and for the claim; then comes the request
    late = replace(house, clock=lambda: house.now() + next(turned, timedelta(seconds=70)))

    assert run(late, otp_id) is Outcome.PUT_OFF

    assert state_of(engine, otp_id).state is OtpState.EXPIRED
    assert sent(sandbox) == 0


def test_a_lost_ring_is_made_up_for_by_the_tick(house: House, engine: Engine, sandbox: Sandbox) -> None:
    otp_id = ordered(engine)
    assert answer_bells(house).otp == []
    sandbox.advance(seconds=3)
    assert answer_bells(house).otp == [otp_id]
    assert state_of(engine, otp_id).state is OtpState.ACCEPTED


def test_an_account_without_credit_stops_everybody_and_the_code_leaves_when_it_is_let_go(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.set_credit(0)
    otp_id = ordered(engine)
    campaign = running(engine, 10)

    assert run(house, otp_id) is Outcome.ACCOUNT_HELD
    assert submit.run(house, *batch_ids(engine, campaign)) is submit.Outcome.NOT_DUE
    assert run(house, otp_id) is Outcome.NOT_DUE
    assert state_of(engine, otp_id).state is OtpState.WAITING

    sandbox.set_credit(1_000_000)
    assert account.look(house) == "let go"
    answer_bells(house)
    assert state_of(engine, otp_id).state is OtpState.ACCEPTED


def test_while_the_account_is_on_hold_a_code_waits_until_it_expires_and_nobody_is_asked(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(account_code=403)
    first = send(house, wish())
    asked = sandbox.summary()["requests"]["verify/lookup"]
    second = send(house, wish())
    assert (first.state, second.state) == (OtpState.WAITING, OtpState.WAITING)
    assert sandbox.summary()["requests"]["verify/lookup"] == asked

    sandbox.advance(seconds=121)
    answer_bells(house)
    assert state_of(engine, second.id).state is OtpState.EXPIRED
