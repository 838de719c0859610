"""sms/inboxpaged: two days at most, 200 a page, and a second page that leaves something out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.sandbox.client import LATIN_LINE, Client, Row
from tests.sandbox.test_sandbox_inbox import DAY, generated, ids, message, now


def page(sandbox: Client, *, isread: int = 0, **params: Any) -> Row:
    """A whole answer that must succeed."""
    answer: Row = sandbox.call("sms/inboxpaged", {"linenumber": LATIN_LINE, "isread": isread, **params}).json()
    assert answer["return"]["status"] == 200
    return answer


def code(sandbox: Client, **params: Any) -> int:
    return sandbox.code("sms/inboxpaged", {"linenumber": LATIN_LINE, "isread": 0, **params})


def test_unread_ones_are_read_by_being_shown_and_the_total_is_what_is_left(sandbox: Client) -> None:
    sandbox.inject(generated(450, age_s=3600))
    pages = [page(sandbox) for _ in range(3)]
    assert [len(each["entries"]) for each in pages] == [200, 200, 50]
    assert [each["metadata"]["totalcount"] for each in pages] == ["250", "50", "0"]
    assert pages[0]["metadata"] == {"totalcount": "250", "currentpage": "1", "totalpages": "2", "pagesize": "200"}
    assert len({messageid for each in pages for messageid in ids(each["entries"])}) == 450
    nothing = page(sandbox)
    assert (nothing["entries"], nothing["metadata"]["totalpages"]) == (None, "1")


def test_who_asks_for_the_second_page_of_unread_ones_misses_what_moved_up(sandbox: Client) -> None:
    sandbox.inject(generated(450, age_s=3600))
    assert [len(page(sandbox, pagenumber=number)["entries"] or []) for number in (1, 2, 3)] == [200, 50, 0]
    assert sandbox.inbox()["unread"] == 200


def test_read_ones_keep_their_pages(sandbox: Client) -> None:
    sandbox.inject(generated(250, age_s=3600))
    for _ in range(3):
        sandbox.call("sms/receive", {"linenumber": LATIN_LINE, "isread": 0})
    pages = [page(sandbox, isread=1, pagenumber=number) for number in (1, 2)]
    assert [len(each["entries"]) for each in pages] == [200, 50]
    assert [each["metadata"]["totalcount"] for each in pages] == ["250", "250"]
    assert [(each["metadata"]["currentpage"], each["metadata"]["totalpages"]) for each in pages] == [
        ("1", "2"),
        ("2", "2"),
    ]
    assert page(sandbox, isread=1, pagenumber=3)["entries"] is None


def test_page_0_is_page_1(sandbox: Client) -> None:
    sandbox.inject(message())
    sandbox.call("sms/receive", {"linenumber": LATIN_LINE, "isread": 0})
    zero, one = (page(sandbox, isread=1, pagenumber=number) for number in (0, 1))
    assert zero == one
    assert zero["metadata"]["currentpage"] == "1"


def test_without_dates_the_last_two_days_are_meant(sandbox: Client) -> None:
    new, _ = sandbox.inject([message(age_s=2 * DAY - 60), message(age_s=2 * DAY + 60)])
    assert ids(page(sandbox)["entries"]) == [new]
    assert sandbox.inbox()["unread"] == 1


def test_one_date_is_enough(sandbox: Client) -> None:
    today = now(sandbox)
    old, new = sandbox.inject([message(date=today - 5 * DAY), message(date=today - 4 * DAY)])
    assert ids(page(sandbox, startdate=today - 5 * DAY - 60)["entries"]) == [new, old]
    assert ids(page(sandbox, isread=1, enddate=today - 4 * DAY - 60)["entries"]) == [old]


def test_both_ends_of_a_window_count(sandbox: Client) -> None:
    today = now(sandbox)
    sandbox.inject([message(date=today - offset) for offset in (99, 100, 200, 201)])
    window = {"startdate": today - 200, "enddate": today - 100}
    assert page(sandbox, **window)["metadata"]["totalcount"] == "0"
    assert [row["date"] for row in page(sandbox, isread=1, **window)["entries"]] == [today - 100, today - 200]


def test_a_lost_page_is_found_among_the_read_ones(sandbox: Client) -> None:
    sandbox.inject(generated(300))
    sandbox.arm("accept_then_drop", method="sms/inboxpaged", count=1)
    with pytest.raises(requests.ConnectionError):
        page(sandbox)
    rest = page(sandbox)["entries"]
    found = [row for number in (1, 2) for row in page(sandbox, isread=1, pagenumber=number)["entries"]]
    assert len(rest) == 100
    assert set(ids(found)) == {row["messageid"] for row in sandbox.came_in()}


def test_the_oldest_come_first_where_the_knob_says_so(start: Callable[..., Client]) -> None:
    sandbox = start(inbox_order="oldest")
    sandbox.inject(generated(300, age_s=3600))
    dates = [row["date"] for _ in range(2) for row in page(sandbox)["entries"]]
    assert dates == sorted(dates)


@pytest.mark.parametrize(("empty", "code_", "entries"), [("[]", 200, []), ("449", 449, None)])
def test_an_empty_window_answers_what_the_knob_says(
    start: Callable[..., Client], empty: str, code_: int, entries: object
) -> None:
    answer = start(inbox_empty=empty).call("sms/inboxpaged", {"linenumber": LATIN_LINE, "isread": 0})
    assert (answer.status_code, answer.json()["entries"]) == (code_, entries)


def test_its_limits_have_codes(sandbox: Client) -> None:
    today = now(sandbox)
    assert code(sandbox, startdate=today - 2 * DAY, enddate=today) == 200
    assert code(sandbox, startdate=today - 2 * DAY - 1, enddate=today) == 417
    assert code(sandbox, startdate=today, enddate=today - 1) == 417
    assert code(sandbox, startdate="yesterday") == 417
    assert code(sandbox, pagenumber="second") == 400
    assert code(sandbox, isread=2) == 400
    assert code(sandbox, isread="") == 406
    assert code(sandbox, linenumber="") == 406
    assert code(sandbox, linenumber="10009999") == 412
    assert sandbox.code("sms/inboxpaged", {"linenumber": LATIN_LINE}) == 400
    assert sandbox.code("sms/inboxpaged", {"isread": 0}) == 400
