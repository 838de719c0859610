"""Calls of every kind, and every way in which the world lets them down."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import pytest

from kavenegar_campaigns.errors import GatewayError
from kavenegar_campaigns.kavenegar.client import AllMethods
from tests.kavenegar.scripted_server import API_KEY, Behaviour, ScriptedServer, envelope, http_answer

NUMBER, TEXT = "09120000001", "متن پنهان"
LINE = "10004346"
TOKEN = "852596"
NOW = 1_760_000_000
AN_HOUR_AGO = NOW - 3600
ROW = {"messageid": 1, "receptor": NUMBER, "sender": LINE, "message": TEXT, "status": 1, "cost": 120}
OK = http_answer(envelope(200, [ROW]))
SECRETS = (API_KEY, NUMBER, TEXT, TOKEN)

Asking = Callable[[AllMethods], Any]

# One call of each method, by the method's path.
SENDING: dict[str, Asking] = {
    "sms/send": lambda c: c.send([NUMBER], TEXT, sender=LINE, localids=[1]),
    "sms/sendarray": lambda c: c.sendarray([NUMBER], [TEXT], [LINE], [1]),
    "verify/lookup": lambda c: c.lookup(NUMBER, "welcome", TOKEN),
    "call/maketts": lambda c: c.maketts([NUMBER], TEXT, localids=[1]),
}
CONSUMING: dict[str, Asking] = {
    "sms/receive": lambda c: c.receive(LINE),
    "sms/inboxpaged": lambda c: c.inboxpaged(LINE, isread=False),
}
READING: dict[str, Asking] = {
    "sms/status": lambda c: c.status([1]),
    "sms/statuslocalmessageid": lambda c: c.statuslocalmessageid([1]),
    "sms/statusbyreceptor": lambda c: c.statusbyreceptor(NUMBER, AN_HOUR_AGO),
    "sms/select": lambda c: c.select([1]),
    "sms/cancel": lambda c: c.cancel([1]),
    "sms/selectoutbox": lambda c: c.selectoutbox(AN_HOUR_AGO),
    "sms/latestoutbox": lambda c: c.latestoutbox(),
    "sms/countoutbox": lambda c: c.countoutbox(AN_HOUR_AGO),
    "sms/countinbox": lambda c: c.countinbox(AN_HOUR_AGO),
    "line/blocked/list": lambda c: c.blocked_list(LINE),
    "line/blocked/add": lambda c: c.blocked_add(LINE, [NUMBER]),
    "line/blocked/exists": lambda c: c.blocked_exists(LINE, [NUMBER]),
    "line/blocked/remove": lambda c: c.blocked_remove(LINE, [NUMBER]),
    "account/info": lambda c: c.account_info(),
    "account/config": lambda c: c.account_config(),
    "utils/getdate": lambda c: c.getdate(),
}
EVERY = SENDING | CONSUMING | READING
SENDS = list(SENDING.values())
READS = [*READING.values(), lambda c: c.receive(LINE, isread=True), lambda c: c.inboxpaged(LINE, isread=True)]

LEFT_WITHOUT_ANSWER: dict[str, Callable[[ScriptedServer], Behaviour]] = {
    "closed without a byte": lambda s: s.raw_then_close(),
    "reset without a byte": lambda s: s.reset(),
    "reset in the headers": lambda s: s.reset(OK[:20]),
    "reset in the body": lambda s: s.reset(OK[:-5]),
    "cut in the body": lambda s: s.raw_then_close(OK[:-5]),
    "hangs": lambda s: s.hang(),
    "hangs in the body": lambda s: s.hang(OK[:-5]),
    "cut in a chunk": lambda s: s.raw_then_close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
    "a broken chunk": lambda s: s.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n"),
    "not HTTP": lambda s: s.raw_then_close(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "two lengths": lambda s: s.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nabcde"),
    "broken gzip": lambda s: s.body(b"no gzip at all", headers="Content-Encoding: gzip\r\n"),
    "an endless header": lambda s: s.raw_then_close(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000),
    "a hundred headers too many": lambda s: s.raw_then_close(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300),
    "announced too large": lambda s: s.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n"),
    "too large": lambda s: s.raw_then_close(b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 4_300_000),
}
NOT_THE_GATEWAY: dict[str, Callable[[ScriptedServer], Behaviour]] = {
    "cut in the headers": lambda s: s.raw_then_close(OK[:20]),
    "HTML of a proxy, 502": lambda s: s.body(b"<html>Bad Gateway</html>", 502),
    "HTML of a firewall, 403": lambda s: s.body(b"<html>Forbidden</html>", 403),
    "a bare 429": lambda s: s.body(b"", 429),
    "a bare 413": lambda s: s.body(b"", 413),
    "a bare 407": lambda s: s.body(b"", 407),
    "a bare 503 that asks to be retried": lambda s: s.body(b"", 503, "Retry-After: 0\r\n"),
    "a redirect": lambda s: s.body(b"", 302, "Location: /elsewhere\r\n"),
    "nothing, with 200": lambda s: s.body(b""),
    "HTML, with 200": lambda s: s.body(b"<html>Welcome</html>"),
    "half of the JSON, with 200": lambda s: s.body(envelope(200, [ROW])[:-9]),
    "JSON of somebody else": lambda s: s.body(b'{"error": "rate limited"}', 429),
}


def ending(call: Asking, client: AllMethods) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        call(client)
    return caught.value


def everything_shown(error: BaseException) -> str:
    """Everything an error shows: printed, in its attributes, and the same of its causes."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None:
        chain.append(link)
        assert not (link.__cause__ is None and link.__context__ is not None and not link.__suppress_context__)
        link = link.__cause__ or link.__context__
    shown = [f"{e!s} {e!r} {e.args!r} {vars(e)!r}" for e in chain]
    return "\n".join([*shown, *traceback.format_exception(error)])
