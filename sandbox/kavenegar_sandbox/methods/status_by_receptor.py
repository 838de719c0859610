"""sms/statusbyreceptor: what was sent to one number within a day, and where it stands.

Without an end, the day after the start. Nothing limits how long ago that is: the spec gives no limit here.
Source: kavenegar-rest, sms/statusbyreceptor.
"""

from __future__ import annotations

from kavenegar_sandbox import rules
from kavenegar_sandbox.account import Account
from kavenegar_sandbox.codes import STATUS_TEXT, Refusal
from kavenegar_sandbox.envelope import Answer, Call, Row
from kavenegar_sandbox.outbox import DAY_S, a_day_at_most, found
from kavenegar_sandbox.parameters import UNSET, unix_seconds


def answer(account: Account, call: Call) -> Answer:
    receptor = rules.anywhere(call.params["receptor"], lenient=account.knobs.lenient_numbers)
    if receptor is None:
        raise Refusal(411)
    start, enddate = unix_seconds(call.params["startdate"]), call.params.get("enddate", "")
    start, end = a_day_at_most(start, start + DAY_S if enddate in UNSET else unix_seconds(enddate))
    dates, now = account.ledger.starts_at, account.clock.now()
    rows = (row for row in account.ledger.rows_to(receptor) if start <= dates[row] < end + 1)
    return found(account, [_row(account, row, now) for row in rows])


def _row(account: Account, row: int, now: float) -> Row:
    status = account.true_status(row, now)
    return {
        "messageid": account.ledger.messageid(row),
        "receptor": rules.written(account.ledger.receptors[row]),
        "status": status,
        "statustext": STATUS_TEXT[status],
    }
