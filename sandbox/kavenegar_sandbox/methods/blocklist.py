"""line/blocked/list: the block list of a line since a date, 200 a page; today's where no date is given.

The metadata stands first in the body, as in the spec's sample. Source: kavenegar-rest, line/blocked/list.

line/blocked/add: at most 200 numbers onto the block list of a line.

A number that is no number is 411 for the whole request: the spec does not say.

Source: kavenegar-rest, line/blocked/add.

line/blocked/exists: which of at most 200 numbers are on the block list of a line; what is no number is not.

Source: kavenegar-rest, line/blocked/exists.

line/blocked/remove: at most 50 numbers off the block list of a line, by HTTP DELETE and the query alone.

Only those that the web service or the panel put there; others stay and are not counted. The spec names no code for
more than 50: it is 604, as with its sisters. Source: kavenegar-rest, line/blocked/remove.

A line named in a parameter, which must be one of the account's own, and the numbers named for its block list.
"""

from __future__ import annotations

from kavenegar_sandbox import blocklists
from kavenegar_sandbox.account import Account
from kavenegar_sandbox.checks import own_line
from kavenegar_sandbox.parameters import BLANK, UNSET, format_number, parse_date, parse_mobile, split_list
from kavenegar_sandbox.protocol import Answer, Call, Refusal, Row
from kavenegar_sandbox.rows import PAGE, arrange_rows, metadata, parse_page

_DAY_S = 86400
_TEHRAN_S = 12600  # ahead of UTC, all year round


def blocked_list(account: Account, call: Call) -> Answer:
    line, reason = own_line(account.knobs, call.params["linenumber"]), _reason(call.params.get("blockreason", ""))
    startdate, page = call.params.get("startdate", ""), parse_page(call.params.get("pagenumber", ""))
    since = _today(account.clock.now()) if startdate in UNSET else parse_date(startdate)
    blocks = account.blocklists.since(line, since, reason)
    shown = blocks[(page - 1) * PAGE : page * PAGE]
    account.counters.count_rows(call.method, len(shown))
    entries = [
        {"number": format_number(block.number), "blockreason": block.reason, "date": block.date} for block in shown
    ]
    return Answer(entries=entries, metadata=metadata(len(blocks), page), metadata_first=True)


def _reason(raw: str) -> int | None:
    """None for all of them: 0 is a reason. Raises Refusal(400) for one that does not exist."""
    if raw in BLANK:
        return None
    if raw not in {str(reason) for reason in blocklists.REASONS}:
        raise Refusal(400)
    return int(raw)


def _today(now: float) -> int:
    """When the day began in Tehran."""
    return int((now + _TEHRAN_S) // _DAY_S * _DAY_S - _TEHRAN_S)


_MOST_NUMBERS = 200


def blocked_add(account: Account, call: Call) -> Answer:
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
    line, asked = parse_line_and_numbers(account, call, at_most=_MOST_NUMBERS)
    account.counters.count_rows(call.method, len(asked))
    return Answer(entries=arrange_rows(account, [_row(account, line, raw) for raw in asked]))


def _row(account: Account, line: str, raw: str) -> Row:
    number = parse_mobile(raw, lenient=account.knobs.lenient_numbers)
    status = "Active" if account.blocklists.contains(line, number) else "NotExists"
    return {"linenumber": line, "receptor": raw if number is None else format_number(number), "status": status}


_MOST_REMOVED = 50


def blocked_remove(account: Account, call: Call) -> Answer:
    line, asked = parse_line_and_numbers(account, call, at_most=_MOST_REMOVED)
    read = [parse_mobile(raw, lenient=account.knobs.lenient_numbers) for raw in asked]
    removed = account.blocklists.remove(line, [number for number in read if number is not None])
    account.counters.count_rows(call.method, len(asked))
    return Answer(entries={"message": f"Done-removed {removed} item from blacklist"})


def parse_line_and_numbers(account: Account, call: Call, *, at_most: int) -> tuple[str, list[str]]:
    """The line whose block list is meant, and the numbers as they were written. Raises Refusal: 604, then 412."""
    asked = split_list(call.params["receptor"])
    if len(asked) > at_most:
        raise Refusal(604)
    return own_line(account.knobs, call.params["linenumber"]), asked
