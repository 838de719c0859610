"""line/blocked/list: the block list of a line since a date, 200 a page; today's where no date is given.

The metadata stands first in the body, as in the spec's sample. Source: kavenegar-rest, line/blocked/list.
"""

from __future__ import annotations

from kavenegar_sandbox import blocklists, rules
from kavenegar_sandbox.account import Account
from kavenegar_sandbox.codes import Refusal
from kavenegar_sandbox.envelope import Answer, Call
from kavenegar_sandbox.lines import own_line
from kavenegar_sandbox.pages import PAGE, metadata, page_number
from kavenegar_sandbox.parameters import BLANK, UNSET, unix_seconds

_DAY_S = 86400
_TEHRAN_S = 12600  # ahead of UTC, all year round


def answer(account: Account, call: Call) -> Answer:
    line, reason = own_line(account.knobs, call.params["linenumber"]), _reason(call.params.get("blockreason", ""))
    startdate, page = call.params.get("startdate", ""), page_number(call.params.get("pagenumber", ""))
    since = _today(account.clock.now()) if startdate in UNSET else unix_seconds(startdate)
    blocks = account.blocklists.since(line, since, reason)
    shown = blocks[(page - 1) * PAGE : page * PAGE]
    account.tally.took(call.method, len(shown))
    entries = [
        {"number": rules.written(block.number), "blockreason": block.reason, "date": block.date} for block in shown
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
