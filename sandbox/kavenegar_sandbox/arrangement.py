"""The rows of an answer as the knobs want them: in another order, or with some left out.

The spec promises neither; its own sendarray sample comes back reversed.
"""

from __future__ import annotations

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.dice import roll
from kavenegar_sandbox.envelope import Row


def arranged(account: Account, rows: list[Row]) -> list[Row]:
    knobs = account.knobs
    if knobs.order == "same" and not knobs.omit_share:
        return rows
    turn = account.tally.requests.total()  # another arrangement for each request, the same on each run
    if knobs.omit_share:
        rows = [row for place, row in enumerate(rows) if roll(knobs.seed, turn, place, 3) >= knobs.omit_share]
    if knobs.order == "reversed":
        return rows[::-1]
    if knobs.order == "shuffled":
        return shuffled(rows, knobs.seed, turn)
    return rows


def shuffled(rows: list[Row], *numbers: int) -> list[Row]:
    """The same rows in an order fixed by `numbers`."""
    places = sorted(range(len(rows)), key=lambda place: roll(*numbers, place, 4))
    return [rows[place] for place in places]
