"""Reconcile a line: read its messages at the gateway, read and unread ones, and store the missing ones.

Unread ones first, by asking for page 1 until nothing is left: what is handed out becomes read, so page 2 would pass
over as many. Then the read ones, page by page. An answer lost among the unread is made up for by
that: in a window that is closed, what it marked read stands among the read ones once the last of the unread is gone. In
the window that reaches to now it is not: a request that nobody waits for any more may still mark read what comes later.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from kavenegar_campaigns.errors import AnswerLost, GatewayDown, RequestRefused
from kavenegar_campaigns.kavenegar import methods
from kavenegar_campaigns.kavenegar.account import is_last_page
from kavenegar_campaigns.kavenegar.codes import DATE_REFUSED
from kavenegar_campaigns.kavenegar.inbox import InboxPage
from kavenegar_campaigns.stages import inbox
from kavenegar_campaigns.stages.inbox import CLOCK_MARGIN, LONGEST_WINDOW, LinePull, PullTimedOut, Window, drain_unread

log = logging.getLogger(__name__)

PAGE_SIZE: Final = methods.INBOXPAGED.max_answer_rows
MAX_PAGES: Final = 5
"""Of read messages in one window. One that has more is halved: after a fault, so much is asked for again."""
TRIES: Final = 3
"""Of one page, before the line waits for a while."""
PASSES: Final = 3
ROUTINE: Final = methods.INBOXPAGED.max_span
LONG_AGO: Final = timedelta(days=3)
"""Of what is older the gateway may tell nobody; of the last two days it tells unasked, and so whenever it is asked."""


def reconcile_all(pull: LinePull) -> bool:
    """After a loss, store all messages since the line was last complete; False if another pull has to continue.

    Raises: Postpone, Refused, LeaseLost, PullTimedOut. A window that was gone through stays so.
    """
    start = pull.complete_to or pull.began - pull.context.policy.inbox_lookback
    return _go_through(pull, start, thorough=True, reached=pull.mark_complete)


def reconcile_recent(pull: LinePull) -> bool:
    """Store the messages of the last two days and all since the last look; False if another pull has to continue.

    Windows of which the gateway has no more than is stored here need no second look, unless it is to be a thorough one:
    as many in both places need not be the same ones. Raises: Postpone, Refused, LeaseLost, PullTimedOut.
    """
    if pull.reconciled_to is not None:
        start = inbox.start_after(pull.reconciled_to)
    else:
        last = pull.claim.reconciled_at or pull.claim.reconcile_at  # which is when the line came to be pulled
        horizon = pull.began - pull.context.policy.inbox_lookback
        start = min(pull.began - ROUTINE, max(last - CLOCK_MARGIN, horizon))
    return _go_through(pull, start, thorough=pull.thorough, reached=pull.mark_looked_back)


def _go_through(pull: LinePull, start: datetime, *, thorough: bool, reached: Callable[[datetime], None]) -> bool:
    """Store window by window up to now, oldest first. After a window that was halved the next is as short.

    Each pull completes at least one window, so that there is an end.
    """
    longest = LONGEST_WINDOW
    while True:
        asked = inbox.next_window(start, now=pull.began, longest=longest)
        done = _store_window(pull, asked, thorough=thorough)
        pull.mark_done(done)
        if done.end is None:
            return True
        reached(done.end)
        if pull.timed_out():
            return False
        start = inbox.start_after(done.end)
        longest = LONGEST_WINDOW if done == asked and longest == LONGEST_WINDOW else 2 * (done.end - done.start)


def _store_window(pull: LinePull, window: Window, *, thorough: bool) -> Window:
    """Store all messages of a window, or of its older part. Returns the window that was stored completely."""
    try:
        _drain(pull, window)
        return _store_read(pull, window, thorough=thorough or pull.lost is not None)
    except RequestRefused as why:
        answerable = pull.lost is not None or window.end is None or window.end > pull.began - LONG_AGO
        if why.code != DATE_REFUSED or answerable:
            raise
        # The gateway tells nobody of days so long ago: there is nothing to be had from them.
        log.warning("inbox window refused", extra={"line": pull.line, "code": why.code})
        return window


def _drain(pull: LinePull, window: Window) -> None:
    """Store unread messages until none is left. Raises: AnswerLost."""
    if not drain_unread(pull, partial(_unread_page, pull, window), _is_last_unread):
        raise PullTimedOut


def _unread_page(pull: LinePull, window: Window, tries: int = TRIES) -> InboxPage:
    """The next unread ones. Where the answer is lost they are read by now, and so found among the read ones later."""
    try:
        return pull.page(window, read=False)
    except AnswerLost:
        pull.mark_lost(window)
        if window.end is None or tries == 1 or pull.timed_out():
            raise
    return _unread_page(pull, window, tries - 1)


def _is_last_unread(page: InboxPage) -> bool:
    return not page.row_count or (page.row_count < (page.pagesize or PAGE_SIZE) and not page.totalcount)


def _store_read(pull: LinePull, window: Window, *, thorough: bool) -> Window:
    """Store read messages, and repeat while the gateway counts more than came."""
    before = -1
    for _ in range(PASSES):
        first = _page(pull, window, 1)
        if not thorough and first.totalcount is not None and first.totalcount <= pull.count_stored(window):
            return window
        # Not by the number of pages alone: it may be that of all read messages of the line.
        much = first.row_count >= (first.pagesize or PAGE_SIZE) and (first.totalpages or 0) > MAX_PAGES
        if much and (half := window.halved(pull.began)) is not None:
            return _store_read(pull, half, thorough=thorough)
        seen, total = _store_pages(pull, window, first)
        if total is None or seen >= total:
            return window
        if seen == before:
            break
        before = seen
    log.warning("inbox window left incomplete", extra={"line": pull.line, "seen": seen, "total": total})
    return window


def _store_pages(pull: LinePull, window: Window, page: InboxPage) -> tuple[int, int | None]:
    """Store every page from this first one on. Returns how many messages came, and the gateway's count.

    A page that brings nothing new is the last; behind one of which nothing can be read there may be others.
    """
    ids: set[int] = set()
    unreadable, number, barren = 0, 1, False
    while True:
        before = len(ids)
        ids.update(message.messageid for message in page.messages)
        unreadable += page.row_count - len(page.messages)
        again = len(ids) == before and (barren or bool(page.messages))
        if again or is_last_page(page, number, PAGE_SIZE):
            return len(ids) + unreadable, page.totalcount
        number, barren = number + 1, not page.messages
        page = _page(pull, window, number)


def _page(pull: LinePull, window: Window, number: int) -> InboxPage:
    """Read a page of read messages; retried after a fault, as it changes nothing at the gateway."""
    for _ in range(TRIES - 1):
        try:
            return pull.page(window, read=True, number=number)
        except GatewayDown:
            if pull.timed_out():
                raise
    return pull.page(window, read=True, number=number)
