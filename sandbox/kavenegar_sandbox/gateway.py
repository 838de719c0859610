"""The gateway without HTTP: admission checks, the methods, and the accounts behind the API keys.

The real gateway has many customers, and one customer may hold the keys of two accounts. Each account has its own
ledger, credit, inbox and journal, so that an id of one account means nothing to another. Knobs, faults and the clock
are common to all accounts, and the rate limit counts the calls of an address, whatever keys it uses.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kavenegar_sandbox import audit
from kavenegar_sandbox.account import Account
from kavenegar_sandbox.counters import Traffic
from kavenegar_sandbox.journal import Journal
from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.limiter import Limiter, limiter
from kavenegar_sandbox.methods import METHODS, UNKNOWN
from kavenegar_sandbox.protocol import OK, Answer, Call, Refusal, Row

SENDING = ("sms/", "verify/", "call/")  # refused to an account whose identity is not verified (430)
FIRST = 1


class Gateway:
    """One account, with a rate limiter for each calling address.

    `sharing`: another gateway, whose counters and limiters this one uses.
    """

    def __init__(self, account: Account, *, sharing: Gateway | None = None) -> None:
        self.account = account
        self.traffic: Traffic = sharing.traffic if sharing else Traffic(at=time.time(), monotonic_s=time.monotonic())
        self.limiters: dict[str, Limiter] = sharing.limiters if sharing else {}
        if sharing is not None:
            account.counters = sharing.account.counters

    def answer(self, call: Call) -> Answer:
        """Answer one call. The messages of a send are accepted when this returns."""
        code = next((code for check in ADMISSION if (code := check(self, call))), OK)
        try:
            answer = METHODS[call.method].answer(self.account, call) if code == OK else Answer(code)
        except Refusal as why:
            answer = Answer(why.code)
        self.account.counters.count_code(call.method, answer.code)
        return answer

    def turn_knobs(self, knobs: Knobs) -> None:
        """Use new knobs from now on. The limiters keep their counts."""
        self.account.turn_knobs(knobs)
        for address_limiter in self.limiters.values():
            address_limiter.turn(knobs, self.account.clock.now())

    def admits(self, call: Call) -> bool:
        """Count one call of the caller's address. Returns whether the rate limit admits it."""
        address_limiter = self.limiters.get(call.address)
        if address_limiter is None:
            address_limiter = self.limiters[call.address] = limiter(self.account.knobs)
        admitted = address_limiter.admits(self.account.clock.now())
        self.traffic.count(call.method, admitted=admitted, monotonic_s=time.monotonic())
        return admitted

    def other_traffic(self) -> dict[str, int]:
        """Return how many calls of other software behind the same addresses were admitted and refused up to now."""
        for address_limiter in self.limiters.values():
            address_limiter.catch_up(self.account.clock.now())
        counted = [address_limiter.others for address_limiter in self.limiters.values()]
        return {"admitted": sum(each.admitted for each in counted), "refused": sum(each.refused for each in counted)}


Check = Callable[[Gateway, Call], int]  # the return code, or 0 to pass


def method_exists(gateway: Gateway, call: Call) -> int:  # noqa: ARG001 - all checks have one signature
    """404 for a method that the specification does not have."""
    return 404 if call.method == UNKNOWN else 0


def verb_allowed(gateway: Gateway, call: Call) -> int:  # noqa: ARG001
    """405 for an HTTP verb that the method does not take."""
    return 405 if call.method in METHODS and call.verb not in METHODS[call.method].verbs else 0


def key_valid(gateway: Gateway, call: Call) -> int:
    """403 for a wrong API key. A method with `open_key` also takes the key "0"."""
    open_key = call.key == "0" and call.method in METHODS and METHODS[call.method].open_key
    return 0 if open_key or call.key == gateway.account.api_key else 403


def account_state(gateway: Gateway, call: Call) -> int:
    """Return the code of the knob `account_code`.

    430 (identity not verified) refuses sms/*, verify/* and call/* only.
    """
    code = gateway.account.knobs.account_code
    return 0 if code == 430 and not call.method.startswith(SENDING) else code


def rate_limit(gateway: Gateway, call: Call) -> int:
    """451 for an address over its rate limit. The call is counted."""
    return 0 if gateway.admits(call) else 451


def parameters_present(gateway: Gateway, call: Call) -> int:  # noqa: ARG001
    """400 for a required parameter that is absent."""
    return 0 if all(name in call.params for name in METHODS[call.method].required) else 400


def parameters_not_empty(gateway: Gateway, call: Call) -> int:  # noqa: ARG001
    """406 for a required parameter that is empty."""
    return 0 if all(call.params[name] for name in METHODS[call.method].required) else 406


ADMISSION: tuple[Check, ...] = (
    method_exists,
    verb_allowed,
    key_valid,
    account_state,
    rate_limit,
    parameters_present,
    parameters_not_empty,
)


class Accounts:
    """The accounts of one sandbox, a gateway for each. Accounts are numbered from 1 in the order of their keys."""

    def __init__(self, keys: Sequence[str], knobs: Knobs, credit_rial: int, journals: Iterable[Journal]) -> None:
        accounts = [
            Account(key, knobs, credit_rial, journal, number=number)
            for number, (key, journal) in enumerate(zip(keys, journals, strict=True), start=FIRST)
        ]
        self.first = Gateway(accounts[0])
        self._gateways = {accounts[0].api_key: self.first}
        for account in accounts[1:]:
            self._gateways[account.api_key] = Gateway(account, sharing=self.first)

    def __iter__(self) -> Iterator[Account]:
        return (gateway.account for gateway in self._gateways.values())

    def for_key(self, key: str) -> Gateway:
        """Return the gateway of the account with this key; of an unknown key the first, which answers 403."""
        return self._gateways.get(key, self.first)

    def turn(self, changes: Mapping[str, object]) -> None:
        """Change some knobs of every account. Raises BadKnob, and then no knob is changed."""
        turned = [gateway.account.knobs.turned(changes) for gateway in self._gateways.values()]
        for gateway, knobs in zip(self._gateways.values(), turned, strict=True):
            gateway.turn_knobs(knobs)

    def reset(self, knobs: Knobs) -> None:
        """Give every account these knobs."""
        for gateway in self._gateways.values():
            gateway.turn_knobs(knobs)

    def advance(self, seconds: float) -> None:
        """Advance the clock of every account by this many seconds."""
        for account in self:
            account.advance(seconds)

    def set_credit(self, credit_rial: int) -> None:
        """Set the credit of every account, in rial."""
        for account in self:
            account.set_credit(credit_rial)

    def message_rows(self) -> Iterator[Row]:
        """Yield every accepted message, account by account."""
        for account in self:
            now = account.clock.now()
            yield from (audit.message_row(account, row, now) for row in range(len(account.ledger)))

    def find_messages(self, asked: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Yield the messages of all accounts with these localids or message ids (comma-separated lists)."""
        for account in self:
            yield from audit.find_messages(account, localids=asked["localids"], messageids=asked["messageids"])


def journal_paths(first: Path | None, count: int) -> list[Path | None]:
    """Return the journal file of each account: the first as given, the others with the account's number appended."""
    if first is None:
        return [None] * count
    return [first, *(first.with_name(f"{first.name}.{number}") for number in range(FIRST + 1, FIRST + count))]
