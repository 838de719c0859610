"""The kinds of faults: whether and when each processes the call, and what the client receives."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import cycle, islice

from aiohttp import web

from kavenegar_sandbox.faults import Fault
from kavenegar_sandbox.protocol import Answer, Row
from kavenegar_sandbox.rng import shuffled
from kavenegar_sandbox.transport import JSON_TYPE, HttpCall, http_status

FaultHandler = Callable[[HttpCall, Fault], Awaitable[web.StreamResponse]]


async def drop(http_call: HttpCall, _: Fault) -> web.StreamResponse:
    """Close the connection without processing the call."""
    return http_call.abort()


async def accept_then_drop(http_call: HttpCall, _: Fault) -> web.StreamResponse:
    """Process the call, then close the connection: messages are sent, and the client does not know."""
    http_call.process()
    return http_call.abort()


async def accept_then_hang(http_call: HttpCall, fault: Fault) -> web.StreamResponse:
    """Process the call at once, answer after `seconds`."""
    answer = http_call.process()
    await asyncio.sleep(_seconds(fault, 5.0))
    return http_call.reply(answer)


async def late_accept(http_call: HttpCall, fault: Fault) -> web.StreamResponse:
    """Process the call after `seconds`, even if the client has gone; a client that asks earlier finds no message."""
    await asyncio.sleep(_seconds(fault, 5.0))
    return http_call.reply(http_call.process())


async def code(http_call: HttpCall, fault: Fault) -> web.StreamResponse:
    """Answer with a return code, without processing the call."""
    http_call.gateway.account.counters.count_code(http_call.call.method, fault.code)
    return http_call.reply(Answer(fault.code))


async def accept_then_code(http_call: HttpCall, fault: Fault) -> web.StreamResponse:
    """Process the call, then answer with a return code that denies it."""
    return _process_then_refuse(http_call, fault, at_most=None)


async def accept_some_then_code(http_call: HttpCall, fault: Fault) -> web.StreamResponse:
    """Process the first `rows` receptors of a send, then answer with a return code that denies it."""
    return _process_then_refuse(http_call, fault, at_most=fault.rows)


async def http_5xx_html_before(_: HttpCall, fault: Fault) -> web.StreamResponse:
    """Answer with a proxy's error page, without processing the call."""
    return _html_page(fault.status or 502)


async def http_5xx_html_after(http_call: HttpCall, fault: Fault) -> web.StreamResponse:
    """Process the call, then answer with a proxy's error page."""
    http_call.process()
    return _html_page(fault.status or 502)


async def html_200(http_call: HttpCall, fault: Fault) -> web.StreamResponse:
    """Answer with an HTML page and HTTP 200. `processed` says whether the call is processed."""
    if fault.processed:
        http_call.process()
    return _html_page(200)


async def waf(_: HttpCall, fault: Fault) -> web.StreamResponse:
    """Answer with the page of a web application firewall, without processing the call."""
    return _html_page(fault.status or 403)


async def bad_json(http_call: HttpCall, _: Fault) -> web.StreamResponse:
    """Process the call, then send only two thirds of the body."""
    answer = http_call.process()
    body = answer.body()
    status = http_status(answer.code, http_call.gateway.account.knobs)
    return web.Response(body=body[: len(body) * 2 // 3], status=status, content_type=JSON_TYPE)


async def entries_null(http_call: HttpCall, _: Fault) -> web.StreamResponse:
    """Process the call, then answer with status 200 and `entries: null`."""
    return http_call.reply(replace(http_call.process(), entries=None))


async def missing_rows(http_call: HttpCall, fault: Fault) -> web.StreamResponse:
    """Process the call, then leave the last `rows` rows out of the answer."""
    return _change_rows(http_call, lambda rows: rows[: max(0, len(rows) - fault.rows)])


async def duplicate_rows(http_call: HttpCall, fault: Fault) -> web.StreamResponse:
    """Process the call, then repeat `rows` rows in the answer."""
    return _change_rows(http_call, lambda rows: rows + list(islice(cycle(rows), fault.rows)))


async def reordered(http_call: HttpCall, _: Fault) -> web.StreamResponse:
    """Process the call, then answer with the rows in another order."""
    request_number = http_call.gateway.account.counters.requests.total()
    return _change_rows(http_call, lambda rows: shuffled(rows, request_number))


async def drip(http_call: HttpCall, fault: Fault) -> web.StreamResponse:
    """Process the call, then send the body a byte at a time, `seconds` apart, so that no read times out."""
    whole = http_call.reply(http_call.process())
    body = whole.body
    dripping = web.StreamResponse(status=whole.status, headers={"Content-Type": JSON_TYPE})
    if isinstance(body, bytes):
        dripping.content_length = len(body)
        await dripping.prepare(http_call.request)
        for byte in body:
            await dripping.write(bytes((byte,)))
            await asyncio.sleep(_seconds(fault, 0.2))
    return dripping


async def slow(http_call: HttpCall, fault: Fault) -> web.StreamResponse:
    """Process and answer the call after `seconds`."""
    return await late_accept(http_call, fault)


def _seconds(fault: Fault, default: float) -> float:
    return default if fault.seconds is None else fault.seconds


def _process_then_refuse(http_call: HttpCall, fault: Fault, *, at_most: int | None) -> web.Response:
    http_call.process(at_most)
    http_call.gateway.account.counters.count_code(http_call.call.method, fault.code)
    return http_call.reply(Answer(fault.code))


def _html_page(status: int) -> web.Response:
    page = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"
    return web.Response(text=page, status=status, content_type="text/html")


def _change_rows(http_call: HttpCall, change: Callable[[list[Row]], list[Row]]) -> web.Response:
    answer = http_call.process()
    return http_call.reply(
        replace(answer, entries=change(answer.entries)) if isinstance(answer.entries, list) else answer
    )


KINDS: dict[str, FaultHandler] = {
    handler.__name__: handler
    for handler in (
        accept_some_then_code,
        accept_then_code,
        accept_then_drop,
        accept_then_hang,
        bad_json,
        code,
        drip,
        drop,
        duplicate_rows,
        entries_null,
        html_200,
        http_5xx_html_after,
        http_5xx_html_before,
        late_accept,
        missing_rows,
        reordered,
        slow,
        waf,
    )
}
