"""A one-time password ordered in a transaction: nobody sends a task for it, and it leaves within seconds."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from campaigns_devkit import Supervisor
from kavenegar_campaigns import OtpState
from tests.stages.otp_requests import ordered, state_of
from tests.waiting import PATIENCE_S, until
from tests.world import Sandbox, running

pytestmark = pytest.mark.timeout(5 * PATIENCE_S)


def test_codes_and_campaigns_ordered_in_a_transaction_leave_without_any_task_of_the_app(
    engine: Engine, sandbox: Sandbox, workers: Supervisor
) -> None:
    codes = [ordered(engine, key=f"login-{each}", lifetime=timedelta(minutes=10)) for each in range(50)]
    campaign = running(engine, 400)

    until(lambda: all(state_of(engine, each).state is OtpState.ACCEPTED for each in codes), "the codes' way out")
    until(lambda: _leaving(engine, campaign), "the campaign's way out")

    summary = sandbox.summary()
    assert summary["messages"] == 50 + 400
    assert summary["localids_sent_twice"] == 0


def _leaving(engine: Engine, campaign: int) -> bool:
    with engine.connect() as connection:
        return not campaigns.progress(connection, campaign).counts["pending"]
