"""Go through what a line has at the gateway, read and unread, and store what is not here.

Unread ones first, by asking for page 1 until nothing is left: what is handed out becomes read, so page 2 would pass
over as many (kavenegar.md, C16). Then the read ones, page by page. An answer lost among the unread is made up for by
that: in a window that is closed, what it marked read stands among the read ones once the last of the unread is gone. In
the window that reaches to now it is not: a request that nobody waits for any more may still mark read what comes later.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from campaigns.errors import AnswerLost, GatewayDown, RequestRefused
from campaigns.inbox import windows
from campaigns.inbox.turn import Over, Turn
from campaigns.inbox.windows import MARGIN, WHOLE, Window
from campaigns.kavenegar import methods
from campaigns.kavenegar.records.inbound import InboxPage, comes_again

log = logging.getLogger(__name__)

FULL: Final = methods.INBOXPAGED.answers
MOST_PAGES: Final = 5
"""Of read messages in one window. One that has more is halved: after a fault, so much is asked for again."""
TRIES: Final = 3
"""Of one page, before the line waits for a while."""
PASSES: Final = 3
ROUTINE: Final = timedelta(days=2)
BAD_DATE: Final = 417
LONG_AGO: Final = timedelta(days=3)
"""Of what is older the gateway may tell nobody; of the last two days it tells unasked, and so whenever it is asked."""


def whole(turn: Turn) -> bool:
    """After a loss: everything since the line was last known to be complete; False where another turn goes on with it.

    Raises: GatewayError, Overtaken, Over. What was gone through stays gone through.
    """
    start = turn.complete_to or turn.began - turn.house.policy.inbox_lookback
    return _go_through(turn, start, thorough=True, reached=turn.reached)


def lately(turn: Turn) -> bool:
    """Without one: the last two days, and all since the last look; False where another turn goes on. Raises as `whole`.

    Windows of which the gateway has no more than is stored here need no second look, unless it is to be a thorough one:
    as many in both places need not be the same ones.
    """
    if turn.looked_to is not None:
        start = windows.after(turn.looked_to)
    else:
        last = turn.claim.reconciled_at or turn.claim.reconcile_at  # which is when the line came to be pulled
        horizon = turn.began - turn.house.policy.inbox_lookback
        start = min(turn.began - ROUTINE, max(last - MARGIN, horizon))
    return _go_through(turn, start, thorough=turn.thorough, reached=turn.looked)


def _go_through(turn: Turn, start: datetime, *, thorough: bool, reached: Callable[[datetime], None]) -> bool:
    """Window by window to now, the oldest first. A window that had to be halved is followed by one as short.

    Each turn brings at least one to its end, so that there is an end.
    """
    longest = WHOLE
    while True:
        asked = windows.window(start, now=turn.began, longest=longest)
        done = _settled(turn, asked, thorough=thorough)
        turn.passed(done)
        if done.end is None:
            return True
        reached(done.end)
        if turn.over():
            return False
        start = windows.after(done.end)
        longest = WHOLE if done == asked and longest == WHOLE else 2 * (done.end - done.start)


def _settled(turn: Turn, window: Window, *, thorough: bool) -> Window:
    """Store all of a window, or of its older part; the window that was gone through to its end."""
    try:
        _drain(turn, window)
        return _read_ones(turn, window, thorough=thorough or turn.lost is not None)
    except RequestRefused as why:
        told = turn.lost is not None or window.end is None or window.end > turn.began - LONG_AGO
        if why.code != BAD_DATE or told:
            raise
        # The gateway tells nobody of days so long ago: there is nothing to be had from them.
        log.warning("inbox window refused", extra={"line": turn.line, "code": why.code})
        return window


def _drain(turn: Turn, window: Window) -> None:
    """Store the unread ones until none is left. Raises: AnswerLost."""
    before, in_a_row = None, 0
    while True:
        try:
            page = turn.page(window, read=False)
        except AnswerLost:
            turn.missed(window)
            in_a_row += 1
            if window.end is None or in_a_row == TRIES or turn.over():
                raise
            continue
        in_a_row = 0
        if not page.rows or (page.rows < (page.pagesize or FULL) and not page.totalcount):
            return
        if comes_again(page, before):
            log.warning("inbox page repeated", extra={"line": turn.line})
            return
        if turn.over():
            raise Over
        before = page


def _read_ones(turn: Turn, window: Window, *, thorough: bool) -> Window:
    """Store the read ones, and look again while the gateway says that there are more than came."""
    before = -1
    for _ in range(PASSES):
        first = _page(turn, window, 1)
        if not thorough and first.totalcount is not None and first.totalcount <= turn.counted(window):
            return window
        # Not by the number of pages alone: it may be that of all read messages of the line.
        much = first.rows >= (first.pagesize or FULL) and _last(first, 1) > MOST_PAGES
        if much and (half := window.halved(turn.began)) is not None:
            return _read_ones(turn, half, thorough=thorough)
        seen, total = _pass(turn, window, first)
        if total is None or seen >= total:
            return window
        if seen == before:
            break
        before = seen
    log.warning("inbox window left incomplete", extra={"line": turn.line, "seen": seen, "total": total})
    return window


def _pass(turn: Turn, window: Window, page: InboxPage) -> tuple[int, int | None]:
    """Store every page from this first one on; how many messages came, and how many there are.

    A page that brings nothing new is the last; behind one of which nothing can be read there may be others.
    """
    ids: set[int] = set()
    unreadable, number, barren = 0, 1, False
    while True:
        before = len(ids)
        ids.update(message.messageid for message in page.messages)
        unreadable += page.rows - len(page.messages)
        again = len(ids) == before and (barren or bool(page.messages))
        if not page.rows or again or number >= _last(page, number):
            return len(ids) + unreadable, page.totalcount
        number, barren = number + 1, not page.messages
        page = _page(turn, window, number)


def _page(turn: Turn, window: Window, number: int) -> InboxPage:
    """A page of read messages. It changes nothing at the gateway, so it is asked for again where it did not come."""
    for _ in range(TRIES - 1):
        try:
            return turn.page(window, read=True, number=number)
        except GatewayDown:
            if turn.over():
                raise
    return turn.page(window, read=True, number=number)


def _last(page: InboxPage, number: int) -> int:
    """The last page's number; where the gateway does not say, there is one more while pages come full."""
    if page.totalpages is not None:
        return page.totalpages
    return number + 1 if page.rows >= (page.pagesize or FULL) else number
