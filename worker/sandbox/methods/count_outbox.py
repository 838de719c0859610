"""sms/countoutbox: how many messages set out in a span of at most a day, their parts and their cost.

Costs given back later are still counted: the spec says only that parts times tariff is the cost.
Source: kavenegar-rest, sms/countoutbox.
"""

from __future__ import annotations

from itertools import compress

from worker.sandbox.account import Account
from worker.sandbox.codes import Refusal
from worker.sandbox.envelope import Answer, Call
from worker.sandbox.parameters import UNSET, unix_seconds

_DAY_S = 86400
_DEEPEST_S = 3 * _DAY_S


def answer(account: Account, call: Call) -> Answer:
    start, end = _span(account, call.params.get("startdate", ""), call.params.get("enddate", ""))
    status = call.params.get("status", "")
    rows = _rows(account, start, end, None if status in UNSET else status)
    ledger = account.ledger
    counted = {
        "startdate": start,
        "enddate": end,
        "sumpart": sum(ledger.parts[row] for row in rows),
        "sumcount": len(rows),
        "cost": sum(ledger.costs_rial[row] for row in rows),
    }
    return Answer(entries=[counted])


def _span(account: Account, startdate: str, enddate: str) -> tuple[int, int]:
    """The seconds asked for. Raises Refusal(417) beyond three days back, beyond one day, or backwards."""
    now = account.clock.now()
    start = unix_seconds(startdate)
    end = int(now) if enddate in UNSET else unix_seconds(enddate)
    if start < now - _DEEPEST_S or not start <= end <= start + _DAY_S:
        raise Refusal(417)
    return start, end


def _rows(account: Account, start: int, end: int, status: str | None) -> list[int]:
    """The messages of the span: the second `end` counts."""
    dates = account.ledger.starts_at
    rows = list(compress(range(len(dates)), [start <= date < end + 1 for date in dates]))
    if status is None:
        return rows
    now = account.clock.now()
    return [row for row in rows if str(account.true_status(row, now)) == status]
