"""The account's credit and its hold: nothing is sent until a look says go on, and a look always comes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

import campaigns
from campaigns import account, submit
from campaigns.errors import Postpone
from campaigns.house import House
from campaigns.kavenegar.pace import Lane
from campaigns.store import installation
from campaigns.store.records import Hold
from campaigns.submit import Outcome
from tests.world import Sandbox, answer_bells, batch_ids, running, states

PRICE = 120


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def hold_of(house: House) -> Hold | None:
    return house.database(installation.read).hold


def held(house: House, engine: Engine, sandbox: Sandbox, *, rial: int = 0, count: int = 200) -> int:
    """A campaign that was refused for want of credit."""
    sandbox.set_credit(rial)
    campaign = running(engine, count)
    assert Outcome.ACCOUNT_HELD in [submit.run(house, batch_id) for batch_id in batch_ids(engine, campaign)]
    return campaign


def test_the_credit_is_asked_for_and_remembered(house: House, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.set_credit(12_345)
    assert account.credit(house).remaincredit == 12_345
    remembered = house.database(installation.read)
    assert remembered.credit_rial == 12_345
    assert remembered.credit_seen_at is not None


def test_an_account_that_is_not_on_hold_is_not_asked_about(house: House, engine: Engine, sandbox: Sandbox) -> None:
    assert account.look(house) == "not on hold"
    assert "account/info" not in sandbox.summary()["requests"]


def test_a_hold_tells_its_code_its_reason_and_its_time(house: House, engine: Engine, sandbox: Sandbox) -> None:
    before = house.now()
    held(house, engine, sandbox)
    hold = hold_of(house)
    assert hold is not None
    assert hold.code == 418
    assert "credit" in hold.reason
    assert before <= hold.since <= house.now()
    assert hold.probe_at <= house.now() + timedelta(seconds=60)


def test_a_second_refusal_does_not_hide_the_first(house: House, engine: Engine, sandbox: Sandbox) -> None:
    held(house, engine, sandbox)
    first = hold_of(house)
    assert not house.database(installation.hold, code=403, reason="key", probe_at=house.now(), now=house.now())
    assert hold_of(house) == first


@pytest.mark.parametrize("code", [401, 403, 416])
def test_any_other_hold_ends_with_the_first_answer(house: House, engine: Engine, sandbox: Sandbox, code: int) -> None:
    sandbox.turn(account_code=code)
    campaign = running(engine, 200)
    submit.run(house, batch_ids(engine, campaign)[0])

    assert account.look(house).startswith("still on hold")
    sandbox.turn(account_code=0)
    assert account.look(house) == "let go"

    answer_bells(house)  # asked first whether it was sent all the same
    answer_bells(house)
    assert sandbox.summary()["messages"] == 200


def test_a_look_that_cannot_be_answered_changes_nothing(house: House, engine: Engine, sandbox: Sandbox) -> None:
    held(house, engine, sandbox)
    sandbox.arm("http_5xx_html_before", "account/info", count=2)
    assert account.look(house).startswith("still on hold")
    assert hold_of(house) is not None


def test_credit_that_covers_the_next_batch_is_enough_and_less_is_not(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = held(house, engine, sandbox, rial=250 * PRICE, count=400)
    sandbox.set_credit(199 * PRICE)
    assert account.look(house) == "still without enough credit"
    sandbox.set_credit(200 * PRICE)
    assert account.look(house) == "let go"
    answer_bells(house)
    assert states(engine, campaign) == {"accepted": 400}


def test_an_account_that_was_topped_up_before_anybody_looked_goes_on_by_itself(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    """The first refusal of a new database: no price is known, and the owner was quicker than the first look."""
    campaign = held(house, engine, sandbox)
    sandbox.set_credit(10_000_000)
    for _ in range(5):
        answer_bells(house)
        sandbox.advance(minutes=2)
    assert hold_of(house) is None
    assert sandbox.summary()["messages"] == 200
    assert sum(states(engine, campaign).values()) == 200


def test_a_person_who_looks_at_the_credit_does_not_keep_the_account_on_hold(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    held(house, engine, sandbox)
    assert account.look(house) == "still without enough credit"
    sandbox.set_credit(10_000_000)
    account.credit(house)
    assert account.look(house) == "let go"


def test_a_hold_outlives_the_campaign_that_caused_it_and_ends_with_the_next_credit(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = held(house, engine, sandbox)
    assert account.look(house) == "still without enough credit"
    with engine.begin() as connection:
        campaigns.cancel(connection, campaign)
    answer_bells(house)
    sandbox.set_credit(1_000_000)
    assert account.look(house) == "let go"


def test_a_price_that_turned_out_higher_does_not_make_the_account_flicker(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    """The last batch was Persian at 120, the next is Latin at 280: with the same credit it is refused again."""
    sandbox.turn(fates={"delivered": 1.0})
    sandbox.set_credit(200 * PRICE)
    running(engine, 200)
    answer_bells(house)
    sandbox.set_credit(200 * 200)
    running(engine, 200, text="hello")
    for _ in range(8):
        answer_bells(house)
        sandbox.advance(seconds=1)
    assert sandbox.summary()["codes"]["sms/send"].get("418", 0) <= 2


def refused_twice(house: House, engine: Engine, sandbox: Sandbox, *, rial: int) -> None:
    """The credit looked like enough, and was refused again before anything was accepted."""
    sandbox.set_credit(rial)
    for _ in range(2):
        house.database(installation.hold, code=418, reason="-", probe_at=house.now(), now=house.now())
        if account.look(house) == "let go":
            sandbox.advance(seconds=1)


def test_a_credit_that_has_fallen_meanwhile_need_not_grow_beyond_what_it_was(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    refused_twice(house, engine, sandbox, rial=1_000_000)
    assert account.look(house) == "still without enough credit"
    sandbox.set_credit(0)
    assert account.look(house) == "still without enough credit"
    sandbox.set_credit(1_000_000)
    assert account.look(house) == "let go"


def test_a_credit_that_was_gone_and_back_while_nobody_looked_is_tried_again_after_a_while(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    refused_twice(house, engine, sandbox, rial=1_000_000)
    assert account.look(house) == "still without enough credit"
    sandbox.advance(seconds=house.policy.hold_recheck.total_seconds() * account.LOOKS)
    assert account.look(house) == "let go"


def test_a_look_waits_for_the_pace_like_everybody(house: House, engine: Engine, sandbox: Sandbox) -> None:
    held(house, engine, sandbox)
    house.pace.blocked(house.pace.take(Lane.SEND), 409, 30.0)
    with pytest.raises(Postpone):
        account.credit(house)
    assert account.look(house).startswith("still on hold")
