"""The side door, outside the service: knobs, faults, the clock, and the ledger. docs/sandbox.md lists it.

It speaks plain JSON with ordinary HTTP codes; a mistake is {"error": sentence}. Where a token is set, each
request carries it in the header X-Sandbox-Token.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from dataclasses import asdict
from math import isfinite
from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from worker.sandbox import audit
from worker.sandbox.account import Account
from worker.sandbox.faults import BadFault, Faults
from worker.sandbox.gateway import Gateway
from worker.sandbox.knobs import BadKnob, Knobs

_log = logging.getLogger(__name__)
_LINES_AT_ONCE = 2000
_MOST_DOUBLES = 1000


class BadRequest(ValueError):
    """The admin request cannot be understood; the message says what would be right."""


class Admin:
    """The handlers of the side door. `knobs` are those the sandbox started with."""

    def __init__(self, gateway: Gateway, faults: Faults, knobs: Knobs) -> None:
        self._gateway, self._faults, self._first_knobs = gateway, faults, knobs
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
        return _json({"status": "ok", "messages": len(self._account.ledger), "now": self._account.clock.now()})

    async def show_knobs(self, _: web.Request) -> web.Response:
        return _json(asdict(self._account.knobs))

    async def turn_knobs(self, request: web.Request) -> web.Response:
        changes = await _object(request)
        self._gateway.turn_knobs(self._account.knobs.turned(changes))
        _log.info("sandbox_knobs_turned", extra={"knobs": sorted(changes)})
        return _json(asdict(self._account.knobs))

    async def reset_knobs(self, _: web.Request) -> web.Response:
        self._gateway.turn_knobs(self._first_knobs)
        return _json(asdict(self._account.knobs))

    async def show_faults(self, _: web.Request) -> web.Response:
        return _json({"faults": self._faults.shown()})

    async def arm_faults(self, request: web.Request) -> web.Response:
        armed = self._faults.arm(await _object(request))
        _log.info("sandbox_fault_armed", extra={"kind": armed.fault.kind, "method": armed.fault.method})
        return _json(armed.shown(), status=201)

    async def disarm_faults(self, _: web.Request) -> web.Response:
        self._faults.disarm()
        return _json({"faults": []})

    async def advance_clock(self, request: web.Request) -> web.Response:
        self._account.advance(_amount(await _object(request), "advance"))
        return _json({"now": self._account.clock.now(), "ahead_s": self._account.clock.ahead_s})

    async def set_credit(self, request: web.Request) -> web.Response:
        self._account.set_credit(int(_amount(await _object(request), "rial")))
        return _json({"credit_rial": self._account.purse.balance(self._account.clock.now())})

    async def show_messages(self, request: web.Request) -> web.Response:
        return _json({"messages": list(audit.details(self._account, request.query.get("localids", "")))})

    async def show_calls(self, request: web.Request) -> web.Response:
        since = _whole(request, "since", otherwise=0)
        calls = self._gateway.traffic.shown(monotonic_s=time.monotonic(), since=since)
        return _json({**calls, "others": self._gateway.others()})

    async def show_summary(self, _: web.Request) -> web.Response:
        return _json({**audit.totals(self._account), **await self._repeats_now()})

    async def show_doubles(self, request: web.Request) -> web.Response:
        limit = _whole(request, "limit", otherwise=100)
        ledger = self._account.ledger
        found = await asyncio.to_thread(audit.doubles, ledger, len(ledger), min(limit, _MOST_DOUBLES))
        return _json(found)

    async def stream_messages(self, request: web.Request) -> web.StreamResponse:
        """Every message there is now, a line of JSON each."""
        account, now = self._account, self._account.clock.now()
        rows = len(account.ledger)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        for start in range(0, rows, _LINES_AT_ONCE):
            chunk = range(start, min(rows, start + _LINES_AT_ONCE))
            lines = (orjson.dumps(audit.line(account, row, now), option=orjson.OPT_APPEND_NEWLINE) for row in chunk)
            await response.write(b"".join(lines))
        return response

    async def _repeats_now(self) -> dict[str, int]:
        """The repeats among all messages, counted again only when there are more, or some were withdrawn."""
        ledger, summary = self._account.ledger, self._repeats
        state = (len(ledger), ledger.withdrawn)
        if summary is None or summary[0] != state:
            summary = self._repeats = state, await asyncio.to_thread(audit.repeats, ledger, len(ledger))
        return summary[1]


@web.middleware
async def sentences(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A mistake of the caller's becomes a sentence."""
    try:
        return await handler(request)
    except (BadKnob, BadFault, BadRequest) as why:
        return _json({"error": str(why)}, status=400)


def token_check(token: str) -> Middleware:
    """A middleware that lets nobody in without the token; with "" as token, everybody."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        shown = request.headers.get("X-Sandbox-Token", "")
        if token and not hmac.compare_digest(shown.encode(), token.encode()):
            return _json({"error": "this sandbox wants its token in the header X-Sandbox-Token"}, status=401)
        return await handler(request)

    return check


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


async def _object(request: web.Request) -> dict[str, Any]:
    try:
        value = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise BadRequest("the body is JSON") from None
    if not isinstance(value, dict):
        raise BadRequest("the body is a JSON object")
    return value


def _whole(request: web.Request, name: str, *, otherwise: int) -> int:
    """A whole number from the query."""
    value = request.query.get(name)
    if value is None:
        return otherwise
    if value.isascii() and value.isdigit():
        return int(value)
    raise BadRequest(f"{name} is a whole number, not below zero")


def _amount(body: dict[str, Any], name: str) -> float:
    value = body.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value >= 0:
        return value
    raise BadRequest(f'the body is {{"{name}": a number, not below zero}}')
