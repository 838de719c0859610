"""sms/receive: 100 messages of a line. Unread ones are read when the answer is made, even if nobody gets it.

With isread=1 the same 100 come each time: nothing about them changes. Source: kavenegar-rest, sms/receive.

sms/inboxpaged: the messages of a line from at most two days, 200 a page. Unread ones are read by being shown.

So the second page of unread messages leaves 200 out: what was on the first is no longer among them. `totalcount`
is what is left unread after this page, or all that were read. Source: kavenegar-rest, sms/inboxpaged.

sms/countinbox: how many messages came in within a day at most, on one line or on all, read or not or both.

Source: kavenegar-rest, sms/countinbox.
"""

from __future__ import annotations

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.checks import own_line, own_lines
from kavenegar_sandbox.parameters import UNSET, parse_date
from kavenegar_sandbox.protocol import Answer, Call, Refusal, Row
from kavenegar_sandbox.rows import PAGE, metadata, parse_page

_ROWS_AT_ONCE = 100


def receive(account: Account, call: Call) -> Answer:
    knobs, read = account.knobs, read_state(call)
    line = own_line(knobs, call.params["linenumber"])
    index = account.inbox.mailbox(line).index(read=read)
    rows = index.page((0, len(index)), 0, _ROWS_AT_ONCE, newest=knobs.inbox_order == "newest")
    account.counters.count_rows(call.method, len(rows))
    return answer_rows(account, account.inbox.return_rows(line, rows, unread=not read))


def read_state(call: Call) -> bool:
    """`isread`: 1 for messages already read, 0 for the others. Raises Refusal(400) for anything else."""
    if call.params["isread"] not in {"0", "1"}:
        raise Refusal(400)
    return call.params["isread"] == "1"


def answer_rows(account: Account, rows: list[Row], metadata: Row | None = None) -> Answer:
    """The rows; where there are none, what the knob `inbox_empty` says. Raises Refusal(449)."""
    if not rows and account.knobs.inbox_empty == "449":
        raise Refusal(449)
    nothing: list[Row] | None = None if account.knobs.inbox_empty == "null" else []
    return Answer(entries=rows or nothing, metadata=metadata)


_WINDOW_S = 2 * 86400


def inbox_paged(account: Account, call: Call) -> Answer:
    knobs, params, read = account.knobs, call.params, read_state(call)
    line, page = own_line(knobs, params["linenumber"]), parse_page(params.get("pagenumber", ""))
    start, end = _window(account, params.get("startdate", ""), params.get("enddate", ""))
    index = account.inbox.mailbox(line).index(read=read)
    bounds = index.between(start, end)
    total = bounds[1] - bounds[0]
    rows = index.page(bounds, (page - 1) * PAGE, PAGE, newest=knobs.inbox_order == "newest")
    account.counters.count_rows(call.method, len(rows))
    shown = account.inbox.return_rows(line, rows, unread=not read)
    return answer_rows(account, shown, metadata(total if read else total - len(rows), page))


def _window(account: Account, startdate: str, enddate: str) -> tuple[int, int]:
    """The seconds asked for; a date that is missing lies two days from the other one, or from now.

    Raises Refusal(417) for more than two days, or a window that is turned round.
    """
    start = None if startdate in UNSET else parse_date(startdate)
    end = None if enddate in UNSET else parse_date(enddate)
    if end is None:
        end = int(account.clock.now()) if start is None else start + _WINDOW_S
    if start is None:
        start = end - _WINDOW_S
    if not start <= end <= start + _WINDOW_S:
        raise Refusal(417)
    return start, end


_DAY_S = 86400
_OLDEST_S = 60 * _DAY_S
_READ_STATES = {"0": (False,), "1": (True,), "": (False, True), "null": (False, True)}  # 0 is a value here


def count_inbox(account: Account, call: Call) -> Answer:
    line, states = call.params.get("linenumber", ""), _READ_STATES.get(call.params.get("isread", ""))
    if states is None:
        raise Refusal(400)
    start, end = _day(account, call.params["startdate"], call.params.get("enddate", ""))
    lines = own_lines(account.knobs) if line in UNSET else (own_line(account.knobs, line),)
    counts = [account.inbox.mailbox(each).index(read=read).count(start, end) for each in lines for read in states]
    return Answer(entries=[{"startdate": start, "enddate": end, "sumcount": sum(counts)}])


def _day(account: Account, startdate: str, enddate: str) -> tuple[int, int]:
    """The seconds asked for, up to now where no end is given.

    Raises Refusal(417) for more than a day, more than 60 days back, or a span that is turned round.
    """
    now = account.clock.now()
    start = parse_date(startdate)
    end = int(now) if enddate in UNSET else parse_date(enddate)
    if start < now - _OLDEST_S or not start <= end <= start + _DAY_S:
        raise Refusal(417)
    return start, end
