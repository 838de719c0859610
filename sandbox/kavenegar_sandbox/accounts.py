"""The accounts of one sandbox, each with a key of its own. The first is the one that the side door is about.

A real gateway has many customers, and one of them may hold the keys of two accounts. Each account has its own ledger,
credit, inbox and journal, so that an id of one means nothing to another; knobs, faults and the clock are turned for all
of them, and an address that calls too often is one address, whatever keys it calls with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kavenegar_sandbox import audit
from kavenegar_sandbox.account import Account
from kavenegar_sandbox.envelope import Row
from kavenegar_sandbox.gateway import Gateway
from kavenegar_sandbox.journal import Journal
from kavenegar_sandbox.knobs import Knobs

FIRST = 1


class Accounts:
    """A gateway for each account. Accounts are numbered from 1 in the order of their keys."""

    def __init__(self, keys: Sequence[str], knobs: Knobs, credit_rial: int, journals: Iterable[Journal]) -> None:
        accounts = [
            Account(key, knobs, credit_rial, journal, number=number)
            for number, (key, journal) in enumerate(zip(keys, journals, strict=True), start=FIRST)
        ]
        self.first = Gateway(accounts[0])
        self._gateways = {accounts[0].api_key: self.first}
        for account in accounts[1:]:
            self._gateways[account.api_key] = Gateway(account, beside=self.first)

    def __iter__(self) -> Iterator[Account]:
        return (gateway.account for gateway in self._gateways.values())

    def behind(self, key: str) -> Gateway:
        """The gateway of the account with this key; the first for a key that is nobody's, which it refuses."""
        return self._gateways.get(key, self.first)

    def turn(self, changes: Mapping[str, object]) -> None:
        """Turn some knobs. Raises BadKnob, and then none is turned."""
        turned = [gateway.account.knobs.turned(changes) for gateway in self._gateways.values()]
        for gateway, knobs in zip(self._gateways.values(), turned, strict=True):
            gateway.turn_knobs(knobs)

    def reset(self, knobs: Knobs) -> None:
        """Go back to these knobs."""
        for gateway in self._gateways.values():
            gateway.turn_knobs(knobs)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        for account in self:
            account.advance(seconds)

    def set_credit(self, credit_rial: int) -> None:
        """Give each account this much credit."""
        for account in self:
            account.set_credit(credit_rial)

    def lines(self) -> Iterator[Row]:
        """Every message there is now, of every account, the first account's first."""
        for account in self:
            now = account.clock.now()
            yield from (audit.line(account, row, now) for row in range(len(account.ledger)))

    def details(self, asked: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """The messages of some localids or message ids (comma lists), whichever account has them."""
        for account in self:
            yield from audit.details(account, localids=asked["localids"], messageids=asked["messageids"])


def journal_paths(first: Path | None, count: int) -> list[Path | None]:
    """Where the accounts keep their journals: beside the first one's, with the account's number at the end."""
    if first is None:
        return [None] * count
    return [first, *(first.with_name(f"{first.name}.{number}") for number in range(FIRST + 1, FIRST + count))]
