"""Who is answered what. Whoever does not know the token finds nothing here, and does not learn how near they were."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from sqlalchemy.exc import SQLAlchemyError
from werkzeug import Response
from werkzeug.exceptions import HTTPException

from campaigns.heed import LineNotPulled
from worker.web import reading
from worker.web.allowance import Allowance
from worker.web.desk import Desk, DeskIsFull
from worker.web.reading import Call
from worker.web.seldom import Seldom

log = logging.getLogger(__name__)

AGAIN_S: Final = 120
"""The gateway calls again two minutes later, thirty times; others are told so."""
NOT_TAKEN: Final[Mapping[type[Exception], str]] = {
    DeskIsFull: "more than CALLBACK_BACKLOG_MAX wait",
    LineNotPulled: "a message on a line that is not pulled",
}

Taken = Callable[[Call], None]


def application(
    desk: Desk, token: str, allowance: Allowance, metrics: WSGIApplication | None = None
) -> WSGIApplication:
    """/callbacks/TOKEN/status and /callbacks/TOKEN/receive for the gateway, /healthz for everybody.

    `metrics` answers /metrics, where it is given.
    """
    front = _Front(desk, allowance)
    kinds: dict[str, Taken] = {"status": front.status, "receive": front.receive}
    digest = _digest(token)

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        taken = _found(path, kinds, digest)
        if taken is not None:
            call = Call(environ)
            with call:  # files that were sent along are let go of
                response = front.called(call, taken)
        elif metrics is not None and path == "/metrics":
            return metrics(environ, start)
        else:
            response = say(HTTPStatus.OK if path == "/healthz" else HTTPStatus.NOT_FOUND)
        return response(environ, start)

    return answer


def _found(path: str, kinds: Mapping[str, Taken], digest: bytes) -> Taken | None:
    """What a path leads to. Every path is held against the token, and takes as long as every other."""
    root, name, token, kind = (path.split("/", 4) + [""] * 4)[:4]
    taken = kinds.get(kind) if (root, name) == ("", "callbacks") and path.count("/") == 3 else None
    return taken if hmac.compare_digest(_digest(token), digest) else None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


class _Front:
    """The answers to whoever knows the token."""

    def __init__(self, desk: Desk, allowance: Allowance) -> None:
        self._desk = desk
        self._allowance = allowance
        self._not_understood = Seldom(log, "malformed callbacks rejected")
        self._not_taken = Seldom(log, "callbacks deferred")

    def status(self, call: Call) -> None:
        told = reading.statuses(call)
        self._allowance.charge(len(told) - 1)
        self._desk.statuses(told)

    def receive(self, call: Call) -> None:
        told = reading.received(call)
        self._allowance.charge(len(told) - 1)
        self._desk.received(told)

    def called(self, call: Call, taken: Taken) -> Response:
        """200 once it is written down; otherwise why not, and whether to come again."""
        if call.method not in {"GET", "POST"}:
            return say(HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET, POST"})
        if not self._allowance.take():
            return self._come_again(HTTPStatus.TOO_MANY_REQUESTS, "more than CALLBACK_RATE")
        try:
            taken(call)
        except HTTPException as why:
            self._not_understood(str(why.description))
            return say(HTTPStatus(why.code or HTTPStatus.BAD_REQUEST), says=why.description)
        except (DeskIsFull, LineNotPulled, SQLAlchemyError) as why:
            return self._come_again(HTTPStatus.SERVICE_UNAVAILABLE, NOT_TAKEN.get(type(why), type(why).__name__))
        return say(HTTPStatus.OK)

    def _come_again(self, status: HTTPStatus, why: str) -> Response:
        self._not_taken(why)
        return say(status, {"Retry-After": str(AGAIN_S)})


def say(status: HTTPStatus, headers: Mapping[str, str] | None = None, *, says: str | None = None) -> Response:
    """An answer of one line: `says`, or the status in words."""
    return Response(f"{says or status.phrase}\n", status, headers, content_type="text/plain; charset=utf-8")
