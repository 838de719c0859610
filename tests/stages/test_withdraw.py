"""A campaign that the gateway holds for its date."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.rules.states import CampaignState
from tests.world import SENDER, Sandbox, numbers, run_due_work, states


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def _scheduled(context: Context, engine: Engine, count: int) -> int:
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=numbers(count), text="فردا صبح", sender=SENDER)
        campaigns.start(connection, campaign, at=context.now() + timedelta(hours=8), at_gateway=True)
    run_due_work(context)
    return campaign


def test_the_gateway_gets_the_messages_at_once_and_sends_them_at_their_time(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = _scheduled(context, engine, 300)

    sandbox.advance(hours=7)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 300}
    assert sandbox.summary()["requests"].get("sms/status") is None

    sandbox.advance(hours=1, minutes=6)
    run_due_work(context)
    with engine.connect() as connection:
        assert campaigns.progress(connection, campaign).counts["delivered"] > 200


def test_cancelling_withdraws_them_and_the_cost_comes_back(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    campaign = _scheduled(context, engine, 300)
    with engine.begin() as connection:
        assert campaigns.build_report(connection, campaign).parts == 0  # it waits for its date
        campaigns.cancel(connection, campaign)

    run_due_work(context)
    run_due_work(context)

    assert states(engine, campaign) == {"cancelled": 300}
    with engine.connect() as connection:
        over = campaigns.get(connection, campaign)
        report = campaigns.build_report(connection, campaign)
    assert over.state is CampaignState.CANCELLED
    assert over.finished_at is not None
    assert (report.cost_rial, report.refunded_rial) == (0, 300 * 120)
    assert (report.accepted, report.parts) == (300, 0)
    assert sandbox.summary()["credit_rial"] == sandbox.summary()["granted_rial"]


def test_cancelling_after_the_time_leaves_what_was_sent_as_it_is(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = _scheduled(context, engine, 100)
    sandbox.advance(hours=8, seconds=30)
    with engine.begin() as connection:
        campaigns.cancel(connection, campaign)

    sandbox.advance(minutes=6)
    run_due_work(context)

    assert states(engine, campaign).get("cancelled", 0) == 0
