"""account/info: the credit left, in rial. Source: kavenegar-rest, account/info."""

from __future__ import annotations

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.envelope import Answer, Call

_EXPIRES = 4_102_444_800  # 2100: the spec asks callers to ignore it


def answer(account: Account, call: Call) -> Answer:  # noqa: ARG001 - every handler has one shape
    credit_rial = account.purse.balance(account.clock.now())
    return Answer(entries={"remaincredit": credit_rial, "expiredate": _EXPIRES, "type": "master"})
