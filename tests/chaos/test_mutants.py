"""The test of the test: take one rule out of the product, and the checker says which promise is broken."""

from __future__ import annotations

import signal

import pytest
import redis
from sqlalchemy import text

from campaigns_devkit import Supervisor
from tests.chaos import instants
from tests.chaos.workshop import PATIENCE_S, Workshop

pytestmark = pytest.mark.timeout(2 * PATIENCE_S)


def test_a_worker_that_sends_again_without_asking_is_caught_sending_doubles(workshop: Workshop) -> None:
    workshop.gateway.arm("accept_then_drop", "sms/sendarray", count=3)
    workshop.campaign(300)
    # No outcome is unknown but those of the three.
    patient = {"HTTP_DEADLINE": "20s", "UNKNOWN_GRACE": "20s", "LEASE": "60s"}
    workshop.start("tests.chaos.mutants.blind", roles={"worker-send": 1}, **patient)

    workshop.until(workshop.finished, "the end of the campaigns")

    found = workshop.verdict()
    assert found.doubled == 3 * 30
    assert {broken.number for broken in found.broken} >= {"I2"}


def test_a_dispatcher_that_never_looks_again_is_caught_losing_messages(workshop: Workshop, broker_url: str) -> None:
    workshop.gateway.turn(latency_ms=300)
    workshop.campaign(1_500)
    workers = workshop.start("tests.chaos.mutants.deaf", roles={"worker-poll": 1})
    workshop.until(lambda: _killed_with_a_claim(workshop, workers), "a death with a claim in hand")
    with redis.Redis.from_url(broker_url) as broker:
        broker.flushall()

    workshop.until(lambda: _outlived(workshop), "a lease left to lapse", look=False)

    found = workshop.verdict()
    assert found.lost > 0
    assert {broken.number for broken in found.broken} >= {"I1", "I4", "I7", "I8"}


def _killed_with_a_claim(workshop: Workshop, workers: Supervisor) -> bool:
    """Freeze the worker after the first acceptance; where that finds it with a claim in hand, it never wakes up."""
    workers.signal("worker-send-1", signal.SIGSTOP)
    with workshop.engine.connect() as connection:
        claimed = connection.execute(text("SELECT EXISTS (SELECT FROM sms.batches WHERE state = 'claimed')"))
        found = bool(claimed.scalar_one()) and workshop.gateway.summary()["messages"] > 0
    workers.signal("worker-send-1", signal.SIGKILL if found else signal.SIGCONT)
    return found


def _outlived(workshop: Workshop) -> bool:
    with workshop.engine.connect() as connection:
        return bool(instants.overdue(connection))
