"""The account is watched: its credit, its settings, and the debug mode in which nothing is sent."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.stages import account, dispatch
from kavenegar_campaigns.stages.waiting import WaitingReason
from kavenegar_campaigns.store import installation
from tests.world import Sandbox, run_due_work, running


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def reason_of(engine: Engine, campaign: int) -> WaitingReason:
    with engine.connect() as connection:
        waiting = campaigns.why_waiting(connection, campaign)
    assert waiting is not None
    return waiting.reason


def test_a_look_remembers_credit_and_settings(context: Context, sandbox: Sandbox) -> None:
    sandbox.set_credit(60_000_000)
    assert account.watch(context) == "well"
    remembered = context.database(installation.read)
    assert remembered.credit_rial == 60_000_000
    assert remembered.debug_mode is False
    assert remembered.min_credit_alarm_rial == 50_000
    assert remembered.config_seen_at is not None


def test_an_account_in_debug_mode_is_shouted_about(
    context: Context, engine: Engine, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.turn(debug_mode=True)
    campaign = running(engine, 3)
    with caplog.at_level(logging.ERROR, logger="kavenegar_campaigns.stages.account"):
        assert "debug mode" in account.watch(context)
    assert "debug mode" in caplog.text
    answered = run_due_work(context)  # somebody ticks, so that this is no reason to wait
    assert answered.send
    running(engine, 3)
    assert reason_of(engine, campaign + 1) is WaitingReason.DEBUG_MODE


def test_debug_mode_is_no_reason_any_more_once_it_is_off(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.turn(debug_mode=True)
    account.watch(context)
    run_due_work(context)
    campaign = running(engine, 3)
    assert reason_of(engine, campaign) is WaitingReason.DEBUG_MODE
    account.configure(context, debugmode=False)
    assert reason_of(engine, campaign) is not WaitingReason.DEBUG_MODE


def test_a_credit_below_the_accounts_own_alarm_is_low(
    context: Context, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    account.configure(context, mincreditalarm=2_000_000)
    sandbox.set_credit(1_999_999)
    with caplog.at_level(logging.WARNING, logger="kavenegar_campaigns.stages.account"):
        assert account.watch(context) == "low credit"
    assert "credit low" in caplog.text
    sandbox.set_credit(2_000_000)
    assert account.watch(context) == "well"


def test_a_gateway_that_does_not_answer_is_not_seen_and_changes_nothing(context: Context, sandbox: Sandbox) -> None:
    account.watch(context)
    before = context.database(installation.read)
    sandbox.turn(account_code=403)
    assert account.watch(context) == "not seen"
    assert context.database(installation.read) == before


def test_a_setting_is_written_and_the_others_are_left_alone(context: Context, sandbox: Sandbox) -> None:
    before = account.fetch_settings(context)
    after = account.configure(context, defaultsender="30002626")
    assert after.defaultsender == "30002626" != before.defaultsender
    assert account.fetch_settings(context) == after
    assert (after.debugmode, after.mincreditalarm, after.resendfailed, after.apilogs) == (
        before.debugmode,
        before.mincreditalarm,
        before.resendfailed,
        before.apilogs,
    )


@pytest.mark.parametrize("changes", [{}, {"defaultsender": None}, {"defaultsender": " "}, {"apilogs": ""}])
def test_a_blank_is_never_written(context: Context, sandbox: Sandbox, changes: dict[str, str | None]) -> None:
    before = account.fetch_settings(context)
    with pytest.raises(BadInput):
        account.configure(context, **changes)
    assert account.fetch_settings(context) == before


def test_one_looks_at_the_account_in_each_span(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    assert dispatch.due_chores(context, now=context.now()).watch
    assert not dispatch.due_chores(context, now=context.now()).watch
    sandbox.advance(minutes=5)
    assert dispatch.due_chores(context, now=context.now()).watch
