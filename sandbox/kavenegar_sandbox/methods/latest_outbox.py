"""sms/latestoutbox: the last records that set out, at most 500, the oldest of them first as in the spec's sample.

For a registered address only (407 without). Source: kavenegar-rest, sms/latestoutbox.
"""

from __future__ import annotations

from itertools import islice

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.codes import Refusal
from kavenegar_sandbox.envelope import Answer, Call
from kavenegar_sandbox.outbox import listable, listing, registered
from kavenegar_sandbox.parameters import UNSET, is_whole


def answer(account: Account, call: Call) -> Answer:
    registered(account)
    size = _page_size(call.params.get("pagesize", ""), at_most=account.knobs.outbox_limit)
    dates, now = account.ledger.starts_at, account.clock.now()
    gone = (row for row in reversed(range(len(dates))) if dates[row] <= now)
    rows = islice(listable(account, gone, call.params.get("sender", "")), size)
    return listing(account, reversed(list(rows)))


def _page_size(raw: str, *, at_most: int) -> int:
    """The most there is where none is given. Raises Refusal(400) for more, and for what is no number."""
    if raw in UNSET:
        return at_most
    if not is_whole(raw) or int(raw) > at_most:
        raise Refusal(400)
    return int(raw)
