"""The rows of an answer as the knobs want them: in another order, or with some left out.

The spec promises neither; its own sendarray sample comes back reversed.

Answers in pages: which one is asked for, and what is said about all of them. The numbers are strings.
"""

from __future__ import annotations

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.parameters import UNSET, format_number
from kavenegar_sandbox.protocol import STATUS_TEXT, Refusal, Row
from kavenegar_sandbox.rng import shuffled, uniform


def arrange_rows(account: Account, rows: list[Row]) -> list[Row]:
    knobs = account.knobs
    if knobs.order == "same" and not knobs.omit_share:
        return rows
    request_number = account.counters.requests.total()  # another arrangement for each request, the same on each run
    if knobs.omit_share:
        rows = [
            row for place, row in enumerate(rows) if uniform(knobs.seed, request_number, place, 3) >= knobs.omit_share
        ]
    if knobs.order == "reversed":
        return rows[::-1]
    if knobs.order == "shuffled":
        return shuffled(rows, knobs.seed, request_number)
    return rows


def message_record(account: Account, row: int, now: float) -> Row:
    """A message as sends and sms/select show it, with the status of this moment."""
    ledger = account.ledger
    status = account.status(row, now)
    return {
        "messageid": ledger.messageid(row),
        "message": ledger.text(row),
        "status": status,
        "statustext": STATUS_TEXT[status],
        "sender": ledger.sender(row),
        "receptor": format_number(ledger.receptors[row]),
        "date": int(ledger.starts_at[row]),
        "cost": ledger.costs_rial[row],
    }


PAGE = 200  # rows, in sms/inboxpaged and line/blocked/list


def parse_page(raw: str) -> int:
    """The first page is 1, and 0, and what is asked for by saying nothing. Raises Refusal(400)."""
    if raw in UNSET:
        return 1
    if not (raw.isascii() and raw.isdigit()):
        raise Refusal(400)
    return int(raw)


def metadata(total: int, page: int) -> Row:
    """`totalpages` is what `totalcount` rows fill; no rows fill one page."""
    return {
        "totalcount": str(total),
        "currentpage": str(page),
        "totalpages": str(max(1, -(-total // PAGE))),
        "pagesize": str(PAGE),
    }
