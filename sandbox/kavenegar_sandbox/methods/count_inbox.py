"""sms/countinbox: how many messages came in within a day at most, on one line or on all, read or not or both.

Source: kavenegar-rest, sms/countinbox.
"""

from __future__ import annotations

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.checks import own_lines
from kavenegar_sandbox.codes import Refusal
from kavenegar_sandbox.envelope import Answer, Call
from kavenegar_sandbox.lines import own_line
from kavenegar_sandbox.parameters import UNSET, unix_seconds

_DAY_S = 86400
_DEEPEST_S = 60 * _DAY_S
_READ_STATES = {"0": (False,), "1": (True,), "": (False, True), "null": (False, True)}  # 0 is a value here


def answer(account: Account, call: Call) -> Answer:
    line, states = call.params.get("linenumber", ""), _READ_STATES.get(call.params.get("isread", ""))
    if states is None:
        raise Refusal(400)
    start, end = _day(account, call.params["startdate"], call.params.get("enddate", ""))
    lines = own_lines(account.knobs) if line in UNSET else (own_line(account.knobs, line),)
    counts = [account.inbox.box(each).pile(read=read).count(start, end) for each in lines for read in states]
    return Answer(entries=[{"startdate": start, "enddate": end, "sumcount": sum(counts)}])


def _day(account: Account, startdate: str, enddate: str) -> tuple[int, int]:
    """The seconds asked for, up to now where no end is given.

    Raises Refusal(417) for more than a day, more than 60 days back, or a span that is turned round.
    """
    now = account.clock.now()
    start = unix_seconds(startdate)
    end = int(now) if enddate in UNSET else unix_seconds(enddate)
    if start < now - _DEEPEST_S or not start <= end <= start + _DAY_S:
        raise Refusal(417)
    return start, end
