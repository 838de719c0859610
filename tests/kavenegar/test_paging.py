"""More than one request takes: chunks of ids, and pages till the last, whatever the gateway says about its pages."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import Any

import pytest

from campaigns.errors import AnswerLost
from campaigns.kavenegar import methods, paging
from campaigns.kavenegar.client import Client
from campaigns.kavenegar.gateway import Gateway
from tests.kavenegar.calls import NOW
from tests.kavenegar.scripted_server import Behaviour, ScriptedServer, envelope

LINE = "2000"


def messages(*ids: int) -> list[dict[str, Any]]:
    return [{"messageid": n, "message": "x", "sender": "09120000001", "receptor": LINE, "date": NOW} for n in ids]


def numbers(count: int) -> list[dict[str, Any]]:
    return [{"number": f"09{n:09}", "blockreason": 0, "date": 0} for n in range(count)]


def page(server: ScriptedServer, entries: list[dict[str, Any]], **told: int) -> Behaviour:
    """An answer that tells about its pages in text, as the service does."""
    body = envelope(200, entries)[:-1]
    texts = ",".join(f'"{name}": "{value}"' for name, value in told.items())
    return server.body(body + f', "metadata": {{{texts}}}}}'.encode())


def asked(server: ScriptedServer, name: str) -> list[str]:
    return [request.form[name] for request in server.received]


# ── chunks ──


def test_ids_beyond_a_request_go_in_the_next_one(server: ScriptedServer, client: Client) -> None:
    server.will(server.answer(200, [{"messageid": 1, "status": 10}]))
    answers = list(paging.chunked(methods.STATUS, range(1, 1002), client.status))
    assert [len(answer) for answer in answers] == [1, 1, 1]
    assert [text.count(",") + 1 for text in asked(server, "messageid")] == [500, 500, 1]
    assert asked(server, "messageid")[2] == "1001"


@pytest.mark.parametrize(
    ("method", "function", "requests"),
    [
        (methods.BLOCKED_ADD, "blocked_add", [200, 50]),
        (methods.BLOCKED_EXISTS, "blocked_exists", [200, 50]),
        (methods.BLOCKED_REMOVE, "blocked_remove", [50] * 5),
    ],
)
def test_numbers_beyond_a_request_go_in_the_next_one(
    server: ScriptedServer, gateway: Gateway, method: methods.Method, function: str, requests: list[int]
) -> None:
    server.will(server.answer(200, []))
    ask = partial(getattr(gateway, function), LINE)
    assert len(list(paging.chunked(method, (f"09{n:09}" for n in range(250)), ask))) == len(requests)
    assert [text.count(",") + 1 for text in asked(server, "receptor")] == requests


def test_nothing_is_asked_for_nobody(server: ScriptedServer, client: Client) -> None:
    assert list(paging.chunked(methods.CANCEL, [], client.cancel)) == []
    assert server.received == []


def test_a_request_leaves_when_its_answer_is_wanted(server: ScriptedServer, client: Client) -> None:
    server.will(server.answer(200, []))
    answers = paging.chunked(methods.CANCEL, range(1, 500), client.cancel)
    assert server.received == []
    assert list(islice(answers, 2)) == [[], []]
    assert len(server.received) == 2


# ── unread messages ──


def test_a_line_is_drained_till_a_page_is_not_full(server: ScriptedServer, gateway: Gateway) -> None:
    server.will(
        server.answer(200, messages(*range(1, 101))),
        server.answer(200, messages(*range(101, 201))),
        server.answer(200, messages(201)),
    )
    pages = list(paging.unread(gateway, LINE))
    assert [len(page.messages) for page in pages] == [100, 100, 1]
    assert len({message.messageid for page in pages for message in page.messages}) == 201
    assert asked(server, "isread") == ["0", "0", "0"]


@pytest.mark.parametrize("code", [200, 449])
def test_a_full_page_may_have_been_the_last(server: ScriptedServer, client: Client, code: int) -> None:
    server.will(server.answer(200, messages(*range(1, 101))), server.answer(code))
    assert [page.rows for page in paging.unread(client, LINE)] == [100, 0]


def test_a_page_is_full_by_its_rows_and_not_by_those_that_could_be_read(server: ScriptedServer, client: Client) -> None:
    unreadable = {"message": "no id"}
    server.will(server.answer(200, [*messages(*range(1, 100)), unreadable]), server.answer(200, messages(101)))
    assert [(len(page.messages), page.rows) for page in paging.unread(client, LINE)] == [(99, 100), (1, 1)]


def test_the_next_page_is_not_handed_out_before_this_one_has_been_dealt_with(
    server: ScriptedServer, client: Client
) -> None:
    server.will(server.answer(200, messages(*range(1, 101))), server.answer(200, []))
    pages = paging.unread(client, LINE)
    next(pages)
    assert len(server.received) == 1


def test_a_page_that_is_lost_ends_the_row_and_what_came_before_is_there(server: ScriptedServer, client: Client) -> None:
    server.will(server.answer(200, messages(*range(1, 101))), server.reset())
    pages = paging.unread(client, LINE)
    assert next(pages).rows == 100
    with pytest.raises(AnswerLost):
        next(pages)


def test_a_gateway_that_marks_nothing_read_is_not_asked_for_ever(server: ScriptedServer, client: Client) -> None:
    server.will(server.answer(200, messages(*range(1, 101))))
    assert len(list(paging.unread(client, LINE))) == 1
    assert len(server.received) == 2


# ── the inbox by pages ──


def test_of_the_unread_the_first_page_is_asked_for_again_and_again(server: ScriptedServer, client: Client) -> None:
    """The second page of what is left after the first became read would pass over 200 messages."""
    server.will(
        page(server, messages(*range(1, 201)), totalcount=250, currentpage=1, totalpages=2, pagesize=200),
        page(server, messages(*range(201, 401)), totalcount=50, currentpage=1, totalpages=1, pagesize=200),
        page(server, messages(*range(401, 451)), totalcount=0, currentpage=1, totalpages=1, pagesize=200),
    )
    pages = list(paging.inbox(client, LINE, isread=False, start=NOW - 100, end=NOW))
    assert [page.rows for page in pages] == [200, 200, 50]
    assert asked(server, "pagenumber") == ["1", "1", "1"]
    assert asked(server, "isread") == ["0"] * 3
    assert asked(server, "startdate") == [str(NOW - 100)] * 3


def test_of_the_read_the_pages_are_counted_till_the_last(server: ScriptedServer, client: Client) -> None:
    server.will(
        page(server, messages(*range(1, 201)), totalpages=3, pagesize=200),
        page(server, messages(*range(201, 401)), totalpages=3, pagesize=200),
        page(server, messages(*range(401, 601)), totalpages=3, pagesize=200),
    )
    assert len(list(paging.inbox(client, LINE, isread=True))) == 3
    assert asked(server, "pagenumber") == ["1", "2", "3"]
    assert asked(server, "isread") == ["1"] * 3


def test_a_page_more_that_came_meanwhile_is_asked_for_too(server: ScriptedServer, client: Client) -> None:
    server.will(
        page(server, messages(*range(1, 201)), totalpages=1 + 1),
        page(server, messages(*range(200, 400)), totalpages=3),
        page(server, messages(400), totalpages=3),
    )
    assert [page.rows for page in paging.inbox(client, LINE, isread=True)] == [200, 200, 1]


def test_without_a_word_about_pages_a_short_one_is_the_last(server: ScriptedServer, client: Client) -> None:
    server.will(server.answer(200, messages(*range(1, 201))), server.answer(200, messages(201)))
    assert [page.rows for page in paging.inbox(client, LINE, isread=True)] == [200, 1]
    assert asked(server, "pagenumber") == ["1", "2"]


def test_an_empty_page_is_the_last_whatever_it_says(server: ScriptedServer, client: Client) -> None:
    server.will(page(server, [], totalpages=9))
    assert len(list(paging.inbox(client, LINE, isread=True))) == 1


# ── block lists ──


def test_all_pages_of_a_block_list_are_read(server: ScriptedServer, gateway: Gateway) -> None:
    server.will(
        page(server, numbers(200), totalcount=201, currentpage=1, totalpages=2, pagesize=200),
        page(server, numbers(1), totalcount=201, currentpage=2, totalpages=2, pagesize=200),
    )
    pages = list(paging.blocked(gateway, LINE, blockreason=2, start=100))
    assert sum(len(page.numbers) for page in pages) == 201
    assert asked(server, "pagenumber") == ["1", "2"]
    assert asked(server, "blockreason") == ["2", "2"]
    assert asked(server, "startdate") == ["100", "100"]
