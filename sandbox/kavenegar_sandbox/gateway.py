"""The gateway without its wire: a call in, an answer out. It knows the order in which a call is looked at."""

from __future__ import annotations

import time
from collections.abc import Callable

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.codes import OK, Refusal
from kavenegar_sandbox.envelope import Answer, Call
from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.limiter import Limiter, limiter
from kavenegar_sandbox.methods import METHODS, UNKNOWN
from kavenegar_sandbox.traffic import Traffic


class Gateway:
    """One account, and a limiter for each address that calls.

    A gateway `beside` another one counts its calls, and limits its addresses, together with it.
    """

    def __init__(self, account: Account, *, beside: Gateway | None = None) -> None:
        self.account = account
        self.traffic: Traffic = beside.traffic if beside else Traffic(at=time.time(), monotonic_s=time.monotonic())
        self.limiters: dict[str, Limiter] = beside.limiters if beside else {}
        if beside is not None:
            account.tally = beside.account.tally

    def answer(self, call: Call) -> Answer:
        """What the service would say; the messages of a send are accepted when this returns."""
        code = next((code for check in ADMISSION if (code := check(self, call))), OK)
        try:
            answer = METHODS[call.method].answer(self.account, call) if code == OK else Answer(code)
        except Refusal as why:
            answer = Answer(why.code)
        self.account.tally.decided(call.method, answer.code)
        return answer

    def turn_knobs(self, knobs: Knobs) -> None:
        """New knobs; the limiters go on from where they stand."""
        self.account.turn_knobs(knobs)
        for door in self.limiters.values():
            door.turn(knobs, self.account.clock.now())

    def admits(self, call: Call) -> bool:
        """Whether the caller's address may make one more call; counted either way."""
        door = self.limiters.get(call.address)
        if door is None:
            door = self.limiters[call.address] = limiter(self.account.knobs)
        admitted = door.admits(self.account.clock.now())
        self.traffic.count(call.method, admitted=admitted, monotonic_s=time.monotonic())
        return admitted

    def others(self) -> dict[str, int]:
        """What became, up to now, of the calls that other software made behind the same addresses."""
        for door in self.limiters.values():
            door.catch_up(self.account.clock.now())
        heard = [door.others for door in self.limiters.values()]
        return {"admitted": sum(each.admitted for each in heard), "refused": sum(each.refused for each in heard)}


SENDING = ("sms/", "verify/", "call/")  # scopes an account without a proven identity has no use of
Check = Callable[[Gateway, Call], int]  # the code to refuse with, 0 to pass


def known(gateway: Gateway, call: Call) -> int:  # noqa: ARG001 - one shape for every check
    return 404 if call.method == UNKNOWN else 0


def verb(gateway: Gateway, call: Call) -> int:  # noqa: ARG001
    return 405 if call.method in METHODS and call.verb not in METHODS[call.method].verbs else 0


def key(gateway: Gateway, call: Call) -> int:
    open_key = call.key == "0" and call.method in METHODS and METHODS[call.method].open_key
    return 0 if open_key or call.key == gateway.account.api_key else 403


def standing(gateway: Gateway, call: Call) -> int:
    """The account's own state; without a proven identity (430) it may still look, but not send."""
    code = gateway.account.knobs.account_code
    return 0 if code == 430 and not call.method.startswith(SENDING) else code


def pace(gateway: Gateway, call: Call) -> int:
    return 0 if gateway.admits(call) else 451


def given(gateway: Gateway, call: Call) -> int:  # noqa: ARG001
    return 0 if all(name in call.params for name in METHODS[call.method].required) else 400


def filled(gateway: Gateway, call: Call) -> int:  # noqa: ARG001
    return 0 if all(call.params[name] for name in METHODS[call.method].required) else 406


ADMISSION: tuple[Check, ...] = (known, verb, key, standing, pace, given, filled)
