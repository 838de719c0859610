"""The block list of a line: line/blocked/list, /add, /exists, /remove."""

from __future__ import annotations

from kavenegar_sandbox import blocklists
from kavenegar_sandbox.account import Account
from kavenegar_sandbox.checks import own_line
from kavenegar_sandbox.parameters import BLANK, UNSET, format_number, parse_date, parse_mobile, split_list
from kavenegar_sandbox.protocol import Answer, Call, Refusal, Row
from kavenegar_sandbox.rows import PAGE, arrange_rows, page_metadata, parse_page

_DAY_S = 86400
_TEHRAN_S = 12600  # seconds ahead of UTC, all year
_MOST_NUMBERS = 200
_MOST_REMOVED = 50


def blocked_list(account: Account, call: Call) -> Answer:
    """line/blocked/list: the block list of a line since a date, 200 a page; without a date, the blocks of today.

    The metadata comes first in the body, as in the specification's sample. Raises Refusal(400, 412 or 417). Source:
    kavenegar-rest, line/blocked/list.
    """
    line, reason = own_line(account.knobs, call.params["linenumber"]), _reason(call.params.get("blockreason", ""))
    startdate, page = call.params.get("startdate", ""), parse_page(call.params.get("pagenumber", ""))
    since = _today(account.clock.now()) if startdate in UNSET else parse_date(startdate)
    blocks = account.blocklists.since(line, since, reason)
    shown = blocks[(page - 1) * PAGE : page * PAGE]
    account.counters.count_rows(call.method, len(shown))
    entries = [
        {"number": format_number(block.number), "blockreason": block.reason, "date": block.date} for block in shown
    ]
    return Answer(entries=entries, metadata=page_metadata(len(blocks), page), metadata_first=True)


def _reason(raw: str) -> int | None:
    """Read a reason; empty means all (None), because 0 is a reason. Raises Refusal(400) for an unknown one."""
    if raw in BLANK:
        return None
    if raw not in {str(reason) for reason in blocklists.REASONS}:
        raise Refusal(400)
    return int(raw)


def _today(now: float) -> int:
    """Return the start of the day in Tehran, in Unix seconds."""
    return int((now + _TEHRAN_S) // _DAY_S * _DAY_S - _TEHRAN_S)


def blocked_add(account: Account, call: Call) -> Answer:
    """line/blocked/add: add at most 200 numbers to the block list of a line.

    One invalid number is 411 for the whole request: the specification does not say. Raises Refusal(411, 412 or 604).
    Source: kavenegar-rest, line/blocked/add.
    """
    line, asked = parse_line_and_numbers(account, call, at_most=_MOST_NUMBERS)
    numbers = _numbers(asked, lenient=account.knobs.lenient_numbers)
    new = account.blocklists.add(line, numbers, date=int(account.clock.now()))
    account.counters.count_rows(call.method, len(numbers))
    rows = [
        {"linenumber": line, "receptor": format_number(number), "status": "Active" if is_new else "AlreadyExists"}
        for number, is_new in zip(numbers, new, strict=True)
    ]
    return Answer(entries=arrange_rows(account, rows))


def _numbers(asked: list[str], *, lenient: bool) -> list[int]:
    read = [parse_mobile(raw, lenient=lenient) for raw in asked]
    numbers = [number for number in read if number is not None]
    if not numbers or len(numbers) < len(read):
        raise Refusal(411)
    return numbers


def blocked_exists(account: Account, call: Call) -> Answer:
    """line/blocked/exists: which of at most 200 numbers are on the block list of a line. An invalid number is not.

    Raises Refusal(412 or 604). Source: kavenegar-rest, line/blocked/exists.
    """
    line, asked = parse_line_and_numbers(account, call, at_most=_MOST_NUMBERS)
    account.counters.count_rows(call.method, len(asked))
    return Answer(entries=arrange_rows(account, [_row(account, line, raw) for raw in asked]))


def _row(account: Account, line: str, raw: str) -> Row:
    number = parse_mobile(raw, lenient=account.knobs.lenient_numbers)
    status = "Active" if account.blocklists.contains(line, number) else "NotExists"
    return {"linenumber": line, "receptor": raw if number is None else format_number(number), "status": status}


def blocked_remove(account: Account, call: Call) -> Answer:
    """line/blocked/remove: remove at most 50 numbers from the block list of a line, by HTTP DELETE with a query.

    Only numbers that the web service or the panel added are removed and counted. The specification names no code for
    more than 50: it is 604, as for the other methods of the block list.

    Raises Refusal(412 or 604). Source: kavenegar-rest, line/blocked/remove.
    """
    line, asked = parse_line_and_numbers(account, call, at_most=_MOST_REMOVED)
    read = [parse_mobile(raw, lenient=account.knobs.lenient_numbers) for raw in asked]
    removed = account.blocklists.remove(line, [number for number in read if number is not None])
    account.counters.count_rows(call.method, len(asked))
    return Answer(entries={"message": f"Done-removed {removed} item from blacklist"})


def parse_line_and_numbers(account: Account, call: Call, *, at_most: int) -> tuple[str, list[str]]:
    """Read the line, and the numbers as written. Raises Refusal(604) for too many, then 412 for a wrong line."""
    asked = split_list(call.params["receptor"])
    if len(asked) > at_most:
        raise Refusal(604)
    return own_line(account.knobs, call.params["linenumber"]), asked
