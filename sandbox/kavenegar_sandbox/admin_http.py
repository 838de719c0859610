"""What the handlers of the side door share: bodies read with care, answers in plain JSON, mistakes in sentences."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from itertools import islice
from math import isfinite
from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from kavenegar_sandbox.faults import BadFault
from kavenegar_sandbox.knob_values import BadKnob

_LINES_AT_ONCE = 2000


class BadRequest(ValueError):
    """The admin request cannot be understood; the message says what would be right."""


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A mistake of the caller's becomes a sentence."""
    try:
        return await handler(request)
    except (BadKnob, BadFault, BadRequest) as why:
        return json_response({"error": str(why)}, status=400)


def require_token(token: str) -> Middleware:
    """A middleware that lets nobody in without the token; with "" as token, everybody."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("X-Sandbox-Token", "")
        if token and not hmac.compare_digest(given.encode(), token.encode()):
            return json_response({"error": "this sandbox wants its token in the header X-Sandbox-Token"}, status=401)
        return await handler(request)

    return check


def json_response(value: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


async def stream_rows(request: web.Request, rows: Iterable[dict[str, Any]]) -> web.StreamResponse:
    """A line of JSON for each row, some at a time, so that others are served in between."""
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    lines = (orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
    while some := b"".join(islice(lines, _LINES_AT_ONCE)):
        await response.write(some)
    return response


async def json_body(request: web.Request) -> Any:
    try:
        return orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise BadRequest("the body is JSON") from None


async def json_object(request: web.Request) -> dict[str, Any]:
    value = await json_body(request)
    if not isinstance(value, dict):
        raise BadRequest("the body is a JSON object")
    return value


def query_int(request: web.Request, name: str, *, default: int) -> int:
    """A whole number from the query."""
    value = request.query.get(name)
    if value is None:
        return default
    if value.isascii() and value.isdigit():
        return int(value)
    raise BadRequest(f"{name} is a whole number, not below zero")


def body_number(body: dict[str, Any], name: str) -> float:
    value = body.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value >= 0:
        return value
    raise BadRequest(f'the body is {{"{name}": a number, not below zero}}')
