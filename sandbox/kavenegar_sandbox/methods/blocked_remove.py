"""line/blocked/remove: at most 50 numbers off the block list of a line, by HTTP DELETE and the query alone.

Only those that the web service or the panel put there; others stay and are not counted. The spec names no code for
more than 50: it is 604, as with its sisters. Source: kavenegar-rest, line/blocked/remove.
"""

from __future__ import annotations

from kavenegar_sandbox import rules
from kavenegar_sandbox.account import Account
from kavenegar_sandbox.envelope import Answer, Call
from kavenegar_sandbox.lines import line_and_numbers

_AT_MOST = 50


def answer(account: Account, call: Call) -> Answer:
    line, asked = line_and_numbers(account, call, at_most=_AT_MOST)
    read = [rules.receptor(raw, lenient=account.knobs.lenient_numbers) for raw in asked]
    removed = account.blocklists.remove(line, [number for number in read if number is not None])
    account.tally.took(call.method, len(asked))
    return Answer(entries={"message": f"Done-removed {removed} item from blacklist"})
