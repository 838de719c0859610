"""The admin API, outside the service: knobs, faults, the clock, credit and the ledger. REFERENCE.md lists its paths.

It speaks plain JSON with ordinary HTTP statuses; an error is {"error": sentence}. When a token is set, each request
must carry it in the header X-Sandbox-Token.
"""

from __future__ import annotations

import asyncio
import logging
import time

from aiohttp import web

from kavenegar_sandbox import audit
from kavenegar_sandbox.account import Account
from kavenegar_sandbox.admin_http import body_number, json_object, json_response, query_int, stream_rows
from kavenegar_sandbox.faults import Faults
from kavenegar_sandbox.gateway import FIRST, Accounts
from kavenegar_sandbox.knobs import Knobs

_log = logging.getLogger(__name__)
_MOST_DUPLICATES = 1000


class Admin:
    """The handlers. `knobs` are those that the sandbox started with."""

    def __init__(self, accounts: Accounts, faults: Faults, knobs: Knobs) -> None:
        self._accounts, self._gateway, self._faults, self._initial_knobs = accounts, accounts.first, faults, knobs
        self._repeated_texts: tuple[tuple[int, int], dict[str, int]] | None = None

    @property
    def _account(self) -> Account:
        return self._gateway.account

    def routes(self) -> list[web.RouteDef]:
        """Return the paths below /_sandbox that this class answers."""
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
            web.get("/ledger/duplicates", self.show_duplicates),
            web.get("/ledger/doubles", self.show_duplicates),  # its old name
            web.get("/ledger/stream", self.stream_messages),
        ]

    async def health(self, _: web.Request) -> web.Response:
        """GET /health: that the sandbox runs, its number of messages, and its time."""
        return json_response({"status": "ok", "messages": len(self._account.ledger), "now": self._account.clock.now()})

    async def show_knobs(self, _: web.Request) -> web.Response:
        """GET /knobs: every knob of the first account."""
        return json_response(self._account.knobs.describe())

    async def turn_knobs(self, request: web.Request) -> web.Response:
        """POST /knobs: change some knobs of every account. Raises BadKnob and BadRequest."""
        changes = await json_object(request)
        self._accounts.turn(changes)
        _log.info("sandbox_knobs_turned", extra={"knobs": sorted(changes)})
        return json_response(self._account.knobs.describe())

    async def reset_knobs(self, _: web.Request) -> web.Response:
        """DELETE /knobs: go back to the knobs of the start."""
        self._accounts.reset(self._initial_knobs)
        return json_response(self._account.knobs.describe())

    async def show_faults(self, _: web.Request) -> web.Response:
        """GET /faults: the armed faults, with their counts."""
        return json_response({"faults": self._faults.describe()})

    async def arm_faults(self, request: web.Request) -> web.Response:
        """POST /faults: arm one fault. Raises BadFault and BadRequest."""
        armed = self._faults.arm(await json_object(request))
        _log.info("sandbox_fault_armed", extra={"kind": armed.fault.kind, "method": armed.fault.method})
        return json_response(armed.describe(), status=201)

    async def disarm_faults(self, _: web.Request) -> web.Response:
        """DELETE /faults: disarm all faults."""
        self._faults.disarm()
        return json_response({"faults": []})

    async def advance_clock(self, request: web.Request) -> web.Response:
        """POST /clock: advance the clock by {"advance": seconds}. Raises BadRequest."""
        self._accounts.advance(body_number(await json_object(request), "advance"))
        return json_response({"now": self._account.clock.now(), "ahead_s": self._account.clock.ahead_s})

    async def set_credit(self, request: web.Request) -> web.Response:
        """POST /credit: set the credit of every account to {"rial": amount}. Raises BadRequest."""
        self._accounts.set_credit(int(body_number(await json_object(request), "rial")))
        return json_response({"credit_rial": self._account.credit.balance(self._account.clock.now())})

    async def show_messages(self, request: web.Request) -> web.Response:
        """GET /ledger: the messages of some localids or message ids."""
        asked = {name: request.query.get(name, "") for name in ("localids", "messageids")}
        return json_response({"messages": list(self._accounts.find_messages(asked))})

    async def show_calls(self, request: web.Request) -> web.Response:
        """GET /ledger/calls: calls by the second, admitted and refused by the rate limit. Raises BadRequest."""
        since = query_int(request, "since", default=0)
        calls = self._gateway.traffic.describe(monotonic_s=time.monotonic(), since=since)
        return json_response({**calls, "others": self._gateway.other_traffic()})

    async def show_summary(self, _: web.Request) -> web.Response:
        """GET /ledger/summary: the totals."""
        others = [len(account.ledger) for account in self._accounts if account.number != FIRST]
        return json_response(
            {**audit.totals(self._account), **await self._count_repeated_texts(), "other_accounts": others}
        )

    async def show_duplicates(self, request: web.Request) -> web.Response:
        """GET /ledger/duplicates: localids and texts that were sent more than once. Raises BadRequest."""
        limit = query_int(request, "limit", default=100)
        ledger = self._account.ledger
        found = await asyncio.to_thread(audit.duplicates, ledger, len(ledger), min(limit, _MOST_DUPLICATES))
        return json_response(found)

    async def stream_messages(self, request: web.Request) -> web.StreamResponse:
        """GET /ledger/stream: every accepted message, one line of JSON each."""
        return await stream_rows(request, self._accounts.message_rows())

    async def _count_repeated_texts(self) -> dict[str, int]:
        """Count repeated texts again only when messages were added or withdrawn since the last count."""
        ledger, summary = self._account.ledger, self._repeated_texts
        state = (len(ledger), len(ledger.withdrawals))
        if summary is None or summary[0] != state:
            summary = self._repeated_texts = state, await asyncio.to_thread(audit.repeated_texts, ledger, len(ledger))
        return summary[1]
