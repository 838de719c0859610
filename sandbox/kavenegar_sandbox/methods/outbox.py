"""sms/select: whole records by message id, for a registered address only (407 without).

How long the service keeps what it selects from is not published; here as long as sms/status answers.
Source: kavenegar-rest, sms/select.

sms/selectoutbox: what set out within a day, up to 500 records from its start on; there is no next page.

For a registered address only (407 without). Source: kavenegar-rest, sms/selectoutbox.

sms/latestoutbox: the last records that set out, at most 500, the oldest of them first as in the spec's sample.

For a registered address only (407 without). Source: kavenegar-rest, sms/latestoutbox.

sms/countoutbox: how many messages set out in a span of at most a day, their parts and their cost.

Costs given back later are still counted: the spec says only that parts times tariff is the cost.
Source: kavenegar-rest, sms/countoutbox.

What was sent, as the listings of the service show it: a span of time, the rows in it, and nothing found.

SMS, one-time passwords and calls alike, in the order they were accepted. The sandbox forgets none of them.
Source: kavenegar-rest, sms/selectoutbox, sms/latestoutbox and sms/countoutbox.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import compress, islice

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.checks import own_line
from kavenegar_sandbox.parameters import UNSET, is_integer, parse_date, parse_message_ids
from kavenegar_sandbox.protocol import STATUS_TEXT, UNKNOWN, Answer, Call, Refusal, Row
from kavenegar_sandbox.rows import arrange_rows, message_record


def select(account: Account, call: Call) -> Answer:
    require_registered_address(account)
    ids = parse_message_ids(call.params["messageid"])
    if len(ids) > account.knobs.status_limit:
        raise Refusal(414)
    account.counters.count_rows(call.method, len(ids))
    now = account.clock.now()
    return Answer(entries=arrange_rows(account, [_select_row(account, messageid, now) for messageid in ids]))


def _select_row(account: Account, messageid: int, now: float) -> Row:
    row = account.ledger.row(messageid)
    if row is None or account.status(row, now) == UNKNOWN:
        return _no_record(messageid)
    return message_record(account, row, now)


def _no_record(messageid: int) -> Row:
    return {
        "messageid": messageid,
        "message": "",
        "status": UNKNOWN,
        "statustext": STATUS_TEXT[UNKNOWN],
        "sender": "",
        "receptor": "",
        "date": 0,
        "cost": 0,
    }


def select_outbox(account: Account, call: Call) -> Answer:
    require_registered_address(account)
    start, end = recent_range(account, call.params["startdate"], call.params.get("enddate", ""))
    rows = visible_rows(account, rows_between(account, start, end), call.params.get("sender", ""))
    return answer_records(account, islice(rows, account.knobs.outbox_limit))


def latest_outbox(account: Account, call: Call) -> Answer:
    require_registered_address(account)
    size = _page_size(call.params.get("pagesize", ""), at_most=account.knobs.outbox_limit)
    dates, now = account.ledger.starts_at, account.clock.now()
    started = (row for row in reversed(range(len(dates))) if dates[row] <= now)
    rows = islice(visible_rows(account, started, call.params.get("sender", "")), size)
    return answer_records(account, reversed(list(rows)))


def _page_size(raw: str, *, at_most: int) -> int:
    """The most there is where none is given. Raises Refusal(400) for more, and for what is no number."""
    if raw in UNSET:
        return at_most
    if not is_integer(raw) or int(raw) > at_most:
        raise Refusal(400)
    return int(raw)


def count_outbox(account: Account, call: Call) -> Answer:
    start, end = recent_range(account, call.params["startdate"], call.params.get("enddate", ""))
    rows = _of_status(account, list(rows_between(account, start, end)), call.params.get("status", ""))
    ledger = account.ledger
    counted = {
        "startdate": start,
        "enddate": end,
        "sumpart": sum(ledger.parts[row] for row in rows),
        "sumcount": len(rows),
        "cost": sum(ledger.costs_rial[row] for row in rows),
    }
    return Answer(entries=[counted])


def _of_status(account: Account, rows: list[int], status: str) -> list[int]:
    """Those that stand there now; all of them where no status is given."""
    if status in UNSET:
        return rows
    now = account.clock.now()
    return [row for row in rows if str(account.true_status(row, now)) == status]


DAY_S = 86400
_OLDEST_S = 3 * DAY_S
_MASKED = "09*********"  # as in the samples of the spec


def recent_range(account: Account, startdate: str, enddate: str) -> tuple[int, int]:
    """The seconds asked for, up to now where no end is given.

    Raises Refusal(417) beyond three days back, beyond one day, or backwards.
    """
    now = account.clock.now()
    start = parse_date(startdate)
    if start < now - _OLDEST_S:
        raise Refusal(417)
    return check_range(start, int(now) if enddate in UNSET else parse_date(enddate))


def check_range(start: int, end: int) -> tuple[int, int]:
    """The two as they are. Raises Refusal(417) for more than a day, and for less than nothing."""
    if not start <= end <= start + DAY_S:
        raise Refusal(417)
    return start, end


def rows_between(account: Account, start: int, end: int) -> Iterator[int]:
    """The messages that set out in these seconds; the second `end` counts."""
    dates = account.ledger.starts_at
    return compress(range(len(dates)), [start <= date < end + 1 for date in dates])


def visible_rows(account: Account, rows: Iterable[int], sender: str) -> Iterator[int]:
    """Those of one line, or of all where `sender` says nothing, without what is hidden altogether.

    Raises Refusal(412) for a line of somebody else's, at once.
    """
    ledger, omitted = account.ledger, account.knobs.hidden_receptors == "omit"
    line = None if sender in UNSET else own_line(account.knobs, sender)
    return (
        row
        for row in rows
        if (line is None or ledger.sender(row) == line) and not (omitted and ledger.options(row).hidden)
    )


def answer_records(account: Account, rows: Iterable[int]) -> Answer:
    """Whole records, the receptors of hidden ones masked."""
    now = account.clock.now()
    return answer_rows(account, [_listed_record(account, row, now) for row in rows])


def answer_rows(account: Account, rows: list[Row]) -> Answer:
    """The rows as an answer; where there are none, what the knob `outbox_empty` says. Raises Refusal(449)."""
    if rows:
        return Answer(entries=arrange_rows(account, rows))
    if account.knobs.outbox_empty == "449":
        raise Refusal(449)
    return Answer(entries=None if account.knobs.outbox_empty == "null" else [])


def require_registered_address(account: Account) -> None:
    """Raises Refusal(407) unless the address that calls is registered in the panel."""
    if not account.knobs.ip_registered:
        raise Refusal(407)


def _listed_record(account: Account, row: int, now: float) -> Row:
    shown = message_record(account, row, now)
    return {**shown, "receptor": _MASKED} if account.ledger.options(row).hidden else shown
