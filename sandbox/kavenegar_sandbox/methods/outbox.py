"""Records of sent messages: sms/select, sms/selectoutbox, sms/latestoutbox, sms/countoutbox.

SMS, one-time passwords and calls are listed together, in the order in which they were accepted. No record expires.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import compress, islice

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.checks import own_line
from kavenegar_sandbox.parameters import UNSET, is_integer, parse_date, parse_message_ids
from kavenegar_sandbox.protocol import STATUS_TEXT, UNKNOWN, Answer, Call, Refusal, Row
from kavenegar_sandbox.rows import arrange_rows, message_record

DAY_S = 86400
_OLDEST_S = 3 * DAY_S
_MASKED = "09*********"  # as in the samples of the specification


def select(account: Account, call: Call) -> Answer:
    """sms/select: whole records by message id, for a registered address only. Raises Refusal(400, 407 or 414).

    The service does not publish how long it keeps records. Here they last as long as sms/status knows the message.
    Source: kavenegar-rest, sms/select.
    """
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
    """sms/selectoutbox: the first 500 records of a range of at most a day, for a registered address only.

    There is no next page. Raises Refusal(407, 412, 417 or 449). Source: kavenegar-rest, sms/selectoutbox.
    """
    require_registered_address(account)
    start, end = recent_range(account, call.params["startdate"], call.params.get("enddate", ""))
    rows = visible_rows(account, rows_between(account, start, end), call.params.get("sender", ""))
    return answer_records(account, islice(rows, account.knobs.outbox_limit))


def latest_outbox(account: Account, call: Call) -> Answer:
    """sms/latestoutbox: the latest records, at most 500, the oldest of them first, for a registered address only.

    Raises Refusal(400, 407, 412 or 449). Source: kavenegar-rest, sms/latestoutbox.
    """
    require_registered_address(account)
    size = _page_size(call.params.get("pagesize", ""), at_most=account.knobs.outbox_limit)
    dates, now = account.ledger.starts_at, account.clock.now()
    started = (row for row in reversed(range(len(dates))) if dates[row] <= now)
    rows = islice(visible_rows(account, started, call.params.get("sender", "")), size)
    return answer_records(account, reversed(list(rows)))


def _page_size(raw: str, *, at_most: int) -> int:
    """Read the page size; an empty one means `at_most`. Raises Refusal(400) for a larger one, or another value."""
    if raw in UNSET:
        return at_most
    if not is_integer(raw) or int(raw) > at_most:
        raise Refusal(400)
    return int(raw)


def count_outbox(account: Account, call: Call) -> Answer:
    """sms/countoutbox: the number, parts and cost of the messages that started in a range of at most a day.

    Refunded costs are included: the specification defines the cost as parts × tariff.

    Raises Refusal(417). Source: kavenegar-rest, sms/countoutbox.
    """
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
    """Return the rows with this status now, or all rows when no status is given."""
    if status in UNSET:
        return rows
    now = account.clock.now()
    return [row for row in rows if str(account.true_status(row, now)) == status]


def recent_range(account: Account, startdate: str, enddate: str) -> tuple[int, int]:
    """Read a range of seconds; without an end it ends now.

    Raises Refusal(417) for a start more than three days ago, more than a day, or an end before the start.
    """
    now = account.clock.now()
    start = parse_date(startdate)
    if start < now - _OLDEST_S:
        raise Refusal(417)
    return check_range(start, int(now) if enddate in UNSET else parse_date(enddate))


def check_range(start: int, end: int) -> tuple[int, int]:
    """Return the range as given. Raises Refusal(417) for more than a day, or an end before the start."""
    if not start <= end <= start + DAY_S:
        raise Refusal(417)
    return start, end


def rows_between(account: Account, start: int, end: int) -> Iterator[int]:
    """Yield the rows of the messages that started in these seconds, both included."""
    dates = account.ledger.starts_at
    return compress(range(len(dates)), [start <= date < end + 1 for date in dates])


def visible_rows(account: Account, rows: Iterable[int], sender: str) -> Iterator[int]:
    """Yield the rows of one line, or of all lines when `sender` is not given, without hidden messages that are omitted.

    Raises Refusal(412) at once, for a line of another account.
    """
    ledger, omitted = account.ledger, account.knobs.hidden_receptors == "omit"
    line = None if sender in UNSET else own_line(account.knobs, sender)
    return (
        row
        for row in rows
        if (line is None or ledger.sender(row) == line) and not (omitted and ledger.options(row).hidden)
    )


def answer_records(account: Account, rows: Iterable[int]) -> Answer:
    """Return an answer of whole records. The receptors of hidden messages are masked."""
    now = account.clock.now()
    return answer_rows(account, [_listed_record(account, row, now) for row in rows])


def answer_rows(account: Account, rows: list[Row]) -> Answer:
    """Return an answer of rows. Without any, the knob `outbox_empty` decides: `[]`, null, or it raises Refusal(449)."""
    if rows:
        return Answer(entries=arrange_rows(account, rows))
    if account.knobs.outbox_empty == "449":
        raise Refusal(449)
    return Answer(entries=None if account.knobs.outbox_empty == "null" else [])


def require_registered_address(account: Account) -> None:
    """Raises Refusal(407) unless the calling address is registered (the knob `ip_registered`)."""
    if not account.knobs.ip_registered:
        raise Refusal(407)


def _listed_record(account: Account, row: int, now: float) -> Row:
    shown = message_record(account, row, now)
    return {**shown, "receptor": _MASKED} if account.ledger.options(row).hidden else shown
