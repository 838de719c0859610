"""HTTP for Prometheus: GET /metrics for whoever knows the name and the password, GET /healthz for everybody."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.registry import Collector

from worker.web import server

SLOWEST_CLIENT_S: Final = 10
"""Who has not said all of a call by then is hung up on."""

Headers = list[tuple[str, str]]

ASK_WHO: Final[Headers] = [("WWW-Authenticate", 'Basic realm="metrics", charset="UTF-8"')]


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


def listening(address: str, port: int, app: WSGIApplication) -> Any:
    """A server, bounded as that of the callbacks is, that has its port and waits for `run`. Raises: BadInput."""
    return server.listening(address, port, app, slowest_s=SLOWEST_CLIENT_S, settings="METRICS")
