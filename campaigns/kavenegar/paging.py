"""More than one request takes: an answer a request, each asked for when the one before has been dealt with.

Everything here takes a `Client` as well as a `Gateway`, and is lazy: a request leaves when its answer is asked for, so
that a page can be stored before the next one is handed out. What one request raises ends the row; what came before it
the caller has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from campaigns.kavenegar import methods
from campaigns.kavenegar.calls import BlocklistCalls, InboxCalls
from campaigns.kavenegar.methods import Method
from campaigns.kavenegar.pace import Lane
from campaigns.kavenegar.records import BlockedPage, InboxPage

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def chunked(method: Method, items: Iterable[Item], ask: Callable[[Sequence[Item]], Answer]) -> Iterator[Answer]:
    """An answer of `ask` for each chunk of as many items as the method takes.

    `chunked(methods.STATUS, messageids, gateway.status)`; where the function takes a line as well,
    `chunked(methods.BLOCKED_ADD, numbers, partial(gateway.blocked_add, line))`.
    """
    left = iter(items)
    while chunk := list(islice(left, method.at_most)):
        yield ask(chunk)


def unread(calls: InboxCalls, linenumber: str, *, lane: Lane = Lane.HOUSEKEEPING) -> Iterator[InboxPage]:
    """A line's unread messages, as long as the pages come full. They are marked read page by page.

    Raises:
        AnswerLost: a page was handed out, and did not arrive.
    """
    return _until_short(lambda: calls.receive(linenumber, lane=lane), methods.RECEIVE.answers)


def inbox(
    calls: InboxCalls,
    linenumber: str,
    *,
    isread: bool,
    start: int | None = None,
    end: int | None = None,
    lane: Lane = Lane.HOUSEKEEPING,
) -> Iterator[InboxPage]:
    """A line's messages of a span of two days at most, read or unread.

    Of the unread, page 1 is asked for again and again: what it hands out becomes read, and the second page of what is
    left would pass over 200. Among the read ones a message that becomes read meanwhile moves the others by one: it can
    come twice, and the last page has been seen only when it says itself that it is the last.

    Raises:
        AnswerLost: a page of unread messages was handed out, and did not arrive.
    """

    def page(number: int) -> InboxPage:
        return calls.inboxpaged(linenumber, isread=isread, start=start, end=end, page=number, lane=lane)

    if isread:
        return _numbered(page, methods.INBOXPAGED.answers)
    return _until_short(lambda: page(1), methods.INBOXPAGED.answers)


def blocked(
    calls: BlocklistCalls,
    linenumber: str,
    *,
    blockreason: int | None = None,
    start: int | None = None,
    lane: Lane = Lane.HOUSEKEEPING,
) -> Iterator[BlockedPage]:
    """The numbers that a line does not reach, blocked since `start`: today's if it is None."""

    def page(number: int) -> BlockedPage:
        return calls.blocked_list(linenumber, blockreason=blockreason, start=start, page=number, lane=lane)

    return _numbered(page, methods.BLOCKED_LIST.answers)


def _until_short(ask: Callable[[], InboxPage], full: int) -> Iterator[InboxPage]:
    """Pages that use up what they are taken from, till one is not full.

    A page that brings nothing but what the one before brought ends it too: then they are not marked read, and there
    would be no end.
    """
    before = None
    while True:
        page = ask()
        if comes_again(page, before):
            return
        yield page
        if page.rows < (page.pagesize or full):
            return
        before = page


def comes_again(page: InboxPage, before: InboxPage | None) -> bool:
    """Whether unread messages are those of the page before: nothing marks them read, and there would be no end.

    Two pages in a row of which nothing can be read are the same as far as anybody can tell.
    """
    if before is None:
        return False
    ids, known = ({message.messageid for message in each.messages} for each in (page, before))
    return ids <= known if ids else not known


NumberedPage = TypeVar("NumberedPage", InboxPage, BlockedPage)


def _numbered(ask: Callable[[int], NumberedPage], full: int) -> Iterator[NumberedPage]:
    """Pages 1, 2, … till the last; where an answer does not say which that is, till one is not full."""
    number = 1
    while True:
        page = ask(number)
        yield page
        if is_last(page, number, full):
            return
        number += 1


def is_last(page: InboxPage | BlockedPage, number: int, full: int) -> bool:
    """Whether no page follows this one; where it does not say, whether it is not `full`."""
    if page.rows == 0:
        return True
    return page.rows < (page.pagesize or full) if page.totalpages is None else number >= page.totalpages
