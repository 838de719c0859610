"""The listings of what was sent: by receptor, by span of time, and the latest."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox.client import TEXT, UNHURRIED, Client, form, numbers

DAY = 86400
LISTINGS = ["sms/statusbyreceptor", "sms/selectoutbox", "sms/latestoutbox"]


@pytest.fixture
def sandbox(start: Callable[..., Client]) -> Client:
    return start(**UNHURRIED)


@pytest.fixture
def registered(start: Callable[..., Client]) -> Client:
    """A sandbox that knows the caller's address."""
    return start(ip_registered=True, **UNHURRIED)


def asked(back: int = 60, forth: int | None = None, **params: Any) -> dict[str, Any]:
    """A span that began `back` seconds ago, and ended `forth` seconds after that."""
    start = int(time.time()) - back
    return {"startdate": start, **({} if forth is None else {"enddate": start + forth}), **params}


def ids(rows: list[dict[str, Any]]) -> list[int]:
    return [row["messageid"] for row in rows]


def test_a_number_is_asked_for_in_any_form_and_answered_with_all_that_went_to_it(sandbox: Client) -> None:
    one = sandbox.send("09121234567", "09121234568")[0]["messageid"]
    two = sandbox.send("09121234567", text="متن دوم")[0]["messageid"]
    rows = sandbox.entries("sms/statusbyreceptor", asked(receptor="+989121234567"))
    assert rows == [
        {"messageid": each, "receptor": "09121234567", "status": 1, "statustext": "در صف ارسال"} for each in (one, two)
    ]


def test_without_an_end_a_number_is_looked_for_over_one_day(sandbox: Client) -> None:
    (today,) = sandbox.send("09121234567")
    sandbox.advance(2 * DAY)
    (later,) = sandbox.send("09121234567")
    past, now = asked(receptor="09121234567"), asked(60 - 2 * DAY, receptor="09121234567")
    assert ids(sandbox.entries("sms/statusbyreceptor", past)) == [today["messageid"]]
    assert ids(sandbox.entries("sms/statusbyreceptor", {**now, "enddate": "0"})) == [later["messageid"]]


def test_long_after_sms_status_has_forgotten_it_a_number_still_has_its_verdict(start: Callable[..., Client]) -> None:
    sandbox = start(outcomes={"delivered": 1})
    (message,) = sandbox.send("09121234567")
    began = asked(receptor="09121234567")
    sandbox.advance(30 * DAY)
    assert sandbox.statuses(message["messageid"]) == [100]
    assert sandbox.entries("sms/statusbyreceptor", began)[0]["status"] == 10


@pytest.mark.parametrize(
    ("code", "params"),
    [
        (400, {"receptor": "09121234567"}),
        (400, {"startdate": "1"}),
        (406, {"receptor": "", "startdate": "1"}),
        (411, asked(receptor="12")),
        (411, asked(receptor="09121234567,09121234568")),
        (417, {"receptor": "09121234567", "startdate": "yesterday"}),
        (417, {"receptor": "09121234567", "startdate": "9" * 5000}),
        (417, asked(60, DAY + 1, receptor="09121234567")),
        (417, asked(60, -1, receptor="09121234567")),
    ],
)
def test_a_question_about_a_number_is_refused(sandbox: Client, code: int, params: dict[str, Any]) -> None:
    assert sandbox.code("sms/statusbyreceptor", params) == code


def test_a_span_shows_whole_records_and_from_any_moment_up_to_now(registered: Client) -> None:
    sent = registered.send(*numbers(3)) + registered.send("09121234567", sender="30002626")
    assert registered.entries("sms/selectoutbox", asked()) == sent
    assert registered.entries("sms/selectoutbox", {**asked(), "enddate": ""}) == sent
    registered.advance(3600)
    assert registered.code("sms/selectoutbox", asked(60 - 3600)) == 449


def test_a_span_ends_after_500_records_and_there_is_no_next_page(registered: Client) -> None:
    sent = [row for first in range(0, 600, 200) for row in registered.send(*numbers(600)[first : first + 200])]
    assert ids(registered.entries("sms/selectoutbox", asked())) == ids(sent)[:500]
    assert ids(registered.entries("sms/selectoutbox", asked(pagenumber="2"))) == ids(sent)[:500]


def test_what_is_scheduled_is_not_in_the_outbox_before_it_sets_out(registered: Client) -> None:
    registered.send("09121234567", date=str(int(time.time()) + 3600))
    assert registered.code("sms/selectoutbox", asked()) == registered.code("sms/latestoutbox") == 449
    registered.advance(3700)
    assert len(registered.entries("sms/selectoutbox", asked())) == len(registered.entries("sms/latestoutbox")) == 1


@pytest.mark.parametrize(
    ("code", "params"),
    [
        (400, {}),
        (406, {"startdate": ""}),
        (417, {"startdate": "x"}),
        (417, asked(3 * DAY + 60, 60)),
        (417, asked(2 * DAY, DAY + 1)),
        (417, asked(2 * DAY)),
        (417, asked(60, -1)),
        (412, asked(sender="50001")),
    ],
)
def test_a_span_is_refused(registered: Client, code: int, params: dict[str, Any]) -> None:
    assert registered.code("sms/selectoutbox", params) == code


def test_the_latest_are_as_many_as_asked_for_and_the_oldest_of_them_comes_first(registered: Client) -> None:
    sent = [row for first in range(0, 600, 200) for row in registered.send(*numbers(600)[first : first + 200])]
    assert ids(registered.entries("sms/latestoutbox", {"pagesize": "3"})) == ids(sent)[-3:]
    for unset in ({}, {"pagesize": ""}, {"pagesize": "0"}):
        assert ids(registered.entries("sms/latestoutbox", unset)) == ids(sent)[-500:]


@pytest.mark.parametrize(
    ("code", "params"),
    [
        (400, {"pagesize": "501"}),
        (400, {"pagesize": "many"}),
        (400, {"pagesize": "9" * 5000}),
        (412, {"sender": "50001"}),
    ],
)
def test_the_latest_are_refused(registered: Client, code: int, params: dict[str, str]) -> None:
    assert registered.code("sms/latestoutbox", params) == code


@pytest.mark.parametrize("method", LISTINGS[1:])
def test_listings_are_of_one_line_where_one_is_named(registered: Client, method: str) -> None:
    registered.send("09121234567")
    (other,) = registered.send("09121234567", sender="30002626")
    assert registered.entries(method, asked(sender="+9830002626")) == [other]


def test_an_id_no_message_can_have_is_a_mistake_of_the_callers(registered: Client) -> None:
    for method in ("sms/status", "sms/select", "sms/cancel"):
        assert registered.code(method, {"messageid": "1" * 20}) == 400
        assert registered.entries(method, {"messageid": "9" * 19})[0]["status"] == 100


@pytest.mark.parametrize(
    ("method", "params"),
    [("sms/select", {"messageid": "1"}), ("sms/selectoutbox", asked()), ("sms/latestoutbox", {})],
)
def test_whole_records_are_for_a_registered_address_only(sandbox: Client, method: str, params: dict[str, Any]) -> None:
    assert sandbox.code(method, params) == 407


@pytest.mark.parametrize("method", LISTINGS)
def test_an_empty_listing_is_said_in_one_of_three_ways(registered: Client, method: str) -> None:
    params = asked(receptor="09121234567")
    assert registered.code(method, params) == 449
    for said, entries in (("[]", []), ("null", None), ([], []), (None, None)):
        registered.turn(outbox_empty=said)
        assert registered.entries(method, params) == entries


@pytest.mark.parametrize("method", LISTINGS[1:])
def test_a_hidden_receptor_is_masked_or_its_message_left_out_of_listings(registered: Client, method: str) -> None:
    (shown,), (hidden,) = registered.send("09121234567"), registered.send("09121234568", hide="1")
    assert [row["receptor"] for row in registered.entries(method, asked())] == ["09121234567", "09*********"]
    registered.turn(hidden_receptors="omit")
    assert registered.entries(method, asked()) == [shown]
    assert registered.statuses(hidden["messageid"]) == [1]
    assert registered.entries("sms/select", {"messageid": hidden["messageid"]}) == [hidden]


def test_one_time_passwords_and_calls_are_in_the_outbox_and_are_counted(registered: Client) -> None:
    registered.send("09121234567")
    registered.entries("verify/lookup", {"receptor": "09121234567", "token": "1", "template": "verify"})
    registered.entries("call/maketts", form(["09121234567"], TEXT))
    rows = registered.entries("sms/selectoutbox", asked())
    (counted,) = registered.entries("sms/countoutbox", asked())
    assert [row["sender"] for row in rows] == ["10004346", "100020400", "100020400"]
    assert (counted["sumcount"], counted["cost"]) == (3, sum(row["cost"] for row in rows)) == (3, 120 + 120 + 900)
