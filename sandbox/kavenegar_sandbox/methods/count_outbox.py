"""sms/countoutbox: how many messages set out in a span of at most a day, their parts and their cost.

Costs given back later are still counted: the spec says only that parts times tariff is the cost.
Source: kavenegar-rest, sms/countoutbox.
"""

from __future__ import annotations

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.envelope import Answer, Call
from kavenegar_sandbox.outbox import recent_span, rows_between
from kavenegar_sandbox.parameters import UNSET


def answer(account: Account, call: Call) -> Answer:
    start, end = recent_span(account, call.params["startdate"], call.params.get("enddate", ""))
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
