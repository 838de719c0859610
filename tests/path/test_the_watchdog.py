"""A worker that is alive but consumes nothing is found out by the progress it does not make."""

from __future__ import annotations

import time

import pytest
from celery import Celery
from sqlalchemy import Engine

import campaigns
from tests.world import Sandbox, running
from worker.embedded import Supervisor


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "STUCK_AFTER": "4s"}


def test_a_worker_that_stopped_consuming_is_started_anew_and_the_campaign_goes_on(
    engine: Engine, sandbox: Sandbox, workers: Supervisor, broker_url: str
) -> None:
    control = Celery(broker=broker_url).control
    deadline = time.monotonic() + 30
    while not control.cancel_consumer("send", reply=True, timeout=1) and time.monotonic() < deadline:
        pass
    campaign = running(engine, 400)

    assert workers.wait_for(
        lambda states: any(state.name == "worker-send" and state.restarts for state in states), within_s=30
    )
    while time.monotonic() < deadline + 60:
        with engine.connect() as connection:
            if campaigns.get(connection, campaign).finished_at:
                break
        time.sleep(0.2)
    assert sandbox.summary()["messages"] == 400
