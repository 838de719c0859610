"""line/blocked/add: at most 200 numbers onto the block list of a line.

A number that is no number is 411 for the whole request: the spec does not say.

Source: kavenegar-rest, line/blocked/add.
"""

from __future__ import annotations

from kavenegar_sandbox import rules
from kavenegar_sandbox.account import Account
from kavenegar_sandbox.arrangement import arranged
from kavenegar_sandbox.codes import Refusal
from kavenegar_sandbox.envelope import Answer, Call
from kavenegar_sandbox.lines import line_and_numbers

_AT_MOST = 200


def answer(account: Account, call: Call) -> Answer:
    line, asked = line_and_numbers(account, call, at_most=_AT_MOST)
    numbers = _numbers(asked, lenient=account.knobs.lenient_numbers)
    new = account.blocklists.add(line, numbers, date=int(account.clock.now()))
    account.tally.took(call.method, len(numbers))
    rows = [
        {"linenumber": line, "receptor": rules.written(number), "status": "Active" if is_new else "AlreadyExists"}
        for number, is_new in zip(numbers, new, strict=True)
    ]
    return Answer(entries=arranged(account, rows))


def _numbers(asked: list[str], *, lenient: bool) -> list[int]:
    read = [rules.receptor(raw, lenient=lenient) for raw in asked]
    numbers = [number for number in read if number is not None]
    if not numbers or len(numbers) < len(read):
        raise Refusal(411)
    return numbers
