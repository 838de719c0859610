"""Inbound messages: sms/receive, sms/inboxpaged, sms/countinbox."""

from __future__ import annotations

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.checks import own_line, own_lines
from kavenegar_sandbox.parameters import UNSET, parse_date
from kavenegar_sandbox.protocol import Answer, Call, Refusal, Row
from kavenegar_sandbox.rows import PAGE, page_metadata, parse_page

_ROWS_AT_ONCE = 100
_WINDOW_S = 2 * 86400
_DAY_S = 86400
_OLDEST_S = 60 * _DAY_S
_READ_STATES = {"0": (False,), "1": (True,), "": (False, True), "null": (False, True)}  # here 0 is a value


def receive(account: Account, call: Call) -> Answer:
    """sms/receive: 100 messages of a line. Unread messages become read when the answer is made, even if it is lost.

    With isread=1 the same 100 messages come each time. Raises Refusal(400, 412 or 449). Source: kavenegar-rest,
    sms/receive.
    """
    knobs, read = account.knobs, read_state(call)
    line = own_line(knobs, call.params["linenumber"])
    index = account.inbox.mailbox(line).index(read=read)
    rows = index.page((0, len(index)), 0, _ROWS_AT_ONCE, newest=knobs.inbox_order == "newest")
    account.counters.count_rows(call.method, len(rows))
    return answer_rows(account, account.inbox.return_rows(line, rows, unread=not read))


def read_state(call: Call) -> bool:
    """Read `isread`: 1 for read messages, 0 for unread ones. Raises Refusal(400) for another value."""
    if call.params["isread"] not in {"0", "1"}:
        raise Refusal(400)
    return call.params["isread"] == "1"


def answer_rows(account: Account, rows: list[Row], metadata: Row | None = None) -> Answer:
    """Return an answer of rows. Without rows, the knob `inbox_empty` decides: null, `[]`, or it raises Refusal(449)."""
    if not rows and account.knobs.inbox_empty == "449":
        raise Refusal(449)
    nothing: list[Row] | None = None if account.knobs.inbox_empty == "null" else []
    return Answer(entries=rows or nothing, metadata=metadata)


def inbox_paged(account: Account, call: Call) -> Answer:
    """sms/inboxpaged: the messages of a line within two days, 200 a page.

    Unread messages become read when the answer is made. So the second page of unread messages skips 200: those of the
    first page are no longer unread. `totalcount` is the number of messages that are unread after this page, or the
    number of read ones.

    Raises Refusal(400, 412, 417 or 449). Source: kavenegar-rest, sms/inboxpaged.
    """
    knobs, params, read = account.knobs, call.params, read_state(call)
    line, page = own_line(knobs, params["linenumber"]), parse_page(params.get("pagenumber", ""))
    start, end = _window(account, params.get("startdate", ""), params.get("enddate", ""))
    index = account.inbox.mailbox(line).index(read=read)
    bounds = index.between(start, end)
    total = bounds[1] - bounds[0]
    rows = index.page(bounds, (page - 1) * PAGE, PAGE, newest=knobs.inbox_order == "newest")
    account.counters.count_rows(call.method, len(rows))
    shown = account.inbox.return_rows(line, rows, unread=not read)
    return answer_rows(account, shown, page_metadata(total if read else total - len(rows), page))


def _window(account: Account, startdate: str, enddate: str) -> tuple[int, int]:
    """Read a range of seconds. A missing date is two days from the other one; without both, the range ends now.

    Raises Refusal(417) for more than two days, or an end before the start.
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


def count_inbox(account: Account, call: Call) -> Answer:
    """sms/countinbox: the number of inbound messages in a range of at most a day.

    On one line or all; read, unread or both. Raises Refusal(400, 412 or 417). Source: kavenegar-rest, sms/countinbox.
    """
    line, states = call.params.get("linenumber", ""), _READ_STATES.get(call.params.get("isread", ""))
    if states is None:
        raise Refusal(400)
    start, end = _day(account, call.params["startdate"], call.params.get("enddate", ""))
    lines = own_lines(account.knobs) if line in UNSET else (own_line(account.knobs, line),)
    counts = [account.inbox.mailbox(each).index(read=read).count(start, end) for each in lines for read in states]
    return Answer(entries=[{"startdate": start, "enddate": end, "sumcount": sum(counts)}])


def _day(account: Account, startdate: str, enddate: str) -> tuple[int, int]:
    """Read a range of seconds; without an end it ends now.

    Raises Refusal(417) for more than a day, a start more than 60 days ago, or an end before the start.
    """
    now = account.clock.now()
    start = parse_date(startdate)
    end = int(now) if enddate in UNSET else parse_date(enddate)
    if start < now - _OLDEST_S or not start <= end <= start + _DAY_S:
        raise Refusal(417)
    return start, end
