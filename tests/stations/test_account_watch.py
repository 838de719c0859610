"""The account is watched: its credit, its settings, and the debug mode in which nothing is sent."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import Engine

import campaigns
from campaigns import account, chores
from campaigns.errors import BadInput
from campaigns.house import House
from campaigns.store import installation
from campaigns.waiting import Reason
from tests.world import Sandbox, answer_bells, running


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def reason_of(engine: Engine, campaign: int) -> Reason:
    with engine.connect() as connection:
        waiting = campaigns.waiting(connection, campaign)
    assert waiting is not None
    return waiting.reason


def test_a_look_remembers_credit_and_settings(house: House, sandbox: Sandbox) -> None:
    sandbox.set_credit(60_000_000)
    assert account.watch(house) == "well"
    remembered = house.database(installation.read)
    assert remembered.credit_rial == 60_000_000
    assert remembered.debug_mode is False
    assert remembered.min_credit_alarm_rial == 50_000
    assert remembered.config_seen_at is not None


def test_an_account_in_debug_mode_is_shouted_about(
    house: House, engine: Engine, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.turn(debug_mode=True)
    campaign = running(engine, 3)
    with caplog.at_level(logging.ERROR, logger="campaigns.account"):
        assert "debug mode" in account.watch(house)
    assert "debug mode" in caplog.text
    answered = answer_bells(house)  # somebody ticks, so that this is no reason to wait
    assert answered.send
    running(engine, 3)
    assert reason_of(engine, campaign + 1) is Reason.DEBUG_MODE


def test_debug_mode_is_no_reason_any_more_once_it_is_off(house: House, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.turn(debug_mode=True)
    account.watch(house)
    answer_bells(house)
    campaign = running(engine, 3)
    assert reason_of(engine, campaign) is Reason.DEBUG_MODE
    account.configure(house, debugmode=False)
    assert reason_of(engine, campaign) is not Reason.DEBUG_MODE


def test_a_credit_below_the_accounts_own_alarm_is_low(
    house: House, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    account.configure(house, mincreditalarm=2_000_000)
    sandbox.set_credit(1_999_999)
    with caplog.at_level(logging.WARNING, logger="campaigns.account"):
        assert account.watch(house) == "low credit"
    assert "credit low" in caplog.text
    sandbox.set_credit(2_000_000)
    assert account.watch(house) == "well"


def test_a_gateway_that_does_not_answer_is_not_seen_and_changes_nothing(house: House, sandbox: Sandbox) -> None:
    account.watch(house)
    before = house.database(installation.read)
    sandbox.turn(account_code=403)
    assert account.watch(house) == "not seen"
    assert house.database(installation.read) == before


def test_a_setting_is_written_and_the_others_are_left_alone(house: House, sandbox: Sandbox) -> None:
    before = account.settings(house)
    after = account.configure(house, defaultsender="30002626")
    assert after.defaultsender == "30002626" != before.defaultsender
    assert account.settings(house) == after
    assert (after.debugmode, after.mincreditalarm, after.resendfailed, after.apilogs) == (
        before.debugmode,
        before.mincreditalarm,
        before.resendfailed,
        before.apilogs,
    )


@pytest.mark.parametrize("changes", [{}, {"defaultsender": None}, {"defaultsender": " "}, {"apilogs": ""}])
def test_a_blank_is_never_written(house: House, sandbox: Sandbox, changes: dict[str, str | None]) -> None:
    before = account.settings(house)
    with pytest.raises(BadInput):
        account.configure(house, **changes)
    assert account.settings(house) == before


def test_one_looks_at_the_account_in_each_span(house: House, engine: Engine, sandbox: Sandbox) -> None:
    assert chores.due(house, now=house.now()).watch
    assert not chores.due(house, now=house.now()).watch
    sandbox.advance(minutes=5)
    assert chores.due(house, now=house.now()).watch
