"""A process that stands still for longer than its lease, and wakes up believing that it still holds it.

The gateway drops no repeats here, so nothing but our own rules keeps the same message from leaving twice.
"""

from __future__ import annotations

import os
import signal
from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.chaos.failpoints import STOP
from tests.chaos.workshop import PATIENCE_S, Workshop

pytestmark = pytest.mark.timeout(3 * PATIENCE_S)


def _open_claims(workshop: Workshop) -> bool:
    with workshop.engine.connect() as connection:
        return bool(
            connection.execute(
                text("SELECT EXISTS (SELECT FROM sms.batches WHERE state IN ('ready', 'claimed', 'unknown'))")
            ).scalar_one()
        )


FROZEN_AT = (
    "send: after the claim",  # it would still send
    "send: after the answer",  # it would write down what others have found out
    "resolve: after the answer",  # it would send again what others have sent
    "poll: after the answer",
)


def test_a_worker_that_wakes_up_after_its_lease_does_no_harm(workshop: Workshop) -> None:
    """One is frozen at each of these points, others do its work, and then all of them wake up."""
    workshop.gateway.arm("drop", "sms/sendarray", count=3)
    workshop.campaign(900)
    workshop.fail_at(
        *FROZEN_AT, mode=STOP, roles={"worker-send": 4, "worker-poll": 2}, SEND_THREADS="1", POLL_THREADS="1"
    )
    plan = workshop.plan
    assert plan is not None
    workshop.until(workshop.all_reached, "freezing")
    frozen = plan.reached()
    try:
        workshop.until(lambda: not _open_claims(workshop), "others doing the work of the frozen")
    finally:
        for pid in frozen.values():
            os.kill(pid, signal.SIGCONT)
    workshop.until(lambda: all(map(plan.outlived, FROZEN_AT)), "waking up")
    workshop.until(workshop.finished, "the end of the campaigns")

    found = workshop.verdict()
    assert found.broken == ()
    assert found.sent == found.messages == 900


def test_a_request_that_outlived_its_worker_is_left_time_to_settle(workshop: Workshop) -> None:
    """It left late in its lease, its worker was killed, and the gateway acts on it within UNKNOWN_GRACE of that."""
    point = "send: after the claim"
    workshop.campaign(30)
    times = {"LEASE": "8s", "HTTP_DEADLINE": "2s", "UNKNOWN_GRACE": "5s"}
    workshop.fail_at(point, mode=STOP, roles={"worker-send": 2}, SEND_THREADS="1", **times)
    plan = workshop.plan
    assert plan is not None
    workshop.until(workshop.all_reached, "the claim")
    (frozen,) = plan.reached().values()
    workshop.gateway.arm("late_accept", "sms/sendarray", count=1, seconds=4)
    workshop.until(lambda: _claimed_for(workshop) > timedelta(seconds=5), "most of the lease")

    os.kill(frozen, signal.SIGCONT)
    workshop.until(lambda: _arrived(workshop) or plan.outlived(point), "the request, or none")
    os.kill(frozen, signal.SIGKILL)
    workshop.until(workshop.finished, "the end of the campaign")

    found = workshop.verdict()
    assert found.broken == ()
    assert found.sent == 30


def _claimed_for(workshop: Workshop) -> timedelta:
    with workshop.engine.connect() as connection:
        since = connection.execute(
            text("SELECT now() - at FROM sms.attempts WHERE event = 'began' ORDER BY id LIMIT 1")
        )
        age: timedelta = since.scalar_one()
    return age


def _arrived(workshop: Workshop) -> bool:
    return bool(workshop.gateway.summary()["requests"].get("sms/sendarray"))
