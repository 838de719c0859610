"""call/maketts: a text read aloud, through the same life as an SMS."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox.client import TEXT, UNHURRIED, Client, form, numbers

ONE = ["09121234567"]


@pytest.fixture
def sandbox(start: Callable[..., Client]) -> Client:
    return start(**UNHURRIED)


def test_a_call_to_one_number_is_answered_with_an_object_as_in_the_sample(sandbox: Client) -> None:
    row = sandbox.entries("call/maketts", form(ONE))
    assert abs(row.pop("date") - time.time()) < 60
    assert row == {
        "messageid": row["messageid"],
        "message": TEXT,
        "status": 5,
        "statustext": "ارسال به مخابرات",
        "sender": "100020400",
        "receptor": "09121234567",
        "cost": 900,
    }


def test_calls_to_several_numbers_are_an_array_and_so_is_one_where_the_knob_says(sandbox: Client) -> None:
    assert [row["receptor"] for row in sandbox.entries("call/maketts", form(numbers(2)))] == numbers(2)
    sandbox.turn(tts_entries="array")
    assert [row["receptor"] for row in sandbox.entries("call/maketts", form(ONE))] == ONE


def test_a_call_costs_the_same_however_long_and_a_landline_can_be_called(start: Callable[..., Client]) -> None:
    sandbox = start(tariff_call_rial=500)
    before = sandbox.credit()
    rows = sandbox.entries("call/maketts", form(["02188776655", "09121234567"], "س" * 900))
    assert [(row["receptor"], row["cost"]) for row in rows] == [("02188776655", 500), ("09121234567", 500)]
    assert before - sandbox.credit() == 1000


def test_a_repeated_localid_calls_nobody_twice_and_is_found_by_it(sandbox: Client) -> None:
    first = sandbox.entries("call/maketts", form(numbers(2), localid=[7, 8]))
    assert sandbox.entries("call/maketts", form(numbers(2), localid=[7, 8])) == first
    assert sandbox.summary()["kinds"] == {"call": 2}
    found = sandbox.entries("sms/statuslocalmessageid", {"localid": "8,9"})
    assert [(row["messageid"], row["localid"], row["status"]) for row in found] == [
        (first[1]["messageid"], "8", 5),
        (0, "9", 100),
    ]


@pytest.mark.parametrize(("outcome", "verdict"), [("delivered", 10), ("undelivered", 11), ("returned", 13)])
def test_a_call_ends_as_a_message_does(start: Callable[..., Client], outcome: str, verdict: int) -> None:
    sandbox = start(outcomes={outcome: 1}, **UNHURRIED)
    ident = sandbox.entries("call/maketts", form(ONE))["messageid"]
    seen = sandbox.statuses(ident)
    for seconds in (601, 3000):
        sandbox.advance(seconds)
        seen += sandbox.statuses(ident)
    assert seen == [5, 4, verdict]


def test_a_scheduled_call_waits_and_can_be_cancelled_with_its_cost(sandbox: Client) -> None:
    before = sandbox.credit()
    call = sandbox.entries("call/maketts", form(ONE, date=str(int(time.time()) + 3600)))
    assert (call["status"], before - sandbox.credit()) == (2, 900)
    assert sandbox.entries("sms/cancel", {"messageid": call["messageid"]})[0]["status"] == 13
    assert sandbox.credit() == before


def test_the_ledger_tells_a_call_its_tag_and_how_often_it_is_repeated(start: Callable[..., Client]) -> None:
    sandbox = start(tags=["reminder"])
    call = sandbox.entries("call/maketts", form(ONE, tag="reminder", repeat="5"))
    (shown,) = sandbox.shown(call["messageid"])
    assert (shown["kind"], shown["voice"], shown["tag"], shown["repeat"]) == ("call", True, "reminder", 5)


@pytest.mark.parametrize(
    ("code", "knobs", "params"),
    [
        (414, {}, form(numbers(201))),
        (411, {}, form(["09121234567", "12"])),
        (411, {}, form(["00974211234565"])),
        (411, {"bad_receptors": ["02188776655"]}, form(["02188776655"])),
        (413, {}, form(ONE, "س" * 901)),
        (422, {"poison_text": "☠"}, form(ONE, "☠")),
        (417, {}, form(ONE, date="tomorrow")),
        (417, {}, form(ONE, date=str(int(time.time()) - 3600))),
        (607, {}, form(ONE, tag="spring")),
        (501, {"test_mode": True}, form(ONE)),
        (418, {"tariff_call_rial": 10_000_000_001}, form(ONE)),
        (400, {}, form(ONE, repeat="6")),
        (400, {}, {"receptor": "09121234567"}),
        (406, {}, form(ONE, "")),
        (419, {}, form(ONE, localid=[1, 2])),
        (400, {"localid_count_code": 400}, form(ONE, localid=[1, 2])),
        (430, {"account_code": 430}, form(ONE)),
    ],
)
def test_a_call_is_refused_whole(
    start: Callable[..., Client], code: int, knobs: dict[str, Any], params: dict[str, Any]
) -> None:
    sandbox = start(**knobs)
    assert sandbox.code("call/maketts", params) == code
    assert sandbox.summary()["messages"] == 0
