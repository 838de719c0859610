"""The admin API: knobs, token, and the ledger's ground truth."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

from tests.sandbox.client import TEXT, Client, form, numbers


def test_knobs_are_turned_a_few_at_a_time_and_go_back(start: Callable[..., Client]) -> None:
    sandbox = start(latency_ms=0, order="reversed")
    assert sandbox.admin("POST", "knobs", {"delivery_s": "5m..2h", "seed": 9}).json()["delivery_s"] == [300, 7200]
    knobs = sandbox.admin("GET", "knobs").json()
    assert (knobs["order"], knobs["seed"]) == ("reversed", 9)
    assert sandbox.admin("DELETE", "knobs").json()["seed"] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"warp": 9},
        {"seed": "one"},
        {"dedupe": 1},
        {"order": "sideways"},
        {"omit_share": 1.5},
        {"outcomes": {"eaten": 1}},
        {"outcomes": {"delivered": 0}},
        {"outcomes": {}},
        {"delivery_s": [9, 2]},
        {"delivery_s": "soon"},
        {"delivery_s": "15s..2s"},
        {"senders": "10004346"},
        {"latency_ms": -1},
        {"limiter_rate": 0},
        {"account_code": 200},
    ],
)
def test_a_knob_that_makes_no_sense_is_refused_by_name_and_nothing_turns(
    sandbox: Client, change: dict[str, Any]
) -> None:
    before = sandbox.admin("GET", "knobs").json()
    answer = sandbox.admin("POST", "knobs", {"always_200": True, **change})
    assert answer.status_code == 400
    assert next(iter(change)) in answer.json()["error"]
    assert sandbox.admin("GET", "knobs").json() == before


@pytest.mark.parametrize(
    ("path", "body"),
    [("clock", b"{"), ("clock", b"[]"), ("clock", b'{"advance": -1}'), ("credit", b'{"rial": "1"}'), ("credit", b"{}")],
)
def test_a_body_that_makes_no_sense_is_refused_with_a_sentence(sandbox: Client, path: str, body: bytes) -> None:
    answer = sandbox.session.post(f"{sandbox.base_url}/_sandbox/{path}", data=body, timeout=60)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_the_side_door_wants_its_token_and_the_service_does_not(start: Callable[..., Client]) -> None:
    sandbox = start({"admin_token": "open sesame"})
    assert sandbox.admin("GET", "health").status_code == 401
    assert sandbox.admin("GET", "health", headers={"X-Sandbox-Token": "open"}).status_code == 401
    assert sandbox.admin("GET", "health", headers={"X-Sandbox-Token": "open sesame"}).status_code == 200
    assert sandbox.code("account/info") == 200


def test_latency_delays_the_service_only(start: Callable[..., Client]) -> None:
    assert start(latency_ms=1_000).call("account/info").elapsed.total_seconds() >= 1
    assert start(latency_ms=600_000).admin("GET", "health").ok  # its client waits for a tenth of that


def test_the_summary_counts_requests_codes_and_rows(sandbox: Client) -> None:
    sandbox.send(*numbers(200))
    sandbox.send(*numbers(100))
    sandbox.call("sms/send", form(["1"]))
    sandbox.statuses(*range(500))
    sandbox.call("a/secret")
    summary = sandbox.summary()
    assert summary["requests"] == {"sms/send": 3, "sms/status": 1, "unknown": 1}
    assert summary["codes"] == {"sms/send": {"200": 2, "411": 1}, "sms/status": {"200": 1}, "unknown": {"404": 1}}
    assert (summary["mean_rows_per_send"], summary["mean_ids_per_status"]) == (150, 500)


def test_a_receptor_with_the_same_text_twice_is_found_and_one_with_two_texts_is_not(sandbox: Client) -> None:
    sandbox.send(*numbers(3))
    sandbox.send(numbers(3)[0], text="متن دوم")
    assert sandbox.summary()["receptor_texts_sent_twice"] == 0
    ids = [sandbox.send(numbers(3)[1])[0]["messageid"] for _ in range(2)]
    summary = sandbox.summary()
    assert (summary["receptor_texts_sent_twice"], summary["most_copies_to_one_receptor"]) == (1, 3)
    (double,) = sandbox.admin("GET", "ledger/duplicates").json()["receptor_texts"]
    assert (double["receptor"], double["text_digest"]) == (numbers(3)[1], _digest(TEXT))
    assert set(ids) < set(double["messageids"])


def test_the_stream_holds_every_message_once_with_its_status_of_now(start: Callable[..., Client]) -> None:
    sandbox = start(outcomes={"delivered": 1}, delivery_s=[60, 60])
    rows = [row for first in range(0, 5000, 200) for row in sandbox.send(*numbers(5000)[first : first + 200])]
    sandbox.advance(61)
    lines = [json.loads(line) for line in sandbox.admin("GET", "ledger/stream").content.splitlines()]
    assert [line["messageid"] for line in lines] == [row["messageid"] for row in rows]
    assert {line["status"] for line in lines} == {10}
    assert lines[0] == {
        "localid": None,
        "messageid": rows[0]["messageid"],
        "receptor": numbers(1)[0],
        "text_digest": _digest(TEXT),
        "status": 10,
        "kind": "sms",
        "account": 1,
    }


def test_localids_are_looked_up_with_fate_and_times(start: Callable[..., Client]) -> None:
    sandbox = start(outcomes={"blocked": 1}, delivery_s=[60, 60])
    (row,) = sandbox.send("09121234567", localid=[42])
    (found,) = sandbox.admin("GET", "ledger?localids=42,43").json()["messages"]
    assert (found["localid"], found["messageid"], found["outcome"]) == (42, row["messageid"], "blocked")
    assert found["verdict_at"] - found["starts_at"] == 60
    assert found["status"] == 1


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]
