"""line/blocked/exists: which of at most 200 numbers are on the block list of a line; what is no number is not.

Source: kavenegar-rest, line/blocked/exists.
"""

from __future__ import annotations

from kavenegar_sandbox import rules
from kavenegar_sandbox.account import Account
from kavenegar_sandbox.arrangement import arranged
from kavenegar_sandbox.envelope import Answer, Call, Row
from kavenegar_sandbox.lines import line_and_numbers

_AT_MOST = 200


def answer(account: Account, call: Call) -> Answer:
    line, asked = line_and_numbers(account, call, at_most=_AT_MOST)
    account.tally.took(call.method, len(asked))
    return Answer(entries=arranged(account, [_row(account, line, raw) for raw in asked]))


def _row(account: Account, line: str, raw: str) -> Row:
    number = rules.receptor(raw, lenient=account.knobs.lenient_numbers)
    status = "Active" if account.blocklists.holds(line, number) else "NotExists"
    return {"linenumber": line, "receptor": raw if number is None else rules.written(number), "status": status}
