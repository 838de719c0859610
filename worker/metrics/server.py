"""HTTP for Prometheus: GET /metrics for whoever knows the name and the password, GET /healthz for everybody."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.registry import Collector

from campaigns.errors import BadInput

SLOWEST_CLIENT_S: Final = 10
"""Who says nothing for so long is hung up on."""

Headers = list[tuple[str, str]]

ASK_WHO: Final[Headers] = [("WWW-Authenticate", 'Basic realm="metrics", charset="UTF-8"')]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = SLOWEST_CLIENT_S

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Nothing: what strangers ask for is nobody's business."""


def application(collector: Collector, name_and_password: str) -> WSGIApplication:
    """What answers: /metrics to whoever sends `name_and_password`, /healthz to say that it does."""
    registry = CollectorRegistry()
    registry.register(collector)
    expose: WSGIApplication = make_wsgi_app(registry)

    def answer(request: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = request.get("PATH_INFO")
        if path not in {"/metrics", "/healthz"}:
            return _say(HTTPStatus.NOT_FOUND, start)
        if request["REQUEST_METHOD"] != "GET":
            return _say(HTTPStatus.METHOD_NOT_ALLOWED, start, [("Allow", "GET")])
        if path == "/healthz":
            return _say(HTTPStatus.OK, start)
        if not _knows(request.get("HTTP_AUTHORIZATION", ""), name_and_password):
            return _say(HTTPStatus.UNAUTHORIZED, start, ASK_WHO)
        return expose(request, start)

    return answer


def _knows(authorization: str, name_and_password: str) -> bool:
    """Whether a client sent them; how long the answer takes does not tell how much of it was right."""
    scheme, _, sent = authorization.partition(" ")
    right = base64.b64encode(name_and_password.encode())
    return hmac.compare_digest(sent.strip().encode("latin-1"), right) and scheme.lower() == "basic"


def _say(status: HTTPStatus, start: StartResponse, headers: Iterable[tuple[str, str]] = ()) -> list[bytes]:
    body = f"{status.phrase}\n".encode()
    told = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    start(f"{status.value} {status.phrase}", [*told, *headers])
    return [body]


def listening(address: str, port: int, app: WSGIApplication) -> WSGIServer:
    """A server, a thread a request, that has its port and waits for `serve_forever`. Raises: BadInput."""
    try:
        return make_server(address, port, app, server_class=_Server, handler_class=_Handler)
    except OSError as why:
        raise BadInput(f"METRICS_ADDRESS, METRICS_PORT: {address}:{port} cannot be had: {why.strerror}") from why
