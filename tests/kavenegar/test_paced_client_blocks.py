"""What the gateway's answers do to the pace: a refusal pauses everybody, and one call finds out whether it is over.

The pace keeps to the test's clock, so that its waits and pauses take no time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import redis

from kavenegar_campaigns.errors import GatewayError, OutcomeUnknown, Throttled
from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.kavenegar.paced_client import CallRecord, PacedClient
from kavenegar_campaigns.rules.pace import Lane
from tests.kavenegar.calls import NUMBER, ROW, TEXT
from tests.kavenegar.pace import Clock, probe
from tests.kavenegar.scripted_server import ScriptedServer, Wire

STATUS = {"messageid": 1, "status": 10, "statustext": "x"}


def send(gateway: PacedClient) -> Any:
    return gateway.send([NUMBER], TEXT, sender="10004346", localids=[1])


@pytest.mark.parametrize("code", [451, 429])
def test_one_refusal_for_haste_pauses_everybody_and_is_not_tried_again(
    server: ScriptedServer, gateway: PacedClient, throttle: Throttle, code: int
) -> None:
    server.will(server.answer(code))
    with pytest.raises(Throttled) as caught:
        gateway.status([1])
    assert (caught.value.code, caught.value.retry_after_s) == (code, 0.5), "as long as the pace decides"
    assert len(server.received) == 1
    view = throttle.view()
    assert view.paused_until is not None
    assert (view.paused_until - view.at, view.code, view.pauses) == (timedelta(seconds=0.5), code, 1)
    assert view.rate < 500


def test_a_busy_gateway_is_asked_again_after_its_pause(
    server: ScriptedServer, gateway: PacedClient, throttle: Throttle, clock: Clock, calls: list[CallRecord]
) -> None:
    server.will(server.answer(409), server.answer(200, [STATUS]))
    assert gateway.status([1])[0].messageid == 1
    assert [(call.method, call.code, call.error) for call in calls] == [
        ("sms/status", 409, "Throttled"),
        ("sms/status", 200, None),
    ]
    assert clock.s == pytest.approx(2, abs=0.01)
    assert throttle.rate() >= 500


def test_a_busy_gateway_pauses_everybody_when_it_says_so_to_a_send(
    server: ScriptedServer, gateway: PacedClient, throttle: Throttle, clock: Clock
) -> None:
    server.will(server.answer(409), server.answer(200, [ROW]))
    with pytest.raises(OutcomeUnknown):
        send(gateway)
    assert throttle.view().code == 409
    send(gateway)
    assert clock.s == pytest.approx(2, abs=0.01)
    assert throttle.rate() >= 500


# ── the call that finds out whether a block is over ──


@pytest.fixture
def blocked(server: ScriptedServer, gateway: PacedClient, throttle: Throttle, clock: Clock) -> float:
    """The gateway has refused a call, and the pause is over; the rate it was cut to."""
    server.will(server.answer(451))
    with pytest.raises(Throttled):
        send(gateway)
    server.script.clear()
    clock.s += 0.5
    return throttle.rate()


def others_may_leave(throttle: Throttle) -> bool:
    """A call that is no probe leaves at its slot, without waiting for one."""
    slot = throttle.take(Lane.SEND)
    return not slot.probe and slot.wait_s <= 1.1 / throttle.rate()


@pytest.mark.parametrize("admitted", [True, False])
def test_a_probe_that_is_answered_ends_the_block_for_everybody(
    blocked: float, server: ScriptedServer, gateway: PacedClient, throttle: Throttle, admitted: bool
) -> None:
    server.will(server.answer(200, [STATUS]))
    if admitted:
        gateway.acquire_slot(Lane.POLL)
    gateway.status([1])
    assert others_may_leave(throttle)
    assert throttle.rate() == pytest.approx(blocked, rel=0.01)


def test_a_probe_that_is_refused_doubles_the_pause_and_cuts_nothing(
    blocked: float, server: ScriptedServer, gateway: PacedClient, throttle: Throttle, clock: Clock
) -> None:
    server.will(server.answer(451))
    with pytest.raises(Throttled) as caught:
        gateway.status([1])
    assert caught.value.retry_after_s == pytest.approx(1.0)
    assert throttle.rate() == blocked
    assert probe(throttle, clock).probe


@pytest.mark.parametrize("code", [418, 402, 411, 500, 999])
def test_a_probe_that_is_answered_with_another_error_ends_the_block_as_well(
    blocked: float, server: ScriptedServer, gateway: PacedClient, throttle: Throttle, code: int
) -> None:
    server.will(server.answer(code))
    with pytest.raises(GatewayError) as caught:
        send(gateway)
    assert caught.value.code == code
    assert others_may_leave(throttle)


@pytest.mark.parametrize("fault", ["reset", "html"])
def test_a_probe_without_an_answer_of_the_gateways_ends_nothing_and_is_followed_by_another(
    blocked: float, server: ScriptedServer, gateway: PacedClient, throttle: Throttle, clock: Clock, fault: str
) -> None:
    server.will({"reset": server.reset(), "html": server.body(b"<html>502</html>", 502)}[fault])
    with pytest.raises(OutcomeUnknown):
        send(gateway)
    with pytest.raises(Throttled):
        throttle.take(Lane.SEND)
    clock.s += 3
    assert probe(throttle, clock).probe


# ── when Redis goes while the gateway answers ──


def test_a_refusal_that_cannot_be_told_is_not_hidden(
    server: ScriptedServer, gateway: PacedClient, valkey: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    refuse = server.answer(451)

    def spoil_the_pace_then_refuse(wire: Wire) -> None:
        valkey.set("pace:one", "not a hash")
        refuse(wire)

    server.will(spoil_the_pace_then_refuse)
    with pytest.raises(Throttled) as caught:
        send(gateway)
    assert (caught.value.code, caught.value.retry_after_s) == (451, 60)
    assert "pace report failed" in caplog.text


def test_an_acceptance_by_a_probe_that_cannot_be_told_is_not_hidden(
    blocked: float, server: ScriptedServer, gateway: PacedClient, valkey: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    accept = server.answer(200, [ROW])

    def spoil_the_pace_then_accept(wire: Wire) -> None:
        valkey.set("pace:one", "not a hash")
        accept(wire)

    server.will(spoil_the_pace_then_accept)
    assert send(gateway)[0].messageid == 1
    assert "pace report failed" in caplog.text
