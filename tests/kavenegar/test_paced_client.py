"""The client behind the pace: every call costs a slot, and only what is quick and certain is tried again.

The pace keeps to the test's clock, so that its waits and pauses take no time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from kavenegar_campaigns.errors import (
    AccountBlocked,
    AnswerLost,
    GatewayDown,
    GatewayError,
    OutcomeUnknown,
    Postpone,
    RecipientRefused,
    Throttled,
)
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.kavenegar.paced_client import CallRecord, PacedClient, max_tries
from kavenegar_campaigns.kavenegar.redis_client import connect_redis
from kavenegar_campaigns.kavenegar.transport import Fault, FaultKind
from kavenegar_campaigns.rules.pace import Lane
from tests.kavenegar.calls import CONSUMING, EVERY, SENDING
from tests.kavenegar.pace import Clock
from tests.kavenegar.scripted_server import API_KEY, Behaviour, ScriptedServer

NUMBER, TEXT = "09120000001", "متن پنهان"
ROW = {"messageid": 1, "receptor": NUMBER, "sender": "10004346", "message": TEXT, "status": 1, "cost": 120}
STATUS = {"messageid": 1, "status": 10, "statustext": "x"}
INBOUND = {"messageid": 1, "message": TEXT, "sender": NUMBER, "receptor": "2000", "date": 1}
ANYTHING = {
    **(ROW | STATUS | INBOUND),
    "localid": 1,
    "sumcount": 1,
    "sumpart": 1,
    "unixtime": 1,
    "remaincredit": 1,
    "number": NUMBER,
    "apilogs": "enabled",
}


def send(gateway: PacedClient, **options: Any) -> Any:
    return gateway.send([NUMBER], TEXT, sender="10004346", localids=[1], **options)


def taken(throttle: Throttle) -> dict[Lane, int]:
    return {lane: seen.calls for lane, seen in throttle.view().lanes.items() if seen.calls}


# ── slots ──


LANES = {
    Lane.OTP: {"verify/lookup"},
    Lane.SEND: {"sms/send", "sms/sendarray", "call/maketts", "sms/cancel"},
    Lane.POLL: {"sms/status", "sms/statuslocalmessageid", "sms/select"},
}


@pytest.mark.parametrize("path", EVERY)
def test_a_call_takes_a_slot_in_its_lane(
    server: ScriptedServer, gateway: PacedClient, throttle: Throttle, calls: list[CallRecord], path: str
) -> None:
    server.will(server.answer(200, [ANYTHING]))
    EVERY[path](gateway)
    lane = next((lane for lane, paths in LANES.items() if path in paths), Lane.HOUSEKEEPING)
    assert taken(throttle) == {lane: 1}
    assert [(call.method, call.lane, call.rows) for call in calls] == [(path, lane, 1)]


def test_a_call_takes_a_slot_in_the_lane_it_is_told(
    server: ScriptedServer, gateway: PacedClient, throttle: Throttle, clock: Clock
) -> None:
    server.will(server.answer(200, [ANYTHING]))
    for call in (
        lambda: send(gateway, lane=Lane.OTP),
        lambda: gateway.status([1], lane=Lane.CLOSING),
        lambda: gateway.receive("2000", lane=Lane.POLL),
        lambda: gateway.lookup(NUMBER, "welcome", "1", lane=Lane.SEND),
    ):
        call()
        clock.s += 1
    assert taken(throttle) == {Lane.OTP: 1, Lane.CLOSING: 1, Lane.POLL: 1, Lane.SEND: 1}


def test_a_request_that_is_wrong_costs_no_slot(gateway: PacedClient, throttle: Throttle) -> None:
    for call in (lambda: gateway.status([]), lambda: gateway.lookup(NUMBER, "welcome", "1 2")):
        with pytest.raises(ValueError, match=r"\w"):
            call()
    assert taken(throttle) == {}


def test_an_admission_pays_for_the_next_call_and_for_one_only(
    server: ScriptedServer, gateway: PacedClient, throttle: Throttle
) -> None:
    server.will(server.answer(200, [STATUS]))
    gateway.acquire_slot(Lane.SEND)
    assert taken(throttle) == {Lane.SEND: 1}
    gateway.status([1])
    assert taken(throttle) == {Lane.SEND: 1}
    gateway.status([1])
    assert taken(throttle) == {Lane.SEND: 1, Lane.POLL: 1}


def test_an_admission_belongs_to_the_thread_that_took_it(
    server: ScriptedServer, gateway: PacedClient, throttle: Throttle
) -> None:
    server.will(server.answer(200, [STATUS]))
    gateway.acquire_slot(Lane.SEND)
    other = threading.Thread(target=gateway.status, args=([1],))
    other.start()
    other.join()
    assert taken(throttle) == {Lane.SEND: 1, Lane.POLL: 1}


def test_an_admission_that_was_not_used_is_the_threads_next_one(
    server: ScriptedServer, gateway: PacedClient, throttle: Throttle
) -> None:
    server.will(server.answer(200, [STATUS]))
    gateway.acquire_slot(Lane.SEND)
    gateway.acquire_slot(Lane.SEND)
    gateway.status([1])
    assert taken(throttle) == {Lane.SEND: 1}


def test_an_admission_tells_how_long_it_was_waited_for(gateway: PacedClient, throttle: Throttle) -> None:
    throttle.reserve(Lane.SEND, max_wait_s=0)
    assert gateway.acquire_slot(Lane.SEND) == pytest.approx(1 / 500, abs=1e-4)


@pytest.mark.parametrize(
    "call",
    [
        send,
        lambda g, **late: g.sendarray([NUMBER], [TEXT], ["2000"], [1], **late),
        lambda g, **late: g.lookup(NUMBER, "welcome", "1", **late),
        lambda g, **late: g.maketts([NUMBER], TEXT, localids=[1], **late),
        lambda g, **late: g.receive("2000", **late),
        lambda g, **late: g.inboxpaged("2000", isread=False, **late),
    ],
)
def test_a_call_for_which_it_is_too_late_does_not_leave(
    server: ScriptedServer, gateway: PacedClient, call: Callable[..., Any]
) -> None:
    with pytest.raises(Postpone) as caught:
        call(gateway, in_time=lambda: False)
    assert type(caught.value) is Postpone
    assert caught.value.retry_after_s == 0
    assert server.received == []


def test_without_a_slot_nothing_is_called(server: ScriptedServer, gateway: PacedClient, throttle: Throttle) -> None:
    throttle.report_throttled(throttle.take(Lane.SEND), 409, 60)
    for call in (lambda: gateway.acquire_slot(Lane.OTP), lambda: send(gateway), gateway.account_info):
        with pytest.raises(Throttled) as caught:
            call()
        assert caught.value.retry_after_s == pytest.approx(60)
    assert server.received == []
    view = throttle.view()
    assert (view.rate, view.code) == (500, 409), "our own pace is no answer of the gateway's, and cuts nothing"


def test_without_redis_nothing_is_called(server: ScriptedServer, client: Client, closed_port_url: str) -> None:
    with connect_redis(closed_port_url.replace("http", "redis")) as absent:
        gateway = PacedClient(client, Throttle(absent, account="one", start_rate=5, max_rate=5))
        for call in (lambda: gateway.acquire_slot(Lane.SEND), lambda: send(gateway)):
            with pytest.raises(Postpone):
                call()
    assert server.received == []


# ── further tries ──


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Throttled("x", retry_after_s=2, code=409), 3),
        (Throttled("x", retry_after_s=60, code=451), 1),
        (Throttled("our own pace", retry_after_s=2), 1),
        (Postpone("x", retry_after_s=30, code=402), 1),
        (OutcomeUnknown("x"), 1),
        (RecipientRefused("x", code=411), 1),
        (AccountBlocked("x", code=418), 1),
        (GatewayDown("the gateway's own 500", retry_after_s=5, code=500), 2),
        (AnswerLost("the gateway's own 500", retry_after_s=5, code=500), 1),
    ],
)
def test_only_what_is_quick_and_certain_is_tried_again(error: GatewayError, expected: int) -> None:
    assert max_tries(error) == expected


@pytest.mark.parametrize(("kind", "expected"), [(FaultKind.NOT_SENT, 3), (FaultKind.UNUSABLE, 2), (FaultKind.LOST, 1)])
def test_how_often_depends_on_how_far_the_call_came(kind: FaultKind, expected: int) -> None:
    error = GatewayDown("x", retry_after_s=5)
    error.__cause__ = Fault("x", kind)
    assert max_tries(error) == expected


@pytest.mark.parametrize("kind", FaultKind)
def test_messages_that_were_handed_out_and_lost_are_never_asked_for_again_from_here(kind: FaultKind) -> None:
    """Another try would hand out the next ones, and nobody would know of those that were lost."""
    error = AnswerLost("x", retry_after_s=5)
    error.__cause__ = Fault("x", kind)
    assert max_tries(error) == 1


@pytest.mark.parametrize("fault", ["reset", "html", "garbage", "code 500"])
@pytest.mark.parametrize("path", CONSUMING)
def test_a_lost_page_of_unread_messages_goes_up_at_once(
    server: ScriptedServer, gateway: PacedClient, path: str, fault: str
) -> None:
    server.will(answer_that_says_nothing(server, fault), server.answer(200, [INBOUND]))
    with pytest.raises(AnswerLost):
        CONSUMING[path](gateway)
    assert len(server.received) == 1


@pytest.mark.parametrize("path", CONSUMING)
def test_a_page_that_was_not_handed_out_is_asked_for_again(
    server: ScriptedServer, gateway: PacedClient, clock: Clock, path: str
) -> None:
    server.will(server.answer(409), server.answer(200, [INBOUND]))
    assert CONSUMING[path](gateway).row_count == 1
    assert len(server.received) == 2


def test_a_page_of_read_messages_may_be_asked_for_again(server: ScriptedServer, gateway: PacedClient) -> None:
    server.will(server.body(b"<html>502</html>", 502), server.answer(200, [INBOUND]))
    assert gateway.inboxpaged("2000", isread=True).row_count == 1


@pytest.mark.parametrize("code", [402, 409, 503])
@pytest.mark.parametrize(
    "call",
    [
        send,
        lambda g: g.lookup(NUMBER, "welcome", "1"),
        lambda g: g.send([NUMBER], TEXT, sender=None, localids=None),
        lambda g: g.sendarray([NUMBER], [TEXT], ["2000"], [1]),
        lambda g: g.maketts([NUMBER], TEXT, localids=[1]),
    ],
    ids=["send", "lookup", "send without ids", "sendarray", "maketts"],
)
def test_a_send_is_not_repeated_when_the_gateway_does_not_say_whether_it_was_done(
    server: ScriptedServer, gateway: PacedClient, call: Callable[[PacedClient], Any], code: int
) -> None:
    server.will(server.answer(code), server.answer(200, [ROW]))
    with pytest.raises(OutcomeUnknown) as caught:
        call(gateway)
    assert caught.value.code == code
    assert len(server.received) == 1


@pytest.mark.parametrize(
    "call",
    [send, lambda g: g.status([1]), lambda g: g.lookup(NUMBER, "welcome", "1"), lambda g: g.receive("2000")],
    ids=["send", "status", "lookup", "receive"],
)
def test_a_gateway_that_is_not_there_is_tried_three_times_at_a_slot_each(
    closed_port_url: str,
    make_client: Callable[..., Client],
    throttle: Throttle,
    calls: list[CallRecord],
    call: Callable[[PacedClient], Any],
) -> None:
    gateway = PacedClient(make_client(closed_port_url), throttle, on_call=calls.append)
    with pytest.raises(GatewayDown):
        call(gateway)
    assert [(record.code, record.error) for record in calls] == [(None, "GatewayDown")] * 3
    assert sum(taken(throttle).values()) == 3


def test_a_send_goes_out_once_when_the_gateway_comes_back_between_two_tries(
    closed_port_url: str, make_client: Callable[..., Client], throttle: Throttle
) -> None:
    back: list[ScriptedServer] = []

    def come_back(call: CallRecord) -> None:
        if call.error:
            back.append(ScriptedServer(port=int(closed_port_url.rpartition(":")[2])))
            back[-1].will(back[-1].answer(200, [ROW]))

    gateway = PacedClient(make_client(closed_port_url), throttle, on_call=come_back)
    assert send(gateway)[0].messageid == 1
    (server,) = back
    assert len(server.received) == 1
    server.stop()


@pytest.mark.parametrize("fault", ["reset", "html", "garbage", "code 500"])
@pytest.mark.parametrize("path", SENDING)
def test_a_send_that_may_have_arrived_is_never_tried_again(
    server: ScriptedServer, gateway: PacedClient, path: str, fault: str
) -> None:
    server.will(answer_that_says_nothing(server, fault))
    with pytest.raises(OutcomeUnknown):
        SENDING[path](gateway)
    assert len(server.received) == 1


def answer_that_says_nothing(server: ScriptedServer, fault: str) -> Behaviour:
    return {
        "reset": server.reset(),
        "html": server.body(b"<html>502</html>", 502),
        "garbage": server.body(b"{"),
        "code 500": server.answer(500),
    }[fault]


def test_a_read_that_met_a_proxys_page_is_tried_once_more(server: ScriptedServer, gateway: PacedClient) -> None:
    server.will(server.body(b"<html>502</html>", 502), server.answer(200, [STATUS]))
    assert gateway.status([1])[0].status == 10
    server.will(server.body(b"<html>502</html>", 502))
    server.script.popleft()
    with pytest.raises(GatewayDown):
        gateway.status([1])
    assert len(server.received) == 4


def test_a_read_whose_answer_was_lost_is_left_to_the_schedule(server: ScriptedServer, gateway: PacedClient) -> None:
    server.will(server.reset())
    with pytest.raises(GatewayDown):
        gateway.status([1])
    assert len(server.received) == 1


# ── what is told ──


def test_every_exchange_is_told_with_its_facts_and_without_a_secret(
    server: ScriptedServer, gateway: PacedClient, calls: list[CallRecord], caplog: pytest.LogCaptureFixture
) -> None:
    server.will(server.answer(200, [ROW]), server.answer(418), server.answer(200, [STATUS, STATUS | {"messageid": 2}]))
    with caplog.at_level(logging.DEBUG):
        send(gateway)
        with pytest.raises(AccountBlocked):
            send(gateway, lane=Lane.OTP)
        gateway.status([1, 2])
    assert [(c.method, c.lane, c.code, c.error, c.rows) for c in calls] == [
        ("sms/send", Lane.SEND, 200, None, 1),
        ("sms/send", Lane.OTP, 418, "AccountBlocked", 0),
        ("sms/status", Lane.POLL, 200, None, 2),
    ]
    assert all(0 < call.ms < 5000 for call in calls)
    ours = [record for record in caplog.records if record.name == "kavenegar_campaigns.kavenegar.paced_client"]
    assert [(r.levelname, r.getMessage(), r.code) for r in ours] == [  # type: ignore[attr-defined]
        ("INFO", "gateway answered", 200),
        ("WARNING", "gateway call failed", 418),
        ("INFO", "gateway answered", 200),
    ]
    logged = "\n".join(str(vars(record)) for record in caplog.records)
    assert not any(secret in logged for secret in (API_KEY, NUMBER, TEXT))
