"""The account's money: reserved when a message is accepted, given back when its outcome says so, never lost."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.sandbox.client import UNHURRIED, Client, form, numbers


@pytest.fixture
def sandbox(start: Callable[..., Client]) -> Client:
    return start(**UNHURRIED)


def test_a_request_dearer_than_the_credit_is_refused_whole_and_one_that_just_fits_is_not(
    start: Callable[..., Client],
) -> None:
    sandbox = start({"credit_rial": 10 * 120}, **UNHURRIED)
    assert sandbox.code("sms/send", form(numbers(11))) == 418
    assert sandbox.credit() == 1200
    sandbox.send(*numbers(10))
    assert sandbox.credit() == 0
    assert sandbox.code("sms/send", form(["09121234567"])) == 418
    sandbox.admin("POST", "credit", {"rial": 120}).raise_for_status()
    sandbox.send("09121234567")


def test_known_localids_are_answered_without_credit(start: Callable[..., Client]) -> None:
    sandbox = start({"credit_rial": 240}, **UNHURRIED)
    first = sandbox.send(*numbers(2), localid=[1, 2])
    assert sandbox.send(*numbers(2), localid=[1, 2]) == first


@pytest.mark.parametrize(
    ("outcome", "refunded"), [("blocked", True), ("returned", True), ("failed", False), ("undelivered", False)]
)
def test_blocked_and_returned_messages_are_refunded_when_they_are_decided(
    start: Callable[..., Client], outcome: str, refunded: bool
) -> None:
    sandbox = start(outcomes={outcome: 1}, delivery_s=[60, 60])
    before = sandbox.credit()
    sandbox.send(*numbers(10))
    assert before - sandbox.credit() == 1200
    sandbox.advance(61)
    assert before - sandbox.credit() == (0 if refunded else 1200)


def test_the_summary_balances_to_the_rial(start: Callable[..., Client]) -> None:
    sandbox = start({"credit_rial": 500_000}, outcomes={"delivered": 1, "blocked": 1})
    sandbox.send(*numbers(200))
    sandbox.advance(60)
    money = sandbox.summary()
    assert money["charged_rial"] == 200 * 120
    assert 60 * 120 < money["refunded_rial"] < 140 * 120
    assert money["credit_rial"] == 500_000 - money["charged_rial"] + money["refunded_rial"] == sandbox.credit()


def test_countoutbox_counts_messages_parts_and_cost_of_a_span(sandbox: Client) -> None:
    now = int(time.time())
    sandbox.send(*numbers(3))
    sandbox.send("09121234567", text="س" * 100)
    span = {"startdate": str(now - 60)}
    (counted,) = sandbox.entries("sms/countoutbox", span)
    assert (counted["sumcount"], counted["sumpart"], counted["cost"]) == (4, 5, 600)
    assert sandbox.entries("sms/countoutbox", {**span, "status": "10"})[0]["sumcount"] == 0
    assert sandbox.entries("sms/countoutbox", {**span, "status": "1"})[0]["sumcount"] == 4


@pytest.mark.parametrize(("back", "forth"), [(4 * 86400, 3600), (2 * 86400, 0), (3600, -7200), (2 * 86400, 2 * 86400)])
def test_countoutbox_looks_back_three_days_and_over_one(sandbox: Client, back: int, forth: int) -> None:
    start = int(time.time()) - back
    asked = {"startdate": str(start), "enddate": str(start + forth) if forth else "0"}
    assert sandbox.code("sms/countoutbox", asked) == 417
