"""Faults on request: for each kind, what the client sees and what really happened."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.sandbox.client import KEY, Client, arrays, form, numbers

TEN = form(numbers(10), localid=list(range(10)))


def sent(sandbox: Client) -> int:
    return int(sandbox.summary()["messages"])


@pytest.mark.parametrize(("kind", "messages"), [("drop", 0), ("accept_then_drop", 10)])
def test_a_cut_connection_hides_whether_it_was_processed(sandbox: Client, kind: str, messages: int) -> None:
    sandbox.arm(kind, count=1)
    with pytest.raises(requests.ConnectionError):
        sandbox.call("sms/send", TEN)
    assert sent(sandbox) == messages


def test_after_a_cut_the_same_localids_bring_each_message_once(sandbox: Client) -> None:
    sandbox.arm("accept_then_drop", method="sms/send", count=1)
    with pytest.raises(requests.ConnectionError):
        sandbox.call("sms/send", TEN)
    assert sandbox.code("sms/send", TEN) == 200
    summary = sandbox.summary()
    assert (summary["physical_messages"], summary["localids_sent_twice"], summary["dedupe_hits"]) == (10, 0, 10)


@pytest.mark.parametrize(("kind", "at_timeout"), [("accept_then_hang", 10), ("late_accept", 0), ("slow", 0)])
def test_a_client_that_times_out_does_not_know_if_it_was_early(sandbox: Client, kind: str, at_timeout: int) -> None:
    sandbox.arm(kind, count=1, seconds=8)
    with pytest.raises(requests.ReadTimeout):
        sandbox.call("sms/send", TEN, timeout=2)
    assert sent(sandbox) == at_timeout
    assert _soon(lambda: sent(sandbox) == 10)


def test_a_hang_answers_in_the_end(sandbox: Client) -> None:
    sandbox.arm("accept_then_hang", count=1, seconds=0.2)
    before = time.monotonic()
    assert len(sandbox.entries("sms/send", TEN)) == 10
    assert time.monotonic() - before >= 0.2


@pytest.mark.parametrize("code", [402, 409, 418, 451, 999])
def test_a_code_comes_in_its_envelope_and_nothing_is_processed(sandbox: Client, code: int) -> None:
    sandbox.arm("code", count=1, code=code)
    answer = sandbox.call("sms/send", TEN)
    assert (answer.json()["return"]["status"], answer.json()["entries"]) == (code, None)
    assert sent(sandbox) == 0
    assert sandbox.summary()["codes"]["sms/send"] == {str(code): 1}


@pytest.mark.parametrize("code", [402, 409, 411, 413, 418, 777])
def test_a_code_can_deny_what_was_done(sandbox: Client, code: int) -> None:
    sandbox.arm("accept_then_code", count=1, code=code)
    answer = sandbox.call("sms/send", TEN)
    assert (answer.json()["return"]["status"], answer.json()["entries"]) == (code, None)
    assert sent(sandbox) == 10
    assert sandbox.summary()["codes"]["sms/send"] == {"200": 1, str(code): 1}


def test_a_code_can_deny_what_was_done_for_the_first_receptors_of_a_send(sandbox: Client) -> None:
    sandbox.arm("accept_some_then_code", count=2, code=411, rows=4)
    assert sandbox.code("sms/send", TEN) == 411
    listed = arrays(numbers(10), ["x"] * 10, localmessageids=list(range(100, 110)))
    assert sandbox.code("sms/sendarray", listed) == 411

    lines = [json.loads(line) for line in sandbox.admin("GET", "ledger/stream").content.splitlines()]
    assert [line["localid"] for line in lines] == [*range(4), *range(100, 104)]
    assert [line["receptor"] for line in lines] == 2 * numbers(4)


def test_what_a_code_denied_is_found_by_its_localid(sandbox: Client) -> None:
    sandbox.arm("accept_some_then_code", count=1, code=418, rows=1)
    sandbox.call("sms/send", form(numbers(2), localid=[7, 8]))
    rows = sandbox.entries("sms/statuslocalmessageid", {"localid": "7,8"})
    assert [row["status"] for row in rows] == [1, 100]


@pytest.mark.parametrize(
    ("fault", "http_status", "messages"),
    [
        ({"kind": "http_5xx_html_before"}, 502, 0),
        ({"kind": "http_5xx_html_after", "status": 504}, 504, 10),
        ({"kind": "html_200"}, 200, 0),
        ({"kind": "html_200", "processed": True}, 200, 10),
        ({"kind": "waf"}, 403, 0),
        ({"kind": "waf", "status": 429}, 429, 0),
    ],
)
def test_a_page_of_html_says_nothing_about_what_happened(
    sandbox: Client, fault: dict[str, Any], http_status: int, messages: int
) -> None:
    sandbox.arm(count=1, **fault)
    answer = sandbox.call("sms/send", TEN)
    assert (answer.status_code, answer.headers["Content-Type"]) == (http_status, "text/html; charset=utf-8")
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert sent(sandbox) == messages


def test_a_broken_body_is_no_json_though_it_was_processed(sandbox: Client) -> None:
    sandbox.arm("bad_json", count=1)
    answer = sandbox.call("sms/send", TEN)
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert sent(sandbox) == 10


@pytest.mark.parametrize(
    ("fault", "rows"), [({"kind": "missing_rows", "rows": 3}, 7), ({"kind": "duplicate_rows", "rows": 2}, 12)]
)
def test_rows_are_missing_or_doubled_in_the_answer_only(sandbox: Client, fault: dict[str, Any], rows: int) -> None:
    sandbox.arm(count=1, **fault)
    answered = sandbox.entries("sms/send", TEN)
    assert len(answered) == rows
    assert len({row["messageid"] for row in answered}) == min(rows, 10)
    assert sent(sandbox) == 10


def test_rows_come_in_another_order(sandbox: Client) -> None:
    sandbox.arm("reordered", count=1)
    receptors = [row["receptor"] for row in sandbox.entries("sms/send", TEN)]
    assert receptors != numbers(10)
    assert sorted(receptors) == numbers(10)


def test_an_answer_can_say_yes_and_hold_nothing(sandbox: Client) -> None:
    sandbox.arm("entries_null", count=1)
    assert sandbox.entries("sms/send", TEN) is None
    assert sent(sandbox) == 10


def test_a_dripping_body_never_trips_a_read_timeout(sandbox: Client) -> None:
    sandbox.arm("drip", count=1, seconds=0.01)
    before = time.monotonic()
    answer = sandbox.call("sms/send", form(["09121234567"]), timeout=1)
    assert time.monotonic() - before > 1
    assert len(answer.json()["entries"]) == 1


def test_a_client_that_leaves_a_dripping_body_leaves_the_sandbox_well(sandbox: Client) -> None:
    sandbox.arm("drip", count=1, seconds=0.01)
    with sandbox.session.post(sandbox.url("sms/send"), data=TEN, stream=True, timeout=60) as answer:
        answer.raw.read(1)
    assert sandbox.code("account/info") == 200


def test_a_fault_strikes_its_method_as_often_as_it_was_armed_for(sandbox: Client) -> None:
    sandbox.arm("code", method="sms/status", count=2, skip=1)
    assert sandbox.code("sms/send", TEN) == 200
    assert [sandbox.code("sms/status", {"messageid": "1"}) for _ in range(4)] == [200, 409, 409, 200]
    (shown,) = sandbox.admin("GET", "faults").json()["faults"]
    assert (shown["triggered"], shown["kind"]) == (2, "code")


def test_a_share_of_calls_is_struck_the_same_ones_for_the_same_seed(start: Callable[..., Client]) -> None:
    struck = []
    for seed in (1, 1, 2):
        sandbox = start(seed=seed)
        sandbox.arm("code", share=0.5)
        struck.append([sandbox.code("account/info") for _ in range(60)])
    assert struck[0] == struck[1] != struck[2]
    assert 15 < struck[0].count(409) < 45


def test_disarmed_faults_strike_no_more(sandbox: Client) -> None:
    sandbox.arm("code")
    assert sandbox.code("account/info") == 409
    sandbox.admin("DELETE", "faults")
    assert sandbox.code("account/info") == 200


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "earthquake"},
        {},
        {"kind": "drop", "share": 2},
        {"kind": "drop", "count": -1},
        {"kind": "waf", "status": 200},
        {"kind": "drop", "colour": "red"},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_with_a_sentence(sandbox: Client, fault: dict[str, Any]) -> None:
    answer = sandbox.admin("POST", "faults", fault)
    assert answer.status_code == 400
    assert "fault" in answer.json()["error"]
    assert sandbox.admin("GET", "faults").json()["faults"] == []


def test_calls_in_parallel_are_all_accepted_once(sandbox: Client) -> None:
    def send(first: int) -> None:
        params = arrays(numbers(200), ["x"] * 200, localmessageids=list(range(first, first + 200)))
        requests.post(sandbox.url("sms/sendarray", KEY), data=params, timeout=60).raise_for_status()

    threads = [threading.Thread(target=send, args=(number % 8 * 200,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    summary = sandbox.summary()
    assert (summary["messages"], summary["localids_sent_twice"], summary["dedupe_hits"]) == (1600, 0, 1600)


def _soon(happened: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while not (done := happened()) and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    return done
