"""What the handlers of the admin API share: the token, reading of bodies and queries, JSON responses, errors."""

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
    """The admin request is wrong. The message says what would be right."""


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Middleware: answer an error of the caller with HTTP 400 and a sentence."""
    try:
        return await handler(request)
    except (BadKnob, BadFault, BadRequest) as why:
        return json_response({"error": str(why)}, status=400)


def require_token(token: str) -> Middleware:
    """Make a middleware that refuses requests without the token with HTTP 401. An empty token admits every request."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("X-Sandbox-Token", "")
        if token and not hmac.compare_digest(given.encode(), token.encode()):
            return json_response({"error": "this sandbox requires its token in the header X-Sandbox-Token"}, status=401)
        return await handler(request)

    return check


def json_response(value: object, status: int = 200) -> web.Response:
    """Return a response with this value as JSON."""
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


async def stream_rows(request: web.Request, rows: Iterable[dict[str, Any]]) -> web.StreamResponse:
    """Stream one line of JSON for each row, in chunks, so that other requests are served in between."""
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    lines = (orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
    while some := b"".join(islice(lines, _LINES_AT_ONCE)):
        await response.write(some)
    return response


async def json_body(request: web.Request) -> Any:
    """Return the body of the request, from JSON. Raises BadRequest."""
    try:
        return orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise BadRequest("the body must be JSON") from None


async def json_object(request: web.Request) -> dict[str, Any]:
    """Return the body of the request, a JSON object. Raises BadRequest."""
    value = await json_body(request)
    if not isinstance(value, dict):
        raise BadRequest("the body must be a JSON object")
    return value


def query_int(request: web.Request, name: str, *, default: int) -> int:
    """Return a non-negative whole number from the query. Raises BadRequest."""
    value = request.query.get(name)
    if value is None:
        return default
    if value.isascii() and value.isdigit():
        return int(value)
    raise BadRequest(f"{name} must be a whole number, not below zero")


def body_number(body: dict[str, Any], name: str) -> float:
    """Return a non-negative number from the body. Raises BadRequest."""
    value = body.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value >= 0:
        return value
    raise BadRequest(f'the body must be {{"{name}": a number, not below zero}}')
