"""line/blocked: who wants nothing more from a line, and what that does to sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox.client import LATIN_LINE, Client, Row, form, numbers
from tests.sandbox.test_sandbox_inbox import DAY, OTHER_LINE, message, now

LIST, ADD, EXISTS, REMOVE = (f"line/blocked/{verb}" for verb in ("list", "add", "exists", "remove"))
ONE, TWO, THREE = numbers(3)


def about(*receptors: str, line: str = LATIN_LINE) -> Row:
    return {"linenumber": line, "receptor": ",".join(receptors)}


def put(sandbox: Client, *receptors: str, **fields: Any) -> None:
    """Onto a list through the admin API."""
    answer = sandbox.admin("POST", "blocked", {"line": LATIN_LINE, "numbers": list(receptors), **fields})
    assert answer.status_code == 201, answer.text


def remove(sandbox: Client, params: Row, verb: str = "DELETE") -> Any:
    return sandbox.session.request(verb, sandbox.url(REMOVE), params=params, timeout=60).json()


def listed(sandbox: Client, **params: Any) -> list[Row]:
    rows: list[Row] = sandbox.entries(LIST, {"linenumber": LATIN_LINE, **params})
    return rows


def blocked(sandbox: Client, *receptors: str, line: str = LATIN_LINE) -> list[bool]:
    return [row["status"] == "Active" for row in sandbox.entries(EXISTS, about(*receptors, line=line))]


def test_a_number_is_added_once_and_known_from_then_on(sandbox: Client) -> None:
    first = sandbox.entries(ADD, about(ONE, f"+98{ONE[1:]}", TWO))
    assert first == [
        {"linenumber": LATIN_LINE, "receptor": ONE, "status": "Active"},
        {"linenumber": LATIN_LINE, "receptor": ONE, "status": "AlreadyExists"},
        {"linenumber": LATIN_LINE, "receptor": TWO, "status": "Active"},
    ]
    assert [row["status"] for row in sandbox.entries(ADD, about(TWO, THREE))] == ["AlreadyExists", "Active"]
    assert blocked(sandbox, ONE, TWO, THREE) == [True] * 3
    assert blocked(sandbox, ONE, line=OTHER_LINE) == [False]


def test_add_takes_the_multipart_form_of_the_spec_and_only_post(sandbox: Client) -> None:
    parts = {name: (None, value) for name, value in about(ONE, TWO).items()}
    answer = sandbox.session.post(sandbox.url(ADD), files=parts, timeout=60)
    assert [row["status"] for row in answer.json()["entries"]] == ["Active", "Active"]
    assert sandbox.session.get(sandbox.url(ADD), params=about(THREE), timeout=60).status_code == 405
    assert blocked(sandbox, THREE) == [False]


def test_exists_echoes_what_is_no_number_and_answers_to_get(sandbox: Client) -> None:
    answer = sandbox.session.get(sandbox.url(EXISTS), params=about("0911222333", ONE), timeout=60)
    assert answer.json()["entries"] == [
        {"linenumber": LATIN_LINE, "receptor": "0911222333", "status": "NotExists"},
        {"linenumber": LATIN_LINE, "receptor": ONE, "status": "NotExists"},
    ]


@pytest.mark.parametrize("method", [ADD, EXISTS])
def test_two_hundred_fit_and_one_more_is_604(sandbox: Client, method: str) -> None:
    assert len(sandbox.entries(method, about(*numbers(200)))) == 200
    assert sandbox.code(method, about(*numbers(201))) == 604


@pytest.mark.parametrize("method", [ADD, EXISTS])
def test_what_is_blank_missing_or_not_ours_is_refused(sandbox: Client, method: str) -> None:
    assert sandbox.code(method, about("")) == 406
    assert sandbox.code(method, about(ONE, line="")) == 406
    assert sandbox.code(method, {"linenumber": LATIN_LINE}) == 400
    assert sandbox.code(method, about(ONE, line="10009999")) == 412


def test_a_number_that_is_none_keeps_a_whole_request_off_the_list(sandbox: Client) -> None:
    assert sandbox.code(ADD, about(ONE, "12")) == 411
    assert sandbox.code(ADD, about(",")) == 411
    assert blocked(sandbox, ONE) == [False]


def test_the_list_shows_its_metadata_first(sandbox: Client) -> None:
    sandbox.entries(ADD, about(ONE))
    answer = sandbox.call(LIST, {"linenumber": LATIN_LINE})
    assert list(answer.json()) == ["metadata", "return", "entries"]
    assert answer.json()["metadata"] == {
        "totalcount": "1",
        "currentpage": "1",
        "totalpages": "1",
        "pagesize": "200",
    }
    (row,) = answer.json()["entries"]
    assert (row["number"], row["blockreason"]) == (ONE, 0)
    assert abs(row["date"] - now(sandbox)) < 60


def test_the_list_is_of_today_unless_a_date_is_given(sandbox: Client) -> None:
    today = now(sandbox)
    put(sandbox, ONE, date=today - 3 * DAY)
    put(sandbox, TWO)
    assert [row["number"] for row in listed(sandbox)] == [TWO]
    assert [row["number"] for row in listed(sandbox, startdate=today - 4 * DAY)] == [ONE, TWO]
    assert [row["number"] for row in listed(sandbox, startdate=1)] == [ONE, TWO]


def test_the_list_is_filtered_by_reason_and_0_is_one(sandbox: Client) -> None:
    for number, reason in zip(numbers(5), (0, 1, 2, 3, 10), strict=True):
        put(sandbox, number, reason=reason)
    assert [[row["blockreason"] for row in listed(sandbox, blockreason=reason)] for reason in (0, 2, 10)] == [
        [0],
        [2],
        [10],
    ]
    assert len(listed(sandbox, blockreason="")) == 5


def test_the_list_has_pages(sandbox: Client) -> None:
    put(sandbox, *numbers(450))
    pages = [sandbox.call(LIST, {"linenumber": LATIN_LINE, "pagenumber": number}).json() for number in (1, 2, 3, 4)]
    assert [len(page["entries"]) for page in pages] == [200, 200, 50, 0]
    assert {(page["metadata"]["totalcount"], page["metadata"]["totalpages"]) for page in pages} == {("450", "3")}
    assert [row["number"] for page in pages for row in page["entries"]] == numbers(450)
    assert listed(sandbox, pagenumber=0) == pages[0]["entries"]


def test_a_list_that_makes_no_sense_is_refused(sandbox: Client) -> None:
    assert sandbox.code(LIST) == 400
    assert sandbox.code(LIST, {"linenumber": ""}) == 406
    assert sandbox.code(LIST, {"linenumber": "10009999"}) == 412
    assert sandbox.code(LIST, {"linenumber": LATIN_LINE, "blockreason": 7}) == 400
    assert sandbox.code(LIST, {"linenumber": LATIN_LINE, "startdate": "soon"}) == 417
    assert sandbox.code(LIST, {"linenumber": LATIN_LINE, "pagenumber": "x"}) == 400


def test_only_what_the_web_service_or_the_panel_blocked_comes_off(sandbox: Client) -> None:
    for number, reason in zip(numbers(5), (0, 1, 2, 3, 10), strict=True):
        put(sandbox, number, reason=reason)
    answer = remove(sandbox, about(*numbers(5), ONE, "nonsense"))
    assert answer["entries"] == {"message": "Done-removed 2 item from blacklist"}
    assert blocked(sandbox, *numbers(5)) == [False, False, True, True, True]
    assert remove(sandbox, about(ONE))["entries"] == {"message": "Done-removed 0 item from blacklist"}


@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_remove_is_a_delete_and_nothing_else(sandbox: Client, verb: str) -> None:
    sandbox.entries(ADD, about(ONE))
    assert remove(sandbox, about(ONE), verb)["return"]["status"] == 405
    assert blocked(sandbox, ONE) == [True]


def test_remove_reads_its_query_alone(sandbox: Client) -> None:
    sandbox.entries(ADD, about(ONE))
    answer = sandbox.session.delete(sandbox.url(REMOVE), data=about(ONE), timeout=60)
    assert answer.status_code == 400
    assert blocked(sandbox, ONE) == [True]


def test_remove_has_its_limits(sandbox: Client) -> None:
    def code(params: Row) -> int:
        return int(remove(sandbox, params)["return"]["status"])

    assert code(about(*numbers(50))) == 200
    assert code(about(*numbers(51))) == 604
    assert code(about("")) == 406
    assert code({"linenumber": LATIN_LINE}) == 400
    assert code(about(ONE, line="10009999")) == 412


@pytest.mark.parametrize("word", ["11", "لغو۱۱", "لغو11", " لغو ۱۱ ", "۱۱"])
def test_who_opts_out_is_on_the_list_of_that_line_and_stays(sandbox: Client, word: str) -> None:
    sandbox.entries(ADD, about(ONE))
    sandbox.inject([message(word, sender=ONE), message("قیمت 11 چند؟", sender=TWO)])
    assert blocked(sandbox, ONE, TWO) == [True, False]
    assert blocked(sandbox, ONE, line=OTHER_LINE) == [False]
    assert [row["blockreason"] for row in listed(sandbox)] == [2]
    assert remove(sandbox, about(ONE))["entries"] == {"message": "Done-removed 0 item from blacklist"}


def test_a_send_to_a_blocked_number_ends_in_14_and_its_cost_comes_back(start: Callable[..., Client]) -> None:
    sandbox = start(outcomes={"delivered": 1}, delivery_s=[60, 60])
    sandbox.entries(ADD, about(ONE))
    before = sandbox.credit()
    sent = sandbox.send(ONE, TWO)
    assert [row["status"] for row in sent] == [1, 1]
    assert sandbox.credit() == before - 2 * sent[0]["cost"]
    sandbox.advance(30)
    assert sandbox.statuses(*(row["messageid"] for row in sent)) == [4, 4]
    sandbox.advance(31)
    assert sandbox.statuses(*(row["messageid"] for row in sent)) == [14, 10]
    assert sandbox.credit() == before - sent[1]["cost"]


def test_a_send_to_a_blocked_number_is_14_at_once_where_the_knob_says_so(start: Callable[..., Client]) -> None:
    sandbox = start(outcomes={"delivered": 1}, delivery_s=[60, 60], blocked_at_once=True)
    put(sandbox, ONE, reason=2)
    before = sandbox.credit()
    sent = sandbox.send(ONE, TWO, sender=LATIN_LINE)
    assert [row["status"] for row in sent] == [14, 1]
    assert sandbox.credit() == before - sent[1]["cost"]
    assert sandbox.send(ONE, sender=OTHER_LINE)[0]["status"] == 1


def test_a_one_time_password_reaches_a_blocked_number(start: Callable[..., Client]) -> None:
    sandbox = start(outcomes={"delivered": 1}, blocked_at_once=True, service_sender=LATIN_LINE)
    put(sandbox, ONE, reason=2)
    code = sandbox.call("verify/lookup", {"receptor": ONE, "token": "1234", "template": "verify"}).json()
    entries = code["entries"]
    (row,) = entries if isinstance(entries, list) else [entries]
    sandbox.advance(3600)
    assert sandbox.statuses(row["messageid"]) == [10]


def test_the_side_door_shows_every_list(sandbox: Client) -> None:
    put(sandbox, ONE, reason=3, date=1_700_000_000)
    assert sandbox.admin("GET", "blocked").json() == {
        "lines": {LATIN_LINE: [{"number": ONE, "reason": 3, "date": 1_700_000_000}]}
    }


@pytest.mark.parametrize(
    "change", [{"line": "10009999"}, {"reason": 7}, {"numbers": "09121234567"}, {"numbers": ["12"]}, {"date": "now"}]
)
def test_a_block_that_makes_no_sense_is_refused(sandbox: Client, change: Row) -> None:
    answer = sandbox.admin("POST", "blocked", {"line": LATIN_LINE, "numbers": [ONE], **change})
    assert (answer.status_code, sandbox.admin("GET", "blocked").json()["lines"]) == (400, {})


def test_a_send_in_debug_mode_to_a_blocked_number_is_cancelled_like_all(start: Callable[..., Client]) -> None:
    sandbox = start(debug_mode=True)
    put(sandbox, ONE)
    assert [row["status"] for row in sandbox.entries("sms/send", form((ONE, TWO)))] == [13, 13]
