"""Rows of answers: records of messages, the order of rows, rows left out, pages.

The specification promises no order; the rows of its own sendarray sample come back reversed.
"""

from __future__ import annotations

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.parameters import UNSET, format_number
from kavenegar_sandbox.protocol import STATUS_TEXT, Refusal, Row
from kavenegar_sandbox.rng import shuffled, uniform

PAGE = 200  # rows of a page of sms/inboxpaged and line/blocked/list


def arrange_rows(account: Account, rows: list[Row]) -> list[Row]:
    """Order the rows, and leave some out, as the knobs `order` and `omit_share` say."""
    knobs = account.knobs
    if knobs.order == "same" and not knobs.omit_share:
        return rows
    request_number = account.counters.requests.total()  # another order for each request, the same on each run
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
    """One message as sends and sms/select show it, with its status at `now` (Unix seconds)."""
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


def parse_page(raw: str) -> int:
    """Read a page number. An empty value and 0 mean page 1. Raises Refusal(400) for a value that is not a number."""
    if raw in UNSET:
        return 1
    if not (raw.isascii() and raw.isdigit()):
        raise Refusal(400)
    return int(raw)


def page_metadata(total: int, page: int) -> Row:
    """Return a page's metadata: `totalcount` rows in `totalpages` pages, at least one page. All values are strings."""
    return {
        "totalcount": str(total),
        "currentpage": str(page),
        "totalpages": str(max(1, -(-total // PAGE))),
        "pagesize": str(PAGE),
    }
