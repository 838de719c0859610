"""Only an answered call proves anything of the rate: while the gateway is down the pace learns nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from kavenegar_campaigns.errors import CampaignsError
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.kavenegar.paced_client import PacedClient
from kavenegar_campaigns.rules.pace import Lane
from tests.kavenegar.calls import NUMBER, ROW, TEXT
from tests.kavenegar.pace import MINUTE, Clock, probe
from tests.kavenegar.scripted_server import ScriptedServer


@pytest.fixture
def throttle(make_throttle: Callable[..., Throttle]) -> Throttle:
    """A pace that learns: each call waits for its slot, on the test's clock."""
    return make_throttle(5, 50)


def call(gateway: PacedClient) -> None:
    """A send, which is not tried again here, whatever becomes of it."""
    with contextlib.suppress(CampaignsError):
        gateway.send([NUMBER], TEXT, sender="10004346", localids=[1])


def use_fully(gateway: PacedClient, clock: Clock, *, for_s: float) -> None:
    began_s = clock.s
    while clock.s < began_s + for_s:
        call(gateway)


def test_a_gateway_that_is_down_teaches_the_pace_nothing(
    closed_port_url: str, make_client: Callable[..., Client], make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    """Every call finds a closed port. It is tried thrice, so a slow pace: that takes fewer calls."""
    slow = make_throttle(0.2, 50)
    use_fully(PacedClient(make_client(closed_port_url), slow, max_wait_s=MINUTE), clock, for_s=100)
    view = slow.view()
    assert (view.rate, view.learnt) == (0.2, None)
    assert view.lanes[Lane.SEND].calls >= 10


def test_an_outage_after_a_refusal_confirms_neither_the_rate_nor_what_was_refused(
    server: ScriptedServer, gateway: PacedClient, throttle: Throttle, clock: Clock
) -> None:
    throttle.report_throttled(throttle.take(Lane.SEND), 451, 60)
    throttle.report_ok(probe(throttle, clock))
    rate, learnt = throttle.rate(), throttle.learnt()
    server.will(server.reset())
    use_fully(gateway, clock, for_s=60)
    assert (throttle.rate(), throttle.learnt()) == (rate, learnt)


@pytest.mark.parametrize(
    ("answer", "learns"),
    [("accepted", True), ("no credit", True), ("busy", False), ("html", False), ("reset", False)],
)
def test_an_answer_of_the_gateways_own_that_is_no_refusal_for_haste_proves_the_rate(
    server: ScriptedServer, gateway: PacedClient, throttle: Throttle, clock: Clock, answer: str, learns: bool
) -> None:
    script = {
        "accepted": server.answer(200, [ROW]),
        "no credit": server.answer(418),
        "busy": server.answer(409),
        "html": server.body(b"<html>502</html>", 502),
        "reset": server.reset(),
    }
    server.will(script[answer])
    use_fully(gateway, clock, for_s=5)
    assert (throttle.rate() > 5) is learns


def test_calls_that_left_before_a_block_and_are_answered_after_it_prove_nothing(
    throttle: Throttle, clock: Clock
) -> None:
    throttle.take(Lane.SEND)
    slots = [throttle.take(Lane.SEND) for _ in range(9)]
    throttle.report_throttled(slots[0], 451, 60)
    cut, learnt = throttle.rate(), throttle.learnt()
    for slot in slots[1:]:
        throttle.report_ok(slot)
    throttle.report_ok(probe(throttle, clock))
    for slot in slots[1:]:
        throttle.report_ok(slot)
    assert (throttle.rate(), throttle.learnt()) == (cut, learnt)
