"""sms/receive: 100 messages of a line. Unread ones are read when the answer is made, even if nobody gets it.

With isread=1 the same 100 come each time: nothing about them changes. Source: kavenegar-rest, sms/receive.
"""

from __future__ import annotations

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.codes import Refusal
from kavenegar_sandbox.envelope import Answer, Call, Row
from kavenegar_sandbox.lines import own_line

_AT_ONCE = 100


def answer(account: Account, call: Call) -> Answer:
    knobs, read = account.knobs, read_state(call)
    line = own_line(knobs, call.params["linenumber"])
    pile = account.inbox.box(line).pile(read=read)
    rows = pile.page((0, len(pile)), 0, _AT_ONCE, newest=knobs.inbox_order == "newest")
    account.tally.took(call.method, len(rows))
    return found(account, account.inbox.hand_out(line, rows, unread=not read))


def read_state(call: Call) -> bool:
    """`isread`: 1 for messages already read, 0 for the others. Raises Refusal(400) for anything else."""
    if call.params["isread"] not in {"0", "1"}:
        raise Refusal(400)
    return call.params["isread"] == "1"


def found(account: Account, rows: list[Row], metadata: Row | None = None) -> Answer:
    """The rows; where there are none, what the knob `inbox_empty` says. Raises Refusal(449)."""
    if not rows and account.knobs.inbox_empty == "449":
        raise Refusal(449)
    nothing: list[Row] | None = None if account.knobs.inbox_empty == "null" else []
    return Answer(entries=rows or nothing, metadata=metadata)
