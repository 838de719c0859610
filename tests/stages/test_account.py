"""The account's credit and its hold: nothing is sent until a look says go on, and a look always comes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.errors import Postpone
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_campaigns.stages import account, submit
from kavenegar_campaigns.stages.submit import Outcome
from kavenegar_campaigns.store import installation
from kavenegar_campaigns.store.records import Hold
from tests.world import Sandbox, batch_ids, run_due_work, running, states

PRICE = 120


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def hold_of(context: Context) -> Hold | None:
    return context.database(installation.read).hold


def held(context: Context, engine: Engine, sandbox: Sandbox, *, rial: int = 0, count: int = 200) -> int:
    """A campaign that was refused for want of credit."""
    sandbox.set_credit(rial)
    campaign = running(engine, count)
    assert Outcome.ACCOUNT_HELD in [submit.send_batch(context, batch_id) for batch_id in batch_ids(engine, campaign)]
    return campaign


def test_the_credit_is_asked_for_and_remembered(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.set_credit(12_345)
    assert account.fetch_credit(context).remaincredit == 12_345
    remembered = context.database(installation.read)
    assert remembered.credit_rial == 12_345
    assert remembered.credit_seen_at is not None


def test_an_account_that_is_not_on_hold_is_not_asked_about(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    assert account.recheck_hold(context) == "not on hold"
    assert "account/info" not in sandbox.summary()["requests"]


def test_a_hold_tells_its_code_its_reason_and_its_time(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    before = context.now()
    held(context, engine, sandbox)
    hold = hold_of(context)
    assert hold is not None
    assert hold.code == 418
    assert "credit" in hold.reason
    assert before <= hold.since <= context.now()
    assert hold.hold_recheck_at <= context.now() + timedelta(seconds=60)


def test_a_second_refusal_does_not_hide_the_first(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    held(context, engine, sandbox)
    first = hold_of(context)
    assert not context.database(
        installation.hold_account, code=403, reason="key", hold_recheck_at=context.now(), now=context.now()
    )
    assert hold_of(context) == first


@pytest.mark.parametrize("code", [401, 403, 416])
def test_any_other_hold_ends_with_the_first_answer(
    context: Context, engine: Engine, sandbox: Sandbox, code: int
) -> None:
    sandbox.turn(account_code=code)
    campaign = running(engine, 200)
    submit.send_batch(context, batch_ids(engine, campaign)[0])

    assert account.recheck_hold(context).startswith("still on hold")
    sandbox.turn(account_code=0)
    assert account.recheck_hold(context) == "let go"

    run_due_work(context)  # asked first whether it was sent all the same
    run_due_work(context)
    assert sandbox.summary()["messages"] == 200


def test_a_look_that_cannot_be_answered_changes_nothing(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    held(context, engine, sandbox)
    sandbox.arm("http_5xx_html_before", "account/info", count=2)
    assert account.recheck_hold(context).startswith("still on hold")
    assert hold_of(context) is not None


def test_credit_that_covers_the_next_batch_is_enough_and_less_is_not(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = held(context, engine, sandbox, rial=250 * PRICE, count=400)
    sandbox.set_credit(199 * PRICE)
    assert account.recheck_hold(context) == "still without enough credit"
    sandbox.set_credit(200 * PRICE)
    assert account.recheck_hold(context) == "let go"
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 400}


def test_an_account_that_was_topped_up_before_anybody_looked_goes_on_by_itself(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """The first refusal of a new database: no price is known, and the owner was quicker than the first look."""
    campaign = held(context, engine, sandbox)
    sandbox.set_credit(10_000_000)
    for _ in range(5):
        run_due_work(context)
        sandbox.advance(minutes=2)
    assert hold_of(context) is None
    assert sandbox.summary()["messages"] == 200
    assert sum(states(engine, campaign).values()) == 200


def test_a_person_who_looks_at_the_credit_does_not_keep_the_account_on_hold(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    held(context, engine, sandbox)
    assert account.recheck_hold(context) == "still without enough credit"
    sandbox.set_credit(10_000_000)
    account.fetch_credit(context)
    assert account.recheck_hold(context) == "let go"


def test_a_hold_outlives_the_campaign_that_caused_it_and_ends_with_the_next_credit(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = held(context, engine, sandbox)
    assert account.recheck_hold(context) == "still without enough credit"
    with engine.begin() as connection:
        campaigns.cancel(connection, campaign)
    run_due_work(context)
    sandbox.set_credit(1_000_000)
    assert account.recheck_hold(context) == "let go"


def test_a_price_that_turned_out_higher_does_not_make_the_account_flicker(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """The last batch was Persian at 120, the next is Latin at 280: with the same credit it is refused again."""
    sandbox.turn(fates={"delivered": 1.0})
    sandbox.set_credit(200 * PRICE)
    running(engine, 200)
    run_due_work(context)
    sandbox.set_credit(200 * 200)
    running(engine, 200, text="hello")
    for _ in range(8):
        run_due_work(context)
        sandbox.advance(seconds=1)
    assert sandbox.summary()["codes"]["sms/send"].get("418", 0) <= 2


def refused_twice(context: Context, engine: Engine, sandbox: Sandbox, *, rial: int) -> None:
    """The credit looked like enough, and was refused again before anything was accepted."""
    sandbox.set_credit(rial)
    for _ in range(2):
        context.database(
            installation.hold_account, code=418, reason="-", hold_recheck_at=context.now(), now=context.now()
        )
        if account.recheck_hold(context) == "let go":
            sandbox.advance(seconds=1)


def test_a_credit_that_has_fallen_meanwhile_need_not_grow_beyond_what_it_was(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    refused_twice(context, engine, sandbox, rial=1_000_000)
    assert account.recheck_hold(context) == "still without enough credit"
    sandbox.set_credit(0)
    assert account.recheck_hold(context) == "still without enough credit"
    sandbox.set_credit(1_000_000)
    assert account.recheck_hold(context) == "let go"


def test_a_credit_that_was_gone_and_back_while_nobody_looked_is_tried_again_after_a_while(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    refused_twice(context, engine, sandbox, rial=1_000_000)
    assert account.recheck_hold(context) == "still without enough credit"
    sandbox.advance(seconds=context.policy.hold_recheck.total_seconds() * account.HOLD_RECHECKS)
    assert account.recheck_hold(context) == "let go"


def test_a_look_waits_for_the_pace_like_everybody(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    held(context, engine, sandbox)
    context.pace.report_throttled(context.pace.take(Lane.SEND), 409, 30.0)
    with pytest.raises(Postpone):
        account.fetch_credit(context)
    assert account.recheck_hold(context).startswith("still on hold")
