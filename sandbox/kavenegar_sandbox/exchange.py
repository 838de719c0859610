"""One request of the service on the wire: what can be done with it, well or badly."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from kavenegar_sandbox.envelope import Answer, Call
from kavenegar_sandbox.gateway import Gateway

JSON_TYPE = "application/json"


class Exchange:
    """Process it, answer it, cut it: in any order, which is what faults are made of."""

    def __init__(self, gateway: Gateway, request: web.Request, call: Call) -> None:
        self.gateway, self.request, self.call = gateway, request, call

    def process(self, at_most: int | None = None) -> Answer:
        """What the gateway says to the call; the messages of a send are accepted when this returns.

        `at_most`: of a send, only its first so many.
        """
        return self.gateway.answer(replace(self.call, at_most=at_most))

    def reply(self, answer: Answer) -> web.Response:
        status = answer.http_status(self.gateway.account.knobs)
        return web.Response(body=answer.body(), status=status, content_type=JSON_TYPE, charset="utf-8")

    def cut(self) -> web.Response:
        """Close the connection without a byte. The response is for the server's machinery: nobody gets it."""
        if self.request.transport is not None:
            self.request.transport.abort()
        return web.Response()
