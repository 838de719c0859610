"""A line named in a parameter, which must be one of the account's own, and the numbers named for its block list."""

from __future__ import annotations

from kavenegar_sandbox import rules
from kavenegar_sandbox.account import Account
from kavenegar_sandbox.checks import own_lines
from kavenegar_sandbox.codes import Refusal
from kavenegar_sandbox.envelope import Call
from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.parameters import listed


def own_line(knobs: Knobs, raw: str) -> str:
    """The line without its country prefix. Raises Refusal(412) for one of somebody else's."""
    line = rules.sender(raw)
    if line not in own_lines(knobs):
        raise Refusal(412)
    return line


def line_and_numbers(account: Account, call: Call, *, at_most: int) -> tuple[str, list[str]]:
    """The line whose block list is meant, and the numbers as they were written. Raises Refusal: 604, then 412."""
    asked = listed(call.params["receptor"])
    if len(asked) > at_most:
        raise Refusal(604)
    return own_line(account.knobs, call.params["linenumber"]), asked
