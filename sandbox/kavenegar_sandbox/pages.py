"""Answers in pages: which one is asked for, and what is said about all of them. The numbers are strings."""

from __future__ import annotations

from kavenegar_sandbox.codes import Refusal
from kavenegar_sandbox.envelope import Row
from kavenegar_sandbox.parameters import UNSET

PAGE = 200  # rows, in sms/inboxpaged and line/blocked/list


def page_number(raw: str) -> int:
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
