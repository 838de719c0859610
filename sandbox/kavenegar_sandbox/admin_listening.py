"""The side door to the listening side: messages that come in, and block lists. docs/sandbox.md lists it."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from kavenegar_sandbox import rules
from kavenegar_sandbox.account import Account
from kavenegar_sandbox.arrivals import arrive, read_arrivals
from kavenegar_sandbox.blocklists import REASONS, Block
from kavenegar_sandbox.callbacks import Callbacks
from kavenegar_sandbox.checks import own_lines
from kavenegar_sandbox.side_door import BadRequest, answered, json_body, json_object, streamed

_MOST_IDS = 1000  # message ids in an answer; there are more in the stream


class ListeningSide:
    """The handlers."""

    def __init__(self, account: Account, callbacks: Callbacks) -> None:
        self._account, self._callbacks = account, callbacks

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/inbox", self.show_inbox),
            web.post("/inbox", self.inject),
            web.get("/inbox/stream", self.stream_inbox),
            web.get("/blocked", self.show_blocked),
            web.post("/blocked", self.block),
            web.get("/callbacks", self.show_callbacks),
        ]

    async def show_inbox(self, _: web.Request) -> web.Response:
        return answered({"lines": self._account.inbox.summary()})

    async def inject(self, request: web.Request) -> web.Response:
        arrivals = read_arrivals(self._account, await json_body(request))
        ids = [messageid for new in arrivals for messageid in arrive(self._account, new)]
        return answered({"received": len(ids), "messageids": ids[:_MOST_IDS]}, status=201)

    async def stream_inbox(self, request: web.Request) -> web.StreamResponse:
        """Every message there is, a line of JSON each."""
        return await streamed(request, self._account.inbox.lines())

    async def show_blocked(self, _: web.Request) -> web.Response:
        lists = self._account.blocklists.shown()
        return answered({"lines": {line: [_shown(block) for block in blocks] for line, blocks in lists.items()}})

    async def block(self, request: web.Request) -> web.Response:
        """{"line", "numbers", "reason", "date"}: numbers onto a list, for whatever reason; `date` is now by default."""
        body = await json_object(request)
        line, reason = body.get("line"), body.get("reason", 0)
        date = body.get("date", int(self._account.clock.now()))
        if line not in own_lines(self._account.knobs):
            raise BadRequest("line is one of the account's own")
        if isinstance(reason, bool) or reason not in REASONS:
            raise BadRequest(f"reason is one of {', '.join(map(str, sorted(REASONS)))}")
        if not isinstance(date, int) or isinstance(date, bool) or date < 0:
            raise BadRequest("date is in Unix seconds")
        numbers = _numbers(body.get("numbers"))
        self._account.blocklists.put(line, numbers, reason=reason, date=date)
        return answered({"blocked": len(numbers)}, status=201)

    async def show_callbacks(self, _: web.Request) -> web.Response:
        return answered(self._callbacks.summary())


def _numbers(written: object) -> list[int]:
    if isinstance(written, list):
        numbers = [rules.receptor(raw, lenient=True) if isinstance(raw, str) else None for raw in written]
        if None not in numbers:
            return [number for number in numbers if number is not None]
    raise BadRequest("numbers is a list of mobile numbers, each a string")


def _shown(block: Block) -> dict[str, Any]:
    return {"number": rules.written(block.number), "reason": block.reason, "date": block.date}
