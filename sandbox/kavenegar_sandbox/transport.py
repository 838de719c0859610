"""From an HTTP request to a call: the path, and parameters from wherever they stand.

Clients put parameters into the query, the form, or both, in any letter case, and repeat a name for a list; the
path may end with a slash, and the request line may hold a whole URL. Source: the spec, and what its SDKs send.

One request of the service on the wire: what can be done with it, well or badly.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from dataclasses import replace

from aiohttp import web

from kavenegar_sandbox.gateway import Gateway
from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.methods import spec_name
from kavenegar_sandbox.protocol import Answer, Call

LARGEST_BODY = 8 << 20  # bytes; a request of 200 texts is about 95,000


async def read_call(request: web.Request) -> Call:
    """Raises web.HTTPRequestEntityTooLarge beyond LARGEST_BODY, as an intermediary would."""
    key, method = _address(request.rel_url.raw_path)
    form = [] if request.method == "DELETE" else await _form(request)  # the spec: its query, and nothing else
    pairs = [*_pairs(request.rel_url.raw_query_string.encode()), *form]
    return Call(
        method=spec_name(method),
        verb=request.method,
        key=key,
        params=_merge(pairs),
        address=request.remote or "unknown",
    )


def _address(path: str) -> tuple[str, str]:
    """(key, scope/method) of /v1/KEY/SCOPE/METHOD.json; the method is "" where the path is no such address."""
    version, _, rest = path.strip("/").partition("/")
    key, _, method = rest.partition("/")
    name, dot, suffix = method.rpartition(".")
    return (key, name.lower()) if version == "v1" and dot and suffix.lower() == "json" else (key, "")


async def _form(request: web.Request) -> list[tuple[str, str]]:
    if request.content_type.startswith("multipart/"):
        return [(name, value) for name, value in (await request.post()).items() if isinstance(value, str)]
    return list(_pairs(await request.read()))


def _pairs(encoded: bytes) -> Iterator[tuple[str, str]]:
    """The pairs of a query or a form in their order."""
    for pair in encoded.split(b"&"):
        name, _, value = pair.partition(b"=")
        if name:
            yield _decode(name), _decode(value)


def _decode(value: bytes) -> str:
    """Percent-encoding is quoted-printable with another escape character, and that decoder is written in C:

    a form of 200 Persian texts takes 0.3 ms instead of the 4 ms of urllib.parse.
    """
    quoted = value.replace(b"=", b"%3D").replace(b"+", b" ").replace(b"%", b"=")
    return binascii.a2b_qp(quoted).decode("utf-8", "replace")


def _merge(pairs: list[tuple[str, str]]) -> dict[str, str]:
    params: dict[str, str] = {}
    for name, value in pairs:
        known = params.get(name.lower())
        params[name.lower()] = value if known is None else f"{known},{value}"
    return params


JSON_TYPE = "application/json"


class HttpCall:
    """Process it, answer it, cut it: in any order, which is what faults are made of."""

    def __init__(self, gateway: Gateway, request: web.Request, call: Call) -> None:
        self.gateway, self.request, self.call = gateway, request, call

    def process(self, at_most: int | None = None) -> Answer:
        """What the gateway says to the call; the messages of a send are accepted when this returns.

        `at_most`: of a send, only its first so many.
        """
        return self.gateway.answer(replace(self.call, at_most=at_most))

    def reply(self, answer: Answer) -> web.Response:
        status = http_status(answer.code, self.gateway.account.knobs)
        return web.Response(body=answer.body(), status=status, content_type=JSON_TYPE, charset="utf-8")

    def abort(self) -> web.Response:
        """Close the connection without a byte. The response is for the server's machinery: nobody gets it."""
        if self.request.transport is not None:
            self.request.transport.abort()
        return web.Response()


def http_status(code: int, knobs: Knobs) -> int:
    """The code itself, unless a knob says otherwise; no HTTP stack agrees on 600 and more."""
    if knobs.always_200:
        return 200
    return 400 if code >= 600 and knobs.cap_ge_600 else code
