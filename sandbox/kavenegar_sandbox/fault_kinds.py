"""The kinds of faults: for each, whether the call is processed, when, and what the client sees of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import cycle, islice

from aiohttp import web

from kavenegar_sandbox.faults import Fault
from kavenegar_sandbox.protocol import Answer, Row
from kavenegar_sandbox.rng import shuffled
from kavenegar_sandbox.transport import JSON_TYPE, Exchange, http_status

Play = Callable[[Exchange, Fault], Awaitable[web.StreamResponse]]


async def drop(exchange: Exchange, _: Fault) -> web.StreamResponse:
    """Cut before processing: nothing happened."""
    return exchange.cut()


async def accept_then_drop(exchange: Exchange, _: Fault) -> web.StreamResponse:
    """Processed, then cut: the messages go out, and the client does not know."""
    exchange.process()
    return exchange.cut()


async def accept_then_hang(exchange: Exchange, fault: Fault) -> web.StreamResponse:
    """Processed at once, answered after `seconds`."""
    answer = exchange.process()
    await asyncio.sleep(_seconds(fault, 5.0))
    return exchange.reply(answer)


async def late_accept(exchange: Exchange, fault: Fault) -> web.StreamResponse:
    """Processed only after `seconds`, also when the client has long gone: who asks earlier finds nothing."""
    await asyncio.sleep(_seconds(fault, 5.0))
    return exchange.reply(exchange.process())


async def code(exchange: Exchange, fault: Fault) -> web.StreamResponse:
    """A return code in its envelope; nothing is processed."""
    exchange.gateway.account.tally.decided(exchange.call.method, fault.code)
    return exchange.reply(Answer(fault.code))


async def accept_then_code(exchange: Exchange, fault: Fault) -> web.StreamResponse:
    """Processed, and answered with a return code that says the contrary."""
    return _denied(exchange, fault, at_most=None)


async def accept_some_then_code(exchange: Exchange, fault: Fault) -> web.StreamResponse:
    """The same for the first `rows` receptors of a send; the others were not looked at."""
    return _denied(exchange, fault, at_most=fault.rows)


async def http_5xx_html_before(_: Exchange, fault: Fault) -> web.StreamResponse:
    """A proxy's error page, and nothing is processed."""
    return _page(fault.status or 502)


async def http_5xx_html_after(exchange: Exchange, fault: Fault) -> web.StreamResponse:
    """The same page for a call that was processed."""
    exchange.process()
    return _page(fault.status or 502)


async def html_200(exchange: Exchange, fault: Fault) -> web.StreamResponse:
    """A page that says nothing with HTTP 200; `processed` or not."""
    if fault.processed:
        exchange.process()
    return _page(200)


async def waf(_: Exchange, fault: Fault) -> web.StreamResponse:
    """A firewall's bare page; nothing is processed."""
    return _page(fault.status or 403)


async def bad_json(exchange: Exchange, _: Fault) -> web.StreamResponse:
    """Processed; the body breaks off after two thirds."""
    answer = exchange.process()
    body = answer.body()
    status = http_status(answer.code, exchange.gateway.account.knobs)
    return web.Response(body=body[: len(body) * 2 // 3], status=status, content_type=JSON_TYPE)


async def entries_null(exchange: Exchange, _: Fault) -> web.StreamResponse:
    """Processed; the envelope says yes, and holds nothing."""
    return exchange.reply(replace(exchange.process(), entries=None))


async def missing_rows(exchange: Exchange, fault: Fault) -> web.StreamResponse:
    """Processed; the last `rows` rows are not in the answer."""
    return _rearranged(exchange, lambda rows: rows[: max(0, len(rows) - fault.rows)])


async def duplicate_rows(exchange: Exchange, fault: Fault) -> web.StreamResponse:
    """Processed; `rows` rows are in the answer twice."""
    return _rearranged(exchange, lambda rows: rows + list(islice(cycle(rows), fault.rows)))


async def reordered(exchange: Exchange, _: Fault) -> web.StreamResponse:
    """Processed; the rows come in another order."""
    turn = exchange.gateway.account.tally.requests.total()
    return _rearranged(exchange, lambda rows: shuffled(rows, turn))


async def drip(exchange: Exchange, fault: Fault) -> web.StreamResponse:
    """Processed; the body comes a byte at a time, `seconds` apart, so that no read ever times out."""
    whole = exchange.reply(exchange.process())
    body = whole.body
    dripping = web.StreamResponse(status=whole.status, headers={"Content-Type": JSON_TYPE})
    if isinstance(body, bytes):
        dripping.content_length = len(body)
        await dripping.prepare(exchange.request)
        for byte in body:
            await dripping.write(bytes((byte,)))
            await asyncio.sleep(_seconds(fault, 0.2))
    return dripping


async def slow(exchange: Exchange, fault: Fault) -> web.StreamResponse:
    """Everything in order, `seconds` late."""
    return await late_accept(exchange, fault)


def _seconds(fault: Fault, otherwise: float) -> float:
    return otherwise if fault.seconds is None else fault.seconds


def _denied(exchange: Exchange, fault: Fault, *, at_most: int | None) -> web.Response:
    exchange.process(at_most)
    exchange.gateway.account.tally.decided(exchange.call.method, fault.code)
    return exchange.reply(Answer(fault.code))


def _page(status: int) -> web.Response:
    page = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"
    return web.Response(text=page, status=status, content_type="text/html")


def _rearranged(exchange: Exchange, change: Callable[[list[Row]], list[Row]]) -> web.Response:
    answer = exchange.process()
    return exchange.reply(
        replace(answer, entries=change(answer.entries)) if isinstance(answer.entries, list) else answer
    )


KINDS: dict[str, Play] = {
    play.__name__: play
    for play in (
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
