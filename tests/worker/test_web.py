"""What the gateway tells is understood in whatever form it comes, and written down once; nobody else finds anything."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
from sqlalchemy import Engine, text

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.store.database import Database
from kavenegar_campaigns.store.engine import make_engine
from kavenegar_worker.web import callbacks
from tests.web import TOKEN, expecting, parked, web

STATUS = {"messageid": "1970430810", "status": "10"}
RECEIVE = {"from": "09121234567", "to": "10004346", "message": "لغو", "messageid": "77"}


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


@pytest.fixture
def url(context: Context) -> Iterator[str]:
    with web(expecting(context)) as address:
        yield address


def call(url: str, method: str = "POST", **how: Any) -> requests.Response:
    return requests.request(method, url, timeout=60, **how)


# ── forms ──

FORMS: dict[str, dict[str, Any]] = {
    "GET with a query": {"method": "GET", "params": STATUS},
    "POST with a query": {"params": STATUS},
    "form": {"data": STATUS},
    "multipart": {"files": {name: (None, value) for name, value in STATUS.items()}},
    "JSON": {"json": STATUS},
    "JSON with numbers": {"json": {"messageid": 1970430810, "status": 10}},
    "names in other cases": {"data": {"MessageId": "1970430810", "STATUS": "10"}},
    "half in the query, half in the form": {"params": {"messageid": "1970430810"}, "data": {"status": "10"}},
    "with more than is documented": {"data": {**STATUS, "statustext": "رسیده به گیرنده", "receptor": "0912"}},
    "a list of one": {"json": [STATUS]},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_status_is_understood_as(form: str, url: str, engine: Engine) -> None:
    answer = call(f"{url}/status", **FORMS[form])

    assert (answer.status_code, answer.text) == (200, "OK\n")
    assert parked(engine) == [(1970430810, 10)]


LISTS: dict[str, dict[str, Any]] = {
    "JSON": {"json": [{"messageid": 1, "status": 10}, {"messageid": "2", "status": 6}]},
    "repeated names in a query": {"method": "GET", "params": {"messageid": [1, 2], "status": [10, 6]}},
    "repeated names in a form": {"data": [("messageid", 1), ("messageid", 2), ("status", 10), ("status", 6)]},
}  # fmt: skip


@pytest.mark.parametrize("form", LISTS)
def test_a_list_is_understood_as(form: str, url: str, engine: Engine) -> None:
    assert call(f"{url}/status", **LISTS[form]).status_code == 200
    assert parked(engine) == [(1, 10), (2, 6)]


def test_a_list_of_nothing_is_fine(url: str, engine: Engine) -> None:
    assert call(f"{url}/status", json=[]).status_code == 200
    assert parked(engine) == []


def test_what_is_told_twice_is_written_down_once(url: str, engine: Engine) -> None:
    for _ in range(3):
        assert call(f"{url}/status", data=STATUS).status_code == 200
    assert call(f"{url}/status", json=[STATUS, STATUS]).status_code == 200
    assert parked(engine) == [(1970430810, 10)]


@pytest.mark.parametrize("status", [1, 2, 4, 5, 50, 100])
def test_a_status_on_the_way_to_a_verdict_needs_no_place(url: str, engine: Engine, status: int) -> None:
    assert call(f"{url}/status", data={**STATUS, "status": status}).status_code == 200
    assert parked(engine) == []


def test_a_status_that_nobody_has_documented_is_kept_to_be_asked_about(url: str, engine: Engine) -> None:
    assert call(f"{url}/status", data={**STATUS, "status": "77"}).status_code == 200
    assert parked(engine) == [(1970430810, 77)]


# ── malformed ones ──

MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "messageid is missing"),
    "no status": ({"data": {"messageid": "1"}}, "status is missing"),
    "no id": ({"json": {"status": 10}}, "messageid is missing"),
    "an empty id": ({"data": {"messageid": "", "status": "10"}}, "messageid"),
    "a word for an id": ({"data": {"messageid": "one", "status": "10"}}, "messageid"),
    "zero": ({"data": {"messageid": "0", "status": "10"}}, "messageid"),
    "a negative id": ({"json": {"messageid": -1, "status": 10}}, "messageid"),
    "an id beyond 63 bits": ({"json": {"messageid": 2**63, "status": 10}}, "messageid"),
    "an endless id": ({"data": {"messageid": "9" * 5000, "status": "10"}}, "messageid"),
    "Persian digits": ({"data": {"messageid": "۱۲", "status": "10"}}, "messageid"),
    "half an id": ({"json": {"messageid": 1.5, "status": 10}}, "messageid"),
    "true": ({"json": {"messageid": True, "status": 10}}, "messageid"),
    "null": ({"json": {"messageid": None, "status": 10}}, "messageid"),
    "a word for a status": ({"data": {"messageid": "1", "status": "delivered"}}, "status"),
    "an endless status": ({"data": {"messageid": "1", "status": "1" * 12}}, "status"),
    "more ids than statuses": ({"data": [("messageid", 1), ("messageid", 2), ("status", 10)]}, "status"),
    "one of two is wrong": ({"json": [{"messageid": 1, "status": 10}, {"messageid": 2}]}, "status is missing"),
    "no JSON": ({"data": "{", "headers": {"Content-Type": "application/json"}}, "no JSON"),
    "a number": ({"json": 5}, "neither an object nor a list"),
    "a list of numbers": ({"json": [5]}, "neither an object nor a list"),
    "a deep list": ({"data": "[" * 60_000, "headers": {"Content-Type": "application/json"}}, "no JSON"),
    "too many at once": ({"json": [{"messageid": 1, "status": 10}] * 501}, "more than 500"),
    "broken multipart": ({"data": "--x", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, "missing"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_call_is_told_what_is_wrong_and_changes_nothing(case: str, url: str, engine: Engine) -> None:
    how, reason = MALFORMED[case]

    answer = call(f"{url}/status", **how)

    assert answer.status_code == 400
    assert reason in answer.text
    assert parked(engine) == []


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"from": ""}, "from"),
        ({"from": "9" * 65}, "from"),
        ({"to": "my line"}, "to"),
        ({"messageid": "-7"}, "messageid"),
        ({"message": None}, "message is missing"),
    ],
)
def test_a_malformed_message_is_told_which_part(url: str, changed: dict[str, Any], reason: str) -> None:
    answer = call(f"{url}/receive", data={**RECEIVE, **changed})

    assert answer.status_code == 400
    assert reason in answer.text


def test_only_get_and_post_are_calls(url: str) -> None:
    answer = call(f"{url}/status", method="PUT", data=STATUS)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")


# ── who does not know the token ──


def test_a_wrong_token_finds_what_any_unknown_path_finds(url: str, engine: Engine) -> None:
    root = url.removesuffix(f"/callbacks/{TOKEN}")
    near = TOKEN[:-1] + ("a" if TOKEN[-1] != "a" else "b")
    answers = [
        call(root + path, data=STATUS)
        for path in (
            "/", "/favicon.ico", "/callbacks", "/callbacks/", f"/callbacks/{near}/status", "/callbacks//status",
            f"/callbacks/{TOKEN}", f"/callbacks/{TOKEN}/", f"/callbacks/{TOKEN}/other", f"/callbacks/{TOKEN}/status/",
            f"/callbacks/{TOKEN.upper()}/status", f"/callbacks/{'x' * 5000}/status",
            f"/x/{TOKEN}/status", "/callbacks/%00%ff/status",
        )
    ]  # fmt: skip

    assert {(answer.status_code, answer.text) for answer in answers} == {(404, "Not Found\n")}
    assert len({tuple(sorted(set(answer.headers) - {"Date"})) for answer in answers}) == 1
    assert parked(engine) == []


def test_the_token_is_compared_in_constant_time() -> None:
    """Time cannot be measured on a busy machine, but what is compared can be told: digests, by what is made for it."""
    assert "compare_digest" in callbacks._find_handler.__code__.co_names
    assert callbacks._digest("x") == hashlib.sha256(b"x").digest()


def test_everybody_may_ask_whether_it_answers(url: str) -> None:
    answer = call(f"{url.removesuffix(f'/callbacks/{TOKEN}')}/healthz", method="GET")
    assert (answer.status_code, answer.text) == (200, "OK\n")


def test_an_answer_does_not_tell_what_answers(url: str) -> None:
    assert "Server" not in call(f"{url}/status", data=STATUS).headers


# ── messages that came in ──


def test_a_message_for_a_line_that_nobody_pulls_is_not_taken_so_that_it_stays_unread(url: str, engine: Engine) -> None:
    answer = call(f"{url}/receive", data=RECEIVE)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "120")
    with engine.connect() as connection:
        found = connection.execute(text("SELECT count(*), (SELECT count(*) FROM sms.lines) FROM sms.inbound")).one()
    assert tuple(found) == (0, 0)


# ── the database is away ──


def test_while_the_database_is_away_the_gateway_is_told_to_come_again(context: Context, closed_port_url: str) -> None:
    port = closed_port_url.rpartition(":")[2]
    away = Database(make_engine(f"postgresql+psycopg://nobody@127.0.0.1:{port}/nowhere"), patience_s=0)
    with web(replace(context, database=away)) as url:
        answers = [call(f"{url}/status", data=STATUS), call(f"{url}/receive", data=RECEIVE)]
        healthy = call(f"{url.removesuffix(f'/callbacks/{TOKEN}')}/healthz", method="GET")

    assert [(answer.status_code, answer.headers["Retry-After"]) for answer in answers] == [(503, "120")] * 2
    assert healthy.status_code == 200
    away.engine.dispose()
