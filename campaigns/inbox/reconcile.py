"""Go through what a line has at the gateway, read and unread, and store what is not here.

Unread ones first, by asking for page 1 until nothing is left: what is handed out becomes read, so page 2 would pass
over as many (kavenegar.md, C16). Then the read ones, page by page. An answer lost among the unread is made up for by
that: in a window that is closed, what it marked read stands among the read ones once the last of the unread is gone. In
the window that reaches to now it is not: a request that nobody waits for any more may still mark read what comes later.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final

from campaigns.errors import AnswerLost, GatewayDown, RequestRefused
from campaigns.inbox import windows
from campaigns.inbox.turn import Over, Turn
from campaigns.inbox.windows import WHOLE, Window
from campaigns.kavenegar.records import InboxPage

log = logging.getLogger(__name__)

FULL: Final = 200
MOST_PAGES: Final = 5
"""Of read messages in one window. One that has more is halved: after a fault, so much is asked for again."""
TRIES: Final = 3
"""Of one page, before the line waits for a while."""
PASSES: Final = 3
ROUTINE: Final = timedelta(days=2)
BAD_DATE: Final = 417


def whole(turn: Turn) -> bool:
    """After a loss: everything since the line was last known to be complete; False where another turn goes on with it.

    Raises: GatewayError, Overtaken, Over. What was gone through stays gone through.
    """
    return _go_through(turn, turn.complete_to or turn.began - turn.house.policy.inbox_horizon, thorough=True)


def lately(turn: Turn) -> bool:
    """Without one: the last two days; False where another turn begins anew. Raises as `whole`.

    Windows of which the gateway has no more than is stored here need no second look.
    """
    return _go_through(turn, turn.began - ROUTINE, thorough=False)


def _go_through(turn: Turn, start: datetime, *, thorough: bool) -> bool:
    """Window by window to now, the oldest first. A window that had to be halved is followed by one as short."""
    longest = WHOLE
    while True:
        asked, before = windows.window(start, now=turn.began, longest=longest), turn.stored
        done = _settled(turn, asked, thorough=thorough)
        if done.end is None:
            return True
        if thorough:
            turn.reached(done.end)
        if turn.over() and (thorough or turn.stored > before):
            return False  # each turn brings something to its end, or stores something, so that there is an end
        start = windows.after(done.end)
        longest = WHOLE if done == asked and longest == WHOLE else 2 * (done.end - done.start)


def _settled(turn: Turn, window: Window, *, thorough: bool) -> Window:
    """Store all of a window, or of its older part; the window that was gone through to its end."""
    try:
        lost = _drain(turn, window)
        return _read_ones(turn, window, thorough=thorough or lost)
    except RequestRefused as why:
        if why.code != BAD_DATE or window.end is None:
            raise
        # The gateway tells nobody of days so long ago: there is nothing to be had from them.
        log.warning("inbox window refused", extra={"line": turn.line, "code": why.code})
        return window


def _drain(turn: Turn, window: Window) -> bool:
    """Store the unread ones until none is left; whether an answer was lost meanwhile. Raises: AnswerLost."""
    lost = in_a_row = 0
    while True:
        try:
            page = turn.page(window, read=False)
        except AnswerLost:
            lost, in_a_row = lost + 1, in_a_row + 1
            if window.end is None or in_a_row == TRIES or turn.over():
                raise
            continue
        in_a_row = 0
        if not page.rows or (page.rows < (page.pagesize or FULL) and not page.totalcount):
            return bool(lost)
        if turn.over():
            raise Over


def _read_ones(turn: Turn, window: Window, *, thorough: bool) -> Window:
    """Store the read ones, and look again while the gateway says that there are more than came."""
    before = -1
    for _ in range(PASSES):
        first = _page(turn, window, 1)
        if not thorough and first.totalcount is not None and first.totalcount <= turn.counted(window):
            return window
        if (half := window.halved(turn.began)) is not None and _last(first, 1) > MOST_PAGES:
            return _read_ones(turn, half, thorough=thorough)
        seen, total = _pass(turn, window, first)
        if total is None or seen >= total:
            return window
        if seen == before:
            break
        before = seen
    log.warning("inbox window stayed short", extra={"line": turn.line, "seen": seen, "total": total})
    return window


def _pass(turn: Turn, window: Window, page: InboxPage) -> tuple[int, int | None]:
    """Store every page from this first one on; how many messages came, and how many there are."""
    ids: set[int] = set()
    seen, unreadable, number = -1, 0, 1
    while True:
        ids.update(message.messageid for message in page.messages)
        unreadable += page.rows - len(page.messages)
        before, seen = seen, len(ids) + unreadable
        if not page.rows or seen == before or number >= _last(page, number):
            return seen, page.totalcount
        number += 1
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
