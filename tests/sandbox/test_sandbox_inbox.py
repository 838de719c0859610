"""sms/receive and sms/countinbox: what came in, and who has read it."""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
import requests

from tests.sandbox.client import LATIN_LINE, TEXT, Client, Row

OTHER_LINE = "30002626"
UNREAD, READ = {"linenumber": LATIN_LINE, "isread": 0}, {"linenumber": LATIN_LINE, "isread": 1}
DAY = 86400


def message(text: str = TEXT, **fields: Any) -> Row:
    return {"line": LATIN_LINE, "sender": "09121234567", "text": text, **fields}


def generated(count: int, **fields: Any) -> Row:
    return {"line": LATIN_LINE, "count": count, "text": "پاسخ {n}", **fields}


def ids(rows: list[Row]) -> list[int]:
    return [row["messageid"] for row in rows]


def now(sandbox: Client) -> int:
    return int(sandbox.admin("GET", "health").json()["now"])


def test_a_message_that_came_in_is_handed_out_once_as_the_spec_shows_it(sandbox: Client) -> None:
    (messageid,) = sandbox.inject(message(date=1_357_206_241))
    assert sandbox.entries("sms/receive", UNREAD) == [
        {
            "messageid": messageid,
            "message": TEXT,
            "sender": "09121234567",
            "receptor": LATIN_LINE,
            "date": 1_357_206_241,
        }
    ]
    assert sandbox.entries("sms/receive", UNREAD) is None


def test_a_hundred_come_at_a_time_and_each_of_them_once(sandbox: Client) -> None:
    sandbox.inject(generated(250, age_s=3600))
    pages = [sandbox.entries("sms/receive", UNREAD) for _ in range(3)]
    assert [len(page) for page in pages] == [100, 100, 50]
    received = [messageid for page in pages for messageid in ids(page)]
    assert sorted(received) == sorted(row["messageid"] for row in sandbox.came_in())
    assert len({row["sender"] for page in pages for row in page}) == 250


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_the_order_is_a_knob(start: Callable[..., Client], order: str) -> None:
    sandbox = start(inbox_order=order)
    sandbox.inject(generated(150, age_s=DAY))
    sandbox.inject(message(age_s=2 * DAY))
    dates = [row["date"] for _ in range(2) for row in sandbox.entries("sms/receive", UNREAD)]
    assert dates == sorted(dates, reverse=order == "newest")
    assert len(dates) == 151


def test_read_ones_are_shown_again_and_again_and_change_nothing(sandbox: Client) -> None:
    sandbox.inject([message("یک", age_s=2), message("دو", age_s=1)])
    assert sandbox.entries("sms/receive", READ) is None
    unread = sandbox.entries("sms/receive", UNREAD)
    assert [row["message"] for row in unread] == ["دو", "یک"]
    assert [sandbox.entries("sms/receive", READ) for _ in range(2)] == [unread, unread]
    assert sandbox.inbox() == {
        "total": 2,
        "read": 2,
        "unread": 0,
        "handed_out": 6,
        "never_handed_out": 0,
        "handed_out_again": 2,
    }


def test_an_answer_lost_on_the_way_has_marked_its_messages_read(sandbox: Client) -> None:
    sandbox.inject(generated(120))
    sandbox.arm("accept_then_drop", method="sms/receive", count=1)
    with pytest.raises(requests.ConnectionError):
        sandbox.call("sms/receive", UNREAD)
    assert (sandbox.inbox()["read"], sandbox.inbox()["unread"]) == (100, 20)
    assert len(sandbox.entries("sms/receive", UNREAD)) == 20
    assert sandbox.inbox()["handed_out_again"] == 0


def test_one_in_ten_answers_is_lost_by_chance_that_repeats(start: Callable[..., Client]) -> None:
    def lost(seed: int) -> list[bool]:
        sandbox = start(seed=seed)
        sandbox.arm("accept_then_drop", method="sms/receive", share=0.1)
        return [_is_cut(sandbox) for _ in range(200)]

    first = lost(1)
    assert 8 <= sum(first) <= 36
    assert lost(1) == first != lost(2)


def _is_cut(sandbox: Client) -> bool:
    try:
        sandbox.call("sms/receive", UNREAD)
    except requests.ConnectionError:
        return True
    return False


@pytest.mark.parametrize(("empty", "code", "entries"), [("null", 200, None), ("[]", 200, []), ("449", 449, None)])
def test_an_empty_inbox_answers_what_its_knob_says(
    start: Callable[..., Client], empty: str, code: int, entries: object
) -> None:
    answer = start(inbox_empty=empty).call("sms/receive", UNREAD)
    assert (answer.status_code, answer.json()["entries"]) == (code, entries)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"isread": 0}, 400),
        ({"linenumber": LATIN_LINE}, 400),
        ({"linenumber": "", "isread": 0}, 406),
        ({"linenumber": LATIN_LINE, "isread": ""}, 406),
        ({"linenumber": LATIN_LINE, "isread": 2}, 400),
        ({"linenumber": "10009999", "isread": 0}, 412),
    ],
)
def test_a_receive_that_makes_no_sense_is_refused(sandbox: Client, params: Row, code: int) -> None:
    sandbox.inject(message())
    assert sandbox.code("sms/receive", params) == code
    assert sandbox.inbox()["unread"] == 1


def test_a_line_is_known_with_its_country_prefix_and_by_get(sandbox: Client) -> None:
    sandbox.inject(message())
    answer = sandbox.session.get(
        sandbox.url("sms/receive"), params={"LineNumber": f"+98{LATIN_LINE}", "isRead": 0}, timeout=10
    )
    assert len(answer.json()["entries"]) == 1


def test_each_line_has_an_inbox_of_its_own(sandbox: Client) -> None:
    sandbox.inject([message(), message(line=OTHER_LINE), message()])
    assert len(sandbox.entries("sms/receive", UNREAD)) == 2
    assert sandbox.inbox(OTHER_LINE)["unread"] == 1


def test_message_ids_are_wide_and_in_no_order(sandbox: Client) -> None:
    sandbox.inject(generated(1000))
    came = [row["messageid"] for row in sandbox.came_in()]
    assert len(set(came)) == 1000
    assert came != sorted(came)
    assert 2**53 < max(came) < 2**63


def test_the_stream_tells_of_every_message_without_its_text(sandbox: Client) -> None:
    (messageid,) = sandbox.inject(message(date=1_700_000_000))
    sandbox.entries("sms/receive", UNREAD)
    assert sandbox.came_in() == [
        {
            "messageid": messageid,
            "line": LATIN_LINE,
            "sender": "09121234567",
            "date": 1_700_000_000,
            "isread": 1,
            "handed_out": 1,
            "text_digest": sha256(TEXT.encode()).hexdigest()[:16],
        }
    ]


def test_a_hundred_thousand_come_in_and_go_out_cheaply(sandbox: Client) -> None:
    sandbox.inject(generated(100_000, age_s=30 * DAY, text="سلام"))
    before = time.process_time()
    for _ in range(100):
        assert len(sandbox.entries("sms/receive", UNREAD)) == 100
    assert (time.process_time() - before) / 100 < 0.1  # 0.005 were measured, with the client's share
    assert sandbox.inbox()["unread"] == 90_000


@pytest.mark.parametrize(
    "body",
    [
        {"line": LATIN_LINE, "text": "x"},
        {"line": "10009999", "sender": "09121234567", "text": "x"},
        {"line": LATIN_LINE, "sender": "09121234567"},
        {"line": LATIN_LINE, "sender": "09121234567", "text": "x" * 4001},
        {"line": LATIN_LINE, "sender": "09121234567", "text": "x", "date": "yesterday"},
        {"line": LATIN_LINE, "sender": "09121234567", "text": "x", "colour": 1},
        {"line": LATIN_LINE, "count": 1_000_001, "text": "x"},
        [{"line": LATIN_LINE, "sender": "09121234567", "text": "x"}, 5],
    ],
)
def test_an_arrival_that_makes_no_sense_is_refused_whole(sandbox: Client, body: Any) -> None:
    answer = sandbox.admin("POST", "inbox", body)
    assert (answer.status_code, bool(answer.json()["error"])) == (400, True)
    assert sandbox.came_in() == []


def test_countinbox_counts_a_day_of_a_line_or_of_all(sandbox: Client) -> None:
    sandbox.inject([message(age_s=100), message(age_s=5000), message(line=OTHER_LINE, age_s=100)])
    start, end = now(sandbox) - 3600, now(sandbox) + 10
    sandbox.entries("sms/receive", UNREAD)

    def counted(**params: Any) -> Row:
        (row,) = sandbox.entries("sms/countinbox", {"startdate": start, "enddate": end, **params})
        found: Row = row
        return found

    assert counted() == {"startdate": start, "enddate": end, "sumcount": 2}
    assert counted(linenumber=LATIN_LINE)["sumcount"] == 1
    assert [counted(isread=read)["sumcount"] for read in (0, 1)] == [1, 1]
    assert counted(startdate=end - DAY)["sumcount"] == 3
    (to_now,) = sandbox.entries("sms/countinbox", {"startdate": start, "enddate": "", "isread": ""})
    assert to_now["sumcount"] == 2


def test_countinbox_knows_its_limits(sandbox: Client) -> None:
    today = now(sandbox)

    def code(start: object, end: object = "", **params: Any) -> int:
        return sandbox.code("sms/countinbox", {"startdate": start, "enddate": end, **params})

    assert code(today - DAY, today) == 200
    assert code(today - DAY - 1, today) == 417
    assert code(today - 2 * DAY) == 417
    assert code(today, today - 1) == 417
    assert code(today - 60 * DAY + 60, today - 59 * DAY) == 200
    assert code(today - 60 * DAY - 60, today - 60 * DAY) == 417
    assert code("yesterday") == 417
    assert code("") == 406
    assert sandbox.code("sms/countinbox") == 400
    assert code(today - 60, today, isread=5) == 400
    assert code(today - 60, today, linenumber="10009999") == 412
