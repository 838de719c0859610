"""The gateway calls back: what it reports, how often, and what happens without an answer."""

from __future__ import annotations

import threading
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.gateway import Gateway
from kavenegar_sandbox.journal import Journal
from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.protocol import Call
from kavenegar_sandbox.status_events import StatusEvents
from tests.sandbox.client import KEY, LATIN_LINE, Client, Row, form, numbers
from tests.sandbox.test_sandbox_inbox import generated, message
from tests.waiting import until

SURE = {"outcomes": {"delivered": 1}, "delivery_s": [60, 60]}


class Listener:
    """An address on this machine that hears callbacks and answers them with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.heard: list[Row] = []
        self.requests: list[tuple[str, str]] = []  # verb and path
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._hear(urlsplit(self.path).query)

            def do_POST(self) -> None:
                self._hear(self.rfile.read(int(self.headers["Content-Length"])).decode())

            def _hear(self, encoded: str) -> None:
                listener.requests.append((self.command, self.path))
                listener.heard.append(dict(parse_qsl(encoded)))
                self.send_response(listener.status)
                self.send_header("Content-Length", "0")
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Not a word."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/secret/callback"

    def statuses(self, messageid: int) -> list[int]:
        return [int(event["status"]) for event in self.heard if event["messageid"] == str(messageid)]


@pytest.fixture
def listener() -> Iterator[Listener]:
    listening = Listener()
    thread = threading.Thread(target=listening.server.serve_forever, kwargs={"poll_interval": 0.05})
    with ExitStack() as stop:
        stop.callback(thread.join)
        stop.callback(listening.server.server_close)
        stop.callback(listening.server.shutdown)
        thread.start()
        yield listening


def callback_counts(sandbox: Client) -> Row:
    found: Row = sandbox.admin("GET", "callbacks").json()
    return found


def settled(sandbox: Client) -> bool:
    """Nothing waits, and all that was sent was answered."""
    now = callback_counts(sandbox)
    return now["waiting"] == 0 and all(
        now[kind]["sent"] == now[kind]["answered"] + now[kind]["retried"] + now[kind]["given_up"]
        for kind in ("status", "receive")
    )


def until_heard(sandbox: Client, listener: Listener, count: int) -> None:
    until(lambda: len(listener.heard) >= count and settled(sandbox), f"{count} callbacks")


@pytest.fixture
def reporting(start: Callable[..., Client], listener: Listener) -> Client:
    """A sandbox that reports every event to the listener."""
    return start(status_callback_url=listener.url, receive_callback_url=listener.url, **SURE)


def test_each_change_of_a_status_is_reported_once(reporting: Client, listener: Listener) -> None:
    sent = reporting.send(*numbers(200))
    until_heard(reporting, listener, 200)
    assert Counter(row["status"] for row in listener.heard) == {"4": 200}
    reporting.advance(61)
    until_heard(reporting, listener, 400)
    assert {tuple(listener.statuses(row["messageid"])) for row in sent} == {(4, 10)}
    assert listener.heard[0].keys() == {"messageid", "status"}
    assert {verb for verb, _ in listener.requests} == {"GET"}
    assert callback_counts(reporting)["status"] == {
        "events": 400,
        "news": 400,
        "sent": 400,
        "answered": 400,
        "retried": 0,
        "given_up": 0,
        "lost": 0,
        "doubled": 0,
    }


def test_a_message_sent_again_by_the_gateway_is_told_on_each_step(
    start: Callable[..., Client], listener: Listener
) -> None:
    sandbox = start(status_callback_url=listener.url, outcomes={"resent": 1}, delivery_s=[60, 60])
    (row,) = sandbox.send("09121234567")
    for expected in ([4], [4, 11], [4, 11, 4], [4, 11, 4, 10]):
        until_heard(sandbox, listener, len(expected))
        assert listener.statuses(row["messageid"]) == expected
        sandbox.advance(61)


def test_no_step_is_left_out_where_hours_pass_at_once(reporting: Client, listener: Listener) -> None:
    reporting.turn(callback_delay_s=[0, 0], outcomes={"resent": 1})
    (row,) = reporting.send("09121234567")
    reporting.advance(3600)
    until_heard(reporting, listener, 4)
    assert sorted(listener.statuses(row["messageid"])) == [4, 4, 10, 11]


def test_a_scheduled_message_is_told_when_it_sets_out_and_when_it_is_cancelled(
    reporting: Client, listener: Listener
) -> None:
    date = int(reporting.admin("GET", "health").json()["now"]) + 3600
    out, cancelled = reporting.send(*numbers(2), date=date)
    until(lambda: callback_counts(reporting)["expected"] == 2, "expecting both to set out")
    reporting.entries("sms/cancel", {"messageid": cancelled["messageid"]})
    until_heard(reporting, listener, 1)
    reporting.advance(3700)
    until_heard(reporting, listener, 4)
    assert listener.statuses(cancelled["messageid"]) == [13]
    assert sorted(listener.statuses(out["messageid"])) == [1, 4, 10]


def test_an_inbound_message_is_reported_and_then_read(reporting: Client, listener: Listener) -> None:
    (messageid,) = reporting.inject(message("سلام & خداحافظ؟"))
    until_heard(reporting, listener, 1)
    assert listener.heard == [
        {"from": "09121234567", "to": LATIN_LINE, "message": "سلام & خداحافظ؟", "messageid": str(messageid)}
    ]
    until(lambda: reporting.inbox()["read"] == 1, "marking it read")
    assert reporting.inbox()["handed_out"] == 0


def test_a_post_carries_a_form_and_the_query_of_the_address_stays(reporting: Client, listener: Listener) -> None:
    reporting.turn(callback_method="post", receive_callback_url=f"{listener.url}?token=abc")
    reporting.inject(message("سلام"))
    until_heard(reporting, listener, 1)
    assert listener.requests == [("POST", "/secret/callback?token=abc")]
    assert listener.heard[0]["message"] == "سلام"
    reporting.turn(callback_method="get")
    reporting.inject(message("باز سلام"))
    until_heard(reporting, listener, 2)
    assert listener.requests[1][1].startswith("/secret/callback?token=abc&from=09121234567&")


@pytest.mark.parametrize("status", [204, 302, 500])
def test_whoever_does_not_answer_200_hears_it_again_after_two_minutes(
    reporting: Client, listener: Listener, status: int
) -> None:
    listener.status = status
    reporting.inject(message())
    until(lambda: callback_counts(reporting)["receive"]["retried"] == 1, "planning to repeat it")
    assert reporting.inbox()["unread"] == len(listener.heard) == 1
    listener.status = 200
    reporting.advance(121)
    until_heard(reporting, listener, 2)
    assert listener.heard[0] == listener.heard[1]
    assert reporting.inbox()["unread"] == 0


def test_after_thirty_times_more_it_gives_up_and_the_message_stays_unread(
    reporting: Client, listener: Listener
) -> None:
    listener.status = 503
    reporting.inject(message())
    for attempt in range(1, 31):
        until(lambda attempt=attempt: callback_counts(reporting)["receive"]["retried"] == attempt, f"attempt {attempt}")
        reporting.advance(121)
    until(lambda: callback_counts(reporting)["receive"]["given_up"] == 1, "giving up")
    assert len(listener.heard) == 31
    assert reporting.inbox()["unread"] == 1
    assert len(reporting.entries("sms/receive", {"linenumber": LATIN_LINE, "isread": 0})) == 1


def test_whoever_is_not_there_or_does_not_answer_in_time_is_told_again(
    start: Callable[..., Client], listener: Listener
) -> None:
    listener.server.shutdown()  # it is connected to, and never answers
    sandbox = start(receive_callback_url=listener.url, callback_timeout_s=0.2)
    sandbox.inject(message())
    until(lambda: callback_counts(sandbox)["receive"]["retried"] == 1, "a timeout")
    listener.server.server_close()
    sandbox.advance(121)
    until(lambda: callback_counts(sandbox)["receive"]["retried"] == 2, "a refused connection")
    assert sandbox.inbox()["unread"] == 1


def test_some_are_lost_some_are_doubled_and_all_come_out_of_order(
    start: Callable[..., Client], listener: Listener
) -> None:
    sandbox = start(
        receive_callback_url=listener.url,
        callback_lost_share=0.1,
        callback_double_share=0.1,
        callback_delay_s="5s..20s",
    )
    sandbox.inject(generated(400, age_s=3600))
    until(lambda: callback_counts(sandbox)["receive"]["events"] == 400, "taking them on")
    sandbox.advance(21)
    until(lambda: settled(sandbox), "telling them")
    counted = callback_counts(sandbox)["receive"]
    assert 20 <= counted["lost"] <= 65
    assert 20 <= counted["doubled"] <= 65
    assert counted["answered"] == len(listener.heard) == 400 - counted["lost"] + counted["doubled"]
    arrived = [row["messageid"] for row in sandbox.came_in()]
    heard = [arrived.index(int(row["messageid"])) for row in listener.heard]
    assert heard != sorted(heard)
    assert len(set(heard)) == 400 - counted["lost"]
    assert sandbox.inbox()["unread"] == counted["lost"]


def test_only_what_happens_from_now_on_is_told(start: Callable[..., Client], listener: Listener) -> None:
    sandbox = start(**SURE)
    (row,) = sandbox.send("09121234567")
    sandbox.inject(message())
    sandbox.advance(2)
    sandbox.turn(status_callback_url=listener.url, receive_callback_url=listener.url)
    until(lambda: callback_counts(sandbox)["expected"] == 1, "expecting its verdict")
    sandbox.inject(message())
    sandbox.advance(61)
    until_heard(sandbox, listener, 2)
    assert listener.statuses(row["messageid"]) == [10]
    assert (sandbox.inbox()["read"], sandbox.inbox()["unread"]) == (1, 1)
    sandbox.turn(status_callback_url="", receive_callback_url="")
    until(lambda: callback_counts(sandbox)["expected"] == 0, "forgetting")


def test_no_more_than_twenty_thousand_callbacks_wait(reporting: Client, listener: Listener) -> None:
    reporting.turn(callback_delay_s="1h..2h")
    reporting.inject(generated(25_000, text="سلام"))
    until(lambda: callback_counts(reporting)["waiting"] >= 20_000, "many waiting")
    assert [reporting.code("account/info") for _ in range(50)] == [200] * 50
    assert callback_counts(reporting)["receive"]["events"] == callback_counts(reporting)["waiting"] == 20_000
    assert reporting.inbox()["unread"] == 25_000


def test_no_change_is_missed_however_its_moment_falls_between_two_milliseconds() -> None:
    knobs = Knobs().turned({"outcomes": {"delivered": 1}, "delivery_s": [1, 100]})
    sandbox = Account(KEY, knobs, 10**12, Journal(None))
    changes, gateway = StatusEvents(sandbox), Gateway(sandbox)
    counted: Counter[int] = Counter()
    for _ in range(100):
        gateway.answer(Call("sms/send", "POST", KEY, form(numbers(200)), "test"))
        counted.update(change.status for change in changes.due(sandbox.clock.now(), 20_000))
    sandbox.advance(200)
    while found := changes.due(sandbox.clock.now(), 20_000):
        counted.update(change.status for change in found)
    assert counted == {4: 20_000, 10: 20_000}


def test_twenty_thousand_messages_under_way_are_expected_in_little_memory() -> None:
    """About 50 bytes each were measured."""
    sandbox = Account(KEY, Knobs(), 10**12, Journal(None))
    changes = StatusEvents(sandbox)
    gateway = Gateway(sandbox)
    for _ in range(100):
        gateway.answer(Call("sms/send", "POST", KEY, form(numbers(200)), "test"))
    tracemalloc.start()
    try:
        for _ in range(11):
            assert changes.due(0, 1000) == []
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert changes.expected == 20_000
    assert taken / 20_000 < 120


@pytest.mark.parametrize(
    "url", ["http://example.com/", "http://10.0.0.1/", "ftp://127.0.0.1/", "127.0.0.1:80", "http://["]
)
def test_the_sandbox_calls_this_machine_only(sandbox: Client, url: str) -> None:
    answer = sandbox.admin("POST", "knobs", {"status_callback_url": url})
    assert (answer.status_code, "on this machine" in answer.json()["error"]) == (400, True)


def test_in_debug_mode_nothing_is_reported(reporting: Client, listener: Listener) -> None:
    reporting.turn(debug_mode=True)
    reporting.send(*numbers(3))
    reporting.turn(debug_mode=False)
    (row,) = reporting.send("09121234567")
    until_heard(reporting, listener, 1)
    assert {event["messageid"] for event in listener.heard} == {str(row["messageid"])}
