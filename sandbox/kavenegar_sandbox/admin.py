"""The side door, outside the service: knobs, faults, the clock, and the ledger. docs/sandbox.md lists it.

It speaks plain JSON with ordinary HTTP codes; a mistake is {"error": sentence}. Where a token is set, each
request carries it in the header X-Sandbox-Token.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import asdict

from aiohttp import web

from kavenegar_sandbox import audit
from kavenegar_sandbox.account import Account
from kavenegar_sandbox.admin_http import amount, answered, json_object, streamed, whole
from kavenegar_sandbox.faults import Faults
from kavenegar_sandbox.gateway import FIRST, Accounts
from kavenegar_sandbox.knobs import Knobs

_log = logging.getLogger(__name__)
_MOST_DOUBLES = 1000


class Admin:
    """The handlers of the side door. `knobs` are those the sandbox started with."""

    def __init__(self, accounts: Accounts, faults: Faults, knobs: Knobs) -> None:
        self._accounts, self._gateway, self._faults, self._first_knobs = accounts, accounts.first, faults, knobs
        self._repeats: tuple[tuple[int, int], dict[str, int]] | None = None

    @property
    def _account(self) -> Account:
        return self._gateway.account

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/health", self.health),
            web.get("/knobs", self.show_knobs),
            web.post("/knobs", self.turn_knobs),
            web.delete("/knobs", self.reset_knobs),
            web.get("/faults", self.show_faults),
            web.post("/faults", self.arm_faults),
            web.delete("/faults", self.disarm_faults),
            web.post("/clock", self.advance_clock),
            web.post("/credit", self.set_credit),
            web.get("/ledger", self.show_messages),
            web.get("/ledger/calls", self.show_calls),
            web.get("/ledger/summary", self.show_summary),
            web.get("/ledger/doubles", self.show_doubles),
            web.get("/ledger/stream", self.stream_messages),
        ]

    async def health(self, _: web.Request) -> web.Response:
        return answered({"status": "ok", "messages": len(self._account.ledger), "now": self._account.clock.now()})

    async def show_knobs(self, _: web.Request) -> web.Response:
        return answered(asdict(self._account.knobs))

    async def turn_knobs(self, request: web.Request) -> web.Response:
        changes = await json_object(request)
        self._accounts.turn(changes)
        _log.info("sandbox_knobs_turned", extra={"knobs": sorted(changes)})
        return answered(asdict(self._account.knobs))

    async def reset_knobs(self, _: web.Request) -> web.Response:
        self._accounts.reset(self._first_knobs)
        return answered(asdict(self._account.knobs))

    async def show_faults(self, _: web.Request) -> web.Response:
        return answered({"faults": self._faults.shown()})

    async def arm_faults(self, request: web.Request) -> web.Response:
        armed = self._faults.arm(await json_object(request))
        _log.info("sandbox_fault_armed", extra={"kind": armed.fault.kind, "method": armed.fault.method})
        return answered(armed.shown(), status=201)

    async def disarm_faults(self, _: web.Request) -> web.Response:
        self._faults.disarm()
        return answered({"faults": []})

    async def advance_clock(self, request: web.Request) -> web.Response:
        self._accounts.advance(amount(await json_object(request), "advance"))
        return answered({"now": self._account.clock.now(), "ahead_s": self._account.clock.ahead_s})

    async def set_credit(self, request: web.Request) -> web.Response:
        self._accounts.set_credit(int(amount(await json_object(request), "rial")))
        return answered({"credit_rial": self._account.purse.balance(self._account.clock.now())})

    async def show_messages(self, request: web.Request) -> web.Response:
        asked = {name: request.query.get(name, "") for name in ("localids", "messageids")}
        return answered({"messages": list(self._accounts.details(asked))})

    async def show_calls(self, request: web.Request) -> web.Response:
        since = whole(request, "since", otherwise=0)
        calls = self._gateway.traffic.shown(monotonic_s=time.monotonic(), since=since)
        return answered({**calls, "others": self._gateway.others()})

    async def show_summary(self, _: web.Request) -> web.Response:
        others = [len(account.ledger) for account in self._accounts if account.number != FIRST]
        return answered({**audit.totals(self._account), **await self._repeats_now(), "other_accounts": others})

    async def show_doubles(self, request: web.Request) -> web.Response:
        limit = whole(request, "limit", otherwise=100)
        ledger = self._account.ledger
        found = await asyncio.to_thread(audit.doubles, ledger, len(ledger), min(limit, _MOST_DOUBLES))
        return answered(found)

    async def stream_messages(self, request: web.Request) -> web.StreamResponse:
        """Every message there is now, a line of JSON each."""
        return await streamed(request, self._accounts.lines())

    async def _repeats_now(self) -> dict[str, int]:
        """The repeats among all messages, counted again only when there are more, or some were withdrawn."""
        ledger, summary = self._account.ledger, self._repeats
        state = (len(ledger), len(ledger.withdrawals))
        if summary is None or summary[0] != state:
            summary = self._repeats = state, await asyncio.to_thread(audit.repeats, ledger, len(ledger))
        return summary[1]
