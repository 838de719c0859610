"""verify/lookup: a template, its tokens, and everything that can be wrong with them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox.client import UNHURRIED, Client

TEMPLATES = {
    "verify": "کد شما: %token",
    "shop": "%token20 عزیز، کد %token سریال %token2 تا %token3 در %token10.",
    "broken": "کد شما: %token2",
}


@pytest.fixture
def sandbox(start: Callable[..., Client]) -> Client:
    return start(templates=TEMPLATES, outcomes={"delivered": 1}, **UNHURRIED)


def asked(**params: str) -> dict[str, str]:
    return {"receptor": "09121234567", "token": "852596", "template": "verify", **params}


def sent(sandbox: Client, **params: str) -> dict[str, Any]:
    (row,) = sandbox.entries("verify/lookup", asked(**params))
    return dict(row)


def test_a_password_is_with_the_telecom_at_once_from_a_line_of_the_gateways_own(sandbox: Client) -> None:
    row = sent(sandbox, sender="30002626")
    assert abs(row.pop("date") - time.time()) < 60
    assert sandbox.statuses(row["messageid"]) == [5]
    assert row == {
        "messageid": row["messageid"],
        "message": "کد شما: 852596",
        "status": 5,
        "statustext": "ارسال به مخابرات",
        "sender": "100020400",
        "receptor": "09121234567",
        "cost": 120,
    }
    sandbox.advance(3601)
    assert sandbox.statuses(row["messageid"]) == [10]


def test_every_token_finds_its_place_and_one_that_was_not_given_leaves_it_empty(sandbox: Client) -> None:
    tokens = {"token2": "B", "token3": "C", "token10": "a b c d e f", "token20": "1 2 3 4 5 6 7 8 9"}
    assert sent(sandbox, template="shop", **tokens)["message"] == (
        "1 2 3 4 5 6 7 8 9 عزیز، کد 852596 سریال B تا C در a b c d e f."
    )
    assert sent(sandbox, template="shop", token2="", token3="null")["message"] == " عزیز، کد 852596 سریال  تا  در ."


@pytest.mark.parametrize(
    ("code", "params"),
    [
        (406, {"token": ""}),
        (406, {"template": ""}),
        (400, {"type": "fax"}),
        (411, {"receptor": "12"}),
        (411, {"receptor": "09121234567,09121234568"}),
        (424, {"template": "unheard-of"}),
        (432, {"template": "broken", "token2": "1"}),
        (431, {"token": "85 25"}),
        (431, {"token": "85\n25"}),
        (431, {"token": "85\u00a025"}),
        (431, {"token": "85_25"}),
        (431, {"token": "85,25"}),
        (431, {"token": "9" * 101}),
        (431, {"token2": "a b"}),
        (431, {"token3": "a_b"}),
        (431, {"token10": "a b c d e f g"}),
        (431, {"token10": "a\tb"}),
        (431, {"token20": "1 2 3 4 5 6 7 8 9 0"}),
        (431, {"token20": "x" * 101}),
        (428, {"type": "call", "token": "A85"}),
        (428, {"type": "call", "token10": "two words"}),
        (428, {"receptor": "02188776655", "token": "A85"}),
        (422, {"token": "85\x0725"}),
        (607, {"tag": "spring"}),
    ],
)
def test_a_password_is_refused(sandbox: Client, code: int, params: dict[str, str]) -> None:
    assert sandbox.code("verify/lookup", asked(**params)) == code
    assert (sandbox.summary()["messages"], sandbox.credit()) == (0, 10_000_000_000)


@pytest.mark.parametrize(
    ("code", "knobs"),
    [
        (426, {"advanced_service": False}),
        (411, {"bad_receptors": ["09121234567"]}),
        (422, {"poison_text": "852"}),
        (501, {"test_mode": True}),
        (430, {"account_code": 430}),
    ],
)
def test_a_password_is_refused_by_the_state_of_the_account(sandbox: Client, code: int, knobs: dict[str, Any]) -> None:
    sandbox.turn(**knobs)
    assert sandbox.code("verify/lookup", asked()) == code


def test_what_counts_as_a_separator_is_a_knob(sandbox: Client) -> None:
    sandbox.turn(separators_in_tokens="-")
    assert sandbox.code("verify/lookup", asked(token="85-25")) == 431
    assert sent(sandbox, token="85,25")["message"] == "کد شما: 85,25"


def test_without_credit_there_is_no_password(sandbox: Client) -> None:
    sandbox.admin("POST", "credit", {"rial": 119}).raise_for_status()
    assert sandbox.code("verify/lookup", asked()) == 418


@pytest.mark.parametrize("token", ["123456", "۱۲۳۴"])
def test_digits_can_be_read_aloud_at_the_price_of_a_call(sandbox: Client, token: str) -> None:
    row = sent(sandbox, token=token, type="Call")
    (shown,) = sandbox.shown(row["messageid"])
    assert (shown["kind"], shown["voice"], row["cost"]) == ("otp", True, 900)


def test_a_landline_is_called_whatever_the_type_and_a_mobile_only_if_asked(sandbox: Client) -> None:
    ids = [sent(sandbox, receptor=number)["messageid"] for number in ("02188776655", "09121234567")]
    shown = sandbox.shown(*ids)
    assert [(each["receptor"], each["voice"]) for each in shown] == [("02188776655", True), ("09121234567", False)]


def test_a_number_abroad_gets_its_password_and_is_echoed_as_it_was_written(sandbox: Client) -> None:
    row = sent(sandbox, receptor="00974211234565")
    assert row["receptor"] == "00974211234565"
    found = sandbox.entries("sms/statusbyreceptor", {"receptor": "00974211234565", "startdate": row["date"]})
    assert found[0]["messageid"] == row["messageid"]
    assert sandbox.code("sms/send", {"receptor": "00974211234565", "message": "x"}) == 411


def test_a_password_reaches_those_too_who_block_advertising(sandbox: Client) -> None:
    sandbox.turn(outcomes={"blocked": 1})
    ids = [sent(sandbox)["messageid"], sandbox.send("09121234567")[0]["messageid"]]
    sandbox.advance(3601)
    assert sandbox.statuses(*ids) == [10, 14]


def test_the_ledger_counts_kinds_apart_and_a_text_sent_in_two_ways_is_no_double(sandbox: Client) -> None:
    row = sent(sandbox)
    sandbox.send("09121234567", text=row["message"])
    sandbox.entries("call/maketts", {"receptor": "09121234567", "message": row["message"]})
    summary = sandbox.summary()
    assert summary["kinds"] == {"otp": 1, "sms": 1, "call": 1}
    assert summary["receptor_texts_sent_twice"] == 0
    lines = [json.loads(line) for line in sandbox.admin("GET", "ledger/stream").content.splitlines()]
    assert [line["kind"] for line in lines] == ["otp", "sms", "call"]


def test_a_tag_of_the_account_is_kept_with_the_password(start: Callable[..., Client]) -> None:
    sandbox = start(tags=["login"])
    assert sandbox.shown(sent(sandbox, tag="login")["messageid"])[0]["tag"] == "login"
