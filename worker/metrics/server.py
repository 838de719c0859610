"""HTTP for Prometheus: GET /metrics for whoever knows the name and the password, GET /healthz for everybody.

`campaigns metrics` serves it by itself; `campaigns web` serves its /metrics beside the callbacks.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.registry import Collector
from werkzeug import Request

from worker.web import server
from worker.web.answering import say

SLOWEST_CLIENT_S: Final = 10
"""Who has not said all of a call by then is hung up on."""

ASK_WHO: Final[Mapping[str, str]] = {"WWW-Authenticate": 'Basic realm="metrics", charset="UTF-8"'}


def application(collector: Collector, name_and_password: str) -> WSGIApplication:
    """What answers: /metrics to whoever sends `name_and_password`, /healthz to say that it does."""
    registry = CollectorRegistry()
    registry.register(collector)
    expose: WSGIApplication = make_wsgi_app(registry)
    right = base64.b64encode(name_and_password.encode())

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        return _chosen(Request(environ), expose, right)(environ, start)

    return answer


def _chosen(request: Request, expose: WSGIApplication, right: bytes) -> WSGIApplication:
    if request.path not in {"/metrics", "/healthz"}:
        return say(HTTPStatus.NOT_FOUND)
    if request.method != "GET":
        return say(HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET"})
    if request.path == "/healthz":
        return say(HTTPStatus.OK)
    return expose if _knows(request, right) else say(HTTPStatus.UNAUTHORIZED, ASK_WHO)


def _knows(request: Request, right: bytes) -> bool:
    """Whether a client sent them; how long the answer takes does not tell how much of it was right."""
    # Not werkzeug's `authorization`, which lets a ValueError out where the header holds more than ASCII.
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    return hmac.compare_digest(sent.strip().encode("latin-1"), right) and scheme.lower() == "basic"


def listening(address: str, port: int, app: WSGIApplication) -> Any:
    """A server, bounded as that of the callbacks is, that has its port and waits for `run`. Raises: BadInput."""
    return server.listening(address, port, app, slowest_s=SLOWEST_CLIENT_S, settings="METRICS")
