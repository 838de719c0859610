"""A worker that is alive but consumes nothing is found out by the progress it does not make."""

from __future__ import annotations

import pytest
from celery import Celery
from celery.app.control import Control
from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from campaigns_devkit import Supervisor
from tests.waiting import PATIENCE_S, until
from tests.world import Sandbox, running

pytestmark = pytest.mark.timeout(4 * PATIENCE_S)


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "STUCK_AFTER": "4s"}


def test_a_worker_that_stopped_consuming_is_started_anew_and_the_campaign_goes_on(
    engine: Engine, sandbox: Sandbox, workers: Supervisor, broker_url: str
) -> None:
    control = Celery(broker=broker_url).control
    until(lambda: _stops_consuming(control), "an answer of the worker")
    campaign = running(engine, 400)

    assert workers.wait_for(
        lambda states: any(state.name == "worker-send" and state.restarts for state in states), within_s=PATIENCE_S
    )
    until(lambda: _finished(engine, campaign), "the end of the campaign")
    assert sandbox.summary()["messages"] == 400


def _stops_consuming(control: Control) -> bool:
    """Whether the worker that sends has heard it; the other one answers as well."""
    answers = control.cancel_consumer("send", reply=True, timeout=1)
    return any(name.startswith("send@") for answer in answers for name in answer)


def _finished(engine: Engine, campaign: int) -> bool:
    with engine.connect() as connection:
        return campaigns.get(connection, campaign).finished_at is not None
