"""A process dies at every marked point of the path, one after the other, and nothing is lost, doubled or untrue."""

from __future__ import annotations

import pytest

from tests.chaos import failpoints
from tests.chaos.workshop import PATIENCE_S, Workshop

pytestmark = pytest.mark.timeout(3 * PATIENCE_S)

WORST_PLACES = (
    "send: after the claim",
    "send: after the answer",
    "send: inside the result",
    "tick: after tidying",
    "tick: after ringing",
    "poll: after the answer",
    "resolve: after the answer",
    "resolve: inside the result",
)


def _survives(workshop: Workshop, recipients: int) -> None:
    """Every point was reached, every campaign came to its end, and the ledger agrees with every word."""
    workshop.until(workshop.all_reached, "reaching every failpoint")
    workshop.gateway.disarm()
    workshop.until(workshop.finished, "the end of the campaigns")
    found = workshop.verdict()
    assert found.broken == ()
    assert found.sent == found.messages == recipients


def _deaths(workshop: Workshop) -> int:
    """How many different processes met a failpoint, each of them its last."""
    assert workshop.plan is not None
    return len(set(workshop.plan.reached().values()))


def test_a_worker_killed_at_every_point_of_sending_and_resolving_loses_and_doubles_nothing(workshop: Workshop) -> None:
    workshop.gateway.turn(latency_ms=60)
    workshop.gateway.arm("accept_then_drop", "sms/sendarray", share=0.15)
    workshop.gateway.arm("drop", "sms/sendarray", share=0.15)
    workshop.campaign(2_400)

    workshop.fail_at(*failpoints.SEND, *failpoints.RESOLVE, roles={"worker-send": 5})

    _survives(workshop, 2_400)
    assert _deaths(workshop) == len(failpoints.SEND + failpoints.RESOLVE)


def test_a_worker_killed_at_every_point_of_polling_and_ticking_loses_and_doubles_nothing(workshop: Workshop) -> None:
    workshop.campaign(2_400)

    workshop.fail_at(*failpoints.TICK, *failpoints.POLL, roles={"worker-poll": 4})

    _survives(workshop, 2_400)
    assert _deaths(workshop) == len(failpoints.TICK + failpoints.POLL)


def test_an_error_at_the_worst_places_costs_a_lease_and_nothing_else(workshop: Workshop) -> None:
    """Not a death but a defect: the process goes on, and its claim with it, until the lease ends."""
    workshop.gateway.arm("accept_then_drop", "sms/sendarray", share=0.2)
    workshop.campaign(900)

    workers = workshop.fail_at(*WORST_PLACES, mode=failpoints.RAISE, roles={"worker-send": 1, "worker-poll": 1})

    _survives(workshop, 900)
    assert [state.restarts for state in workers.states()] == [0, 0, 0]
