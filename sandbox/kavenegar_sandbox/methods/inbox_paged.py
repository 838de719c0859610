"""sms/inboxpaged: the messages of a line from at most two days, 200 a page. Unread ones are read by being shown.

So the second page of unread messages leaves 200 out: what was on the first is no longer among them. `totalcount`
is what is left unread after this page, or all that were read. Source: kavenegar-rest, sms/inboxpaged.
"""

from __future__ import annotations

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.codes import Refusal
from kavenegar_sandbox.envelope import Answer, Call
from kavenegar_sandbox.lines import own_line
from kavenegar_sandbox.methods.receive import found, read_state
from kavenegar_sandbox.pages import PAGE, metadata, page_number
from kavenegar_sandbox.parameters import UNSET, unix_seconds

_WINDOW_S = 2 * 86400


def answer(account: Account, call: Call) -> Answer:
    knobs, params, read = account.knobs, call.params, read_state(call)
    line, page = own_line(knobs, params["linenumber"]), page_number(params.get("pagenumber", ""))
    start, end = _window(account, params.get("startdate", ""), params.get("enddate", ""))
    pile = account.inbox.box(line).pile(read=read)
    bounds = pile.between(start, end)
    total = bounds[1] - bounds[0]
    rows = pile.page(bounds, (page - 1) * PAGE, PAGE, newest=knobs.inbox_order == "newest")
    account.tally.took(call.method, len(rows))
    shown = account.inbox.hand_out(line, rows, unread=not read)
    return found(account, shown, metadata(total if read else total - len(rows), page))


def _window(account: Account, startdate: str, enddate: str) -> tuple[int, int]:
    """The seconds asked for; a date that is missing lies two days from the other one, or from now.

    Raises Refusal(417) for more than two days, or a window that is turned round.
    """
    start = None if startdate in UNSET else unix_seconds(startdate)
    end = None if enddate in UNSET else unix_seconds(enddate)
    if end is None:
        end = int(account.clock.now()) if start is None else start + _WINDOW_S
    if start is None:
        start = end - _WINDOW_S
    if not start <= end <= start + _WINDOW_S:
        raise Refusal(417)
    return start, end
