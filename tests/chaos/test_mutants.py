"""The test of the test: take one rule out of the product, and the checker says which promise is broken."""

from __future__ import annotations

import signal

import redis

from tests.chaos import instants
from tests.chaos.workshop import Workshop


def test_a_worker_that_sends_again_without_asking_is_caught_sending_doubles(workshop: Workshop) -> None:
    workshop.gateway.arm("accept_then_drop", "sms/sendarray", count=3)
    workshop.campaign(300)
    workshop.start("tests.chaos.mutants.blind", roles={"worker-send": 1})

    workshop.until(workshop.finished, within_s=40, what="the end of the campaigns")

    found = workshop.verdict()
    assert found.doubled == 3 * 30
    assert {broken.number for broken in found.broken} >= {"I2"}


def test_a_dispatcher_that_never_looks_again_is_caught_losing_messages(workshop: Workshop, broker_url: str) -> None:
    workshop.gateway.turn(latency_ms=300)
    workshop.campaign(1_500)
    workers = workshop.start("tests.chaos.mutants.deaf", roles={"worker-poll": 1})
    workshop.until(lambda: workshop.gateway.summary()["messages"] > 0, within_s=30, what="the first acceptance")
    workers.signal("worker-send-1", signal.SIGKILL)
    with redis.Redis.from_url(broker_url) as broker:
        broker.flushall()

    workshop.until(lambda: _outlived(workshop), within_s=30, what="a lease left to lapse", look=False)

    found = workshop.verdict()
    assert found.lost > 0
    assert {broken.number for broken in found.broken} >= {"I1", "I4", "I7", "I8"}


def _outlived(workshop: Workshop) -> bool:
    with workshop.engine.connect() as connection:
        return bool(instants.overdue(connection))
