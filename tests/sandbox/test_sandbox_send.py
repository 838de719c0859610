"""sms/send and sms/sendarray: what is accepted, what it costs, what is refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox.client import TEXT, UNHURRIED, Client, arrays, form, numbers


@pytest.fixture
def sandbox(start: Callable[..., Client]) -> Client:
    return start(**UNHURRIED)


def test_a_record_holds_what_the_spec_shows(sandbox: Client) -> None:
    (row,) = sandbox.send("+989121234567", sender="+9830002626")
    assert isinstance(row.pop("messageid"), int)
    assert abs(row.pop("date") - time.time()) < 60
    assert row == {
        "message": TEXT,
        "status": 1,
        "statustext": "در صف ارسال",
        "sender": "30002626",
        "receptor": "09121234567",
        "cost": 120,
    }


def test_without_a_sender_the_default_line_sends_and_without_that_nobody(sandbox: Client) -> None:
    assert sandbox.send("09121234567", sender="")[0]["sender"] == "10004346"
    sandbox.turn(default_sender="")
    assert sandbox.code("sms/send", form(["09121234567"])) == 426


def test_parts_cost_by_tariff_and_the_credit_falls_at_once(sandbox: Client) -> None:
    before = sandbox.credit()
    texts = ["س" * 70, "س" * 71, "x" * 140, "x" * 154]
    rows = sandbox.entries("sms/sendarray", arrays(numbers(4), texts))
    assert [row["cost"] for row in rows] == [120, 240, 280, 560]
    assert before - sandbox.credit() == 1200


def test_200_receptors_are_accepted_and_201_refused_whole(sandbox: Client) -> None:
    assert len(sandbox.send(*numbers(200))) == 200
    assert sandbox.code("sms/send", form(numbers(201))) == 414
    assert sandbox.code("sms/sendarray", arrays(numbers(201), [TEXT] * 201)) == 412
    sandbox.turn(sendarray_over_limit_code=414)
    assert sandbox.code("sms/sendarray", arrays(numbers(201), [TEXT] * 201)) == 414
    assert sandbox.summary()["messages"] == 200


ONE = ["09121234567"]


@pytest.mark.parametrize(
    ("code", "knobs", "params"),
    [
        (411, {}, form(["09121234567", "12"])),
        (411, {}, form([","])),
        (411, {"bad_receptors": ["09121234567"]}, form(["09121234568", "+989121234567"])),
        (412, {}, form(ONE, sender="1234")),
        (427, {"restricted_senders": ["2000"]}, form(ONE, sender="2000")),
        (413, {}, form(ONE, "س" * 901)),
        (413, {"text_limit": 5}, form(ONE, "😀😀😀")),
        (420, {"links_restricted": True}, form(ONE, "بخوانید: https://example.com")),
        (422, {"poison_text": "\u2060"}, form(ONE, "سلام\u2060")),
        (417, {}, form(ONE, date="yesterday")),
        (417, {}, form(ONE, date=str(int(time.time()) - 3600))),
        (417, {}, form(ONE, date=str(int(time.time() * 1000)))),
        (607, {}, form(ONE, tag="spring")),
        (607, {"tags": ["two words"]}, form(ONE, tag="two words")),
        (501, {"test_mode": True}, form(ONE)),
        (400, {}, {"receptor": "09121234567"}),
        (406, {}, {"receptor": "09121234567", "message": ""}),
        (419, {}, form(ONE, localid=[1, 2])),
    ],
)
def test_a_send_is_refused_whole(
    start: Callable[..., Client], code: int, knobs: dict[str, Any], params: dict[str, Any]
) -> None:
    sandbox = start(**knobs)
    before = sandbox.credit()
    assert sandbox.code("sms/send", params) == code
    assert (sandbox.summary()["messages"], sandbox.credit()) == (0, before)


@pytest.mark.parametrize("tag", ["spring", ""])
def test_a_registered_tag_and_an_empty_one_pass(start: Callable[..., Client], tag: str) -> None:
    assert len(start(tags=["spring"]).send("09121234567", tag=tag)) == 1


@pytest.mark.parametrize("unset", ["", "0", "null"])
def test_an_unset_date_means_now(sandbox: Client, unset: str) -> None:
    assert sandbox.send("09121234567", date=unset)[0]["status"] == 1


TWO = numbers(2)


@pytest.mark.parametrize(
    ("code", "params"),
    [
        (419, arrays(TWO, [TEXT])),
        (419, arrays(TWO, [TEXT] * 2, sender=["10004346"])),
        (419, arrays(TWO, [TEXT] * 2, type=[1])),
        (419, arrays(TWO, [TEXT] * 2, localmessageids=[1])),
        (419, arrays(TWO, [TEXT] * 2, localmessageids="null")),
        (419, arrays(TWO, [TEXT] * 2, localmessageids=[])),
        (413, arrays(TWO, [TEXT, ""])),
        (400, {"receptor": "09121234567", "message": "x", "sender": "10004346"}),
        (400, {"receptor": '"09121234567"', "message": '"x"', "sender": '"10004346"'}),
        (400, {"receptor": '["09121234567"]', "message": '["x"]'}),
    ],
)
def test_arrays_that_do_not_fit_are_refused(sandbox: Client, code: int, params: dict[str, Any]) -> None:
    assert sandbox.code("sms/sendarray", params) == code
    assert sandbox.summary()["messages"] == 0


def test_sendarray_is_post_only(sandbox: Client) -> None:
    answer = sandbox.session.get(sandbox.url("sms/sendarray"), params=arrays(TWO, [TEXT] * 2), timeout=60)
    assert answer.status_code == 405


def test_rows_come_back_in_the_order_the_knob_says(sandbox: Client) -> None:
    asked = numbers(50)
    orders = {}
    for order in ("same", "reversed", "shuffled"):
        sandbox.turn(order=order)
        orders[order] = [row["receptor"] for row in sandbox.send(*asked)]
    assert orders["same"] == asked
    assert orders["reversed"] == asked[::-1]
    assert orders["shuffled"] != asked
    assert sorted(orders["shuffled"]) == asked


def test_rows_can_be_left_out_of_an_answer_though_they_were_sent(start: Callable[..., Client]) -> None:
    sandbox = start(omit_share=0.5)
    rows = sandbox.send(*numbers(200))
    assert 60 < len(rows) < 140
    assert sandbox.summary()["messages"] == 200


def test_message_ids_are_wide_unordered_and_never_repeat(sandbox: Client) -> None:
    ids = [row["messageid"] for _ in range(5) for row in sandbox.send(*numbers(200))]
    assert len(set(ids)) == 1000
    assert ids != sorted(ids)
    assert max(ids) > 2**31
    assert max(ids) < 2**53


def test_another_sandbox_does_not_know_these_message_ids(start: Callable[..., Client]) -> None:
    ids = [row["messageid"] for row in start().send(*numbers(200))]
    other = start()
    other.send(*numbers(200))
    assert set(other.statuses(*ids)) == {100}
