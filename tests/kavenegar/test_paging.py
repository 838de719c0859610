"""When a row of pages ends, whatever the gateway says about its pages."""

from __future__ import annotations

from typing import Any

import pytest

from kavenegar_campaigns.kavenegar import methods
from kavenegar_campaigns.kavenegar.account import is_last_page
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.inbox import is_repeated_page
from tests.kavenegar.calls import NOW
from tests.kavenegar.scripted_server import Behaviour, ScriptedServer, envelope

LINE = "2000"
FULL = methods.BLOCKED_LIST.max_answer_rows
NO_ID = {"message": "no id"}


def messages(*ids: int) -> list[dict[str, Any]]:
    return [{"messageid": n, "message": "x", "sender": "09120000001", "receptor": LINE, "date": NOW} for n in ids]


def numbers(count: int) -> list[dict[str, Any]]:
    return [{"number": f"09{n:09}", "blockreason": 0, "date": 0} for n in range(count)]


def page(server: ScriptedServer, entries: list[dict[str, Any]], **metadata: int) -> Behaviour:
    """An answer whose metadata are texts, as those of the service are."""
    body = envelope(200, entries)[:-1]
    texts = ",".join(f'"{name}": "{value}"' for name, value in metadata.items())
    return server.body(body + f', "metadata": {{{texts}}}}}'.encode())


# ── unread messages ──


@pytest.mark.parametrize(
    ("before", "now", "again"),
    [
        (messages(1, 2), messages(1, 2), True),
        (messages(1, 2), messages(2), True),
        (messages(1, 2), messages(2, 3), False),
        (messages(1, 2), messages(3, 4), False),
        (messages(1, 2), [NO_ID], False),
        ([NO_ID], [NO_ID], True),
        ([NO_ID], messages(1), False),
    ],
)
def test_a_gateway_that_marks_nothing_read_is_noticed_by_a_page_that_brings_nothing_new(
    server: ScriptedServer, client: Client, before: list[dict[str, Any]], now: list[dict[str, Any]], again: bool
) -> None:
    server.will(server.answer(200, before), server.answer(200, now))
    first, second = client.receive(LINE), client.receive(LINE)
    assert not is_repeated_page(first, None)
    assert is_repeated_page(second, first) is again


@pytest.mark.parametrize("code", [200, 449])
def test_after_a_full_page_there_may_be_none(server: ScriptedServer, client: Client, code: int) -> None:
    server.will(server.answer(200, messages(*range(1, 101))), server.answer(code))
    assert [client.receive(LINE).row_count for _ in range(2)] == [100, 0]


def test_a_page_is_full_by_its_rows_and_not_by_those_that_could_be_read(server: ScriptedServer, client: Client) -> None:
    server.will(server.answer(200, [*messages(*range(1, 100)), NO_ID]))
    found = client.receive(LINE)
    assert (len(found.messages), found.row_count) == (99, 100)


# ── block lists ──


@pytest.mark.parametrize(
    ("rows", "metadata", "number", "last"),
    [
        (200, {"totalpages": 2, "pagesize": 200}, 1, False),
        (1, {"totalpages": 2, "pagesize": 200}, 2, True),
        (200, {"totalpages": 3}, 2, False),  # a page more came meanwhile
        (1, {"totalpages": 3}, 2, False),  # its own word about the pages counts, not its rows
        (200, {}, 1, False),
        (199, {}, 1, True),
        (100, {"pagesize": 100}, 1, False),
        (99, {"pagesize": 100}, 1, True),
        (0, {"totalpages": 9}, 1, True),  # an empty page is the last whatever it says
    ],
)
def test_the_last_page_is_known_by_what_it_says_and_without_a_word_by_its_rows(
    server: ScriptedServer, client: Client, rows: int, metadata: dict[str, int], number: int, last: bool
) -> None:
    server.will(page(server, numbers(rows), totalcount=rows, currentpage=number, **metadata))
    assert is_last_page(client.blocked_list(LINE, page=number), number, FULL) is last
