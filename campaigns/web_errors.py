"""Errors as answers over HTTP: a status for every class, a body of `application/problem+json`, a handler a framework.

Django    MIDDLEWARE = [..., "kavenegar_campaigns.web_errors.DjangoMiddleware"]
Flask     app.register_error_handler(CampaignsError, web_errors.flask_handler)
FastAPI   app.add_exception_handler(CampaignsError, web_errors.starlette_handler)   # and any other Starlette

The error leaves the view, so that the view's transaction is rolled back, and then it is answered. No framework is
imported before a handler of its own is called. Source: RFC 9457.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from math import ceil
from typing import Any, Final, NamedTuple

from kavenegar_campaigns.errors import (
    BadInput,
    CampaignsError,
    DatabaseFailed,
    GatewayError,
    IllegalMove,
    KeyConflict,
    NotFound,
    NotReady,
    OutcomeUnknown,
    Postpone,
    Refused,
)

MEDIA_TYPE: Final = "application/problem+json"

STATUS: Final[Mapping[type[CampaignsError], HTTPStatus]] = {
    BadInput: HTTPStatus.BAD_REQUEST,
    NotFound: HTTPStatus.NOT_FOUND,
    KeyConflict: HTTPStatus.CONFLICT,
    IllegalMove: HTTPStatus.CONFLICT,
    NotReady: HTTPStatus.SERVICE_UNAVAILABLE,
    DatabaseFailed: HTTPStatus.SERVICE_UNAVAILABLE,
    Postpone: HTTPStatus.SERVICE_UNAVAILABLE,  # with Retry-After
    OutcomeUnknown: HTTPStatus.ACCEPTED,  # it left, and is followed: a client that repeats it would send it twice
    Refused: HTTPStatus.BAD_GATEWAY,
    GatewayError: HTTPStatus.BAD_GATEWAY,
    CampaignsError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The status of each class; a class that is not here has the status of the nearest class above it."""

_TYPE: Final = "urn:kavenegar-campaigns:"
_WORDS: Final = re.compile("(?<=[a-z])(?=[A-Z])")


def status_of(error: CampaignsError | type[CampaignsError]) -> HTTPStatus:
    """Return the HTTP status of an error, or of a class of errors."""
    kind = error if isinstance(error, type) else type(error)
    return next(STATUS[each] for each in kind.__mro__ if each in STATUS)


class Problem(NamedTuple):
    """An answer over HTTP: its status, its headers, and its body in UTF-8."""

    status: int
    headers: dict[str, str]
    body: bytes


def problem(error: CampaignsError) -> Problem:
    """Return the answer for an error.

    The body has `type` ("urn:kavenegar-campaigns:key-conflict": the class, for a program), `title` (the class in
    words), `status`, `detail` (the sentence of the error, which holds no key, text or full number), and `row` and
    `code` where the error has them. A `Retry-After` is there where the error knows when. Half of a character, which a
    sentence may quote out of a request in JSON, becomes a question mark.
    """
    status = status_of(error)
    words = _WORDS.split(type(error).__name__)
    found: dict[str, object] = {
        "type": _TYPE + "-".join(words).lower(),
        "title": " ".join(words).capitalize(),
        "status": status.value,
        "detail": str(error),
    }
    also = {name: getattr(error, name, None) for name in ("row", "code")}
    found |= {name: value for name, value in also.items() if value is not None}
    headers = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"}
    wait_s = getattr(error, "retry_after_s", 1 if getattr(error, "retryable", False) else None)
    if wait_s is not None:
        headers["Retry-After"] = str(max(1, ceil(wait_s)))
    return Problem(status.value, headers, json.dumps(found, ensure_ascii=False).encode(errors="replace"))


# ── the handlers ──


class DjangoMiddleware:
    """Middleware for Django, under WSGI and ASGI: answers errors of this package that leave a view.

    With ATOMIC_REQUESTS, or a `transaction.atomic` in the view, the transaction was rolled back before.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        from asgiref.sync import iscoroutinefunction, markcoroutinefunction  # noqa: PLC0415 - Django needs it, too

        self._get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        """Pass the request on; under ASGI, return what is to be awaited."""
        return self._get_response(request)

    def process_exception(self, _request: object, error: Exception) -> Any:
        """Return the answer for an error of this package; None, which leaves it to others, for any other error."""
        if not isinstance(error, CampaignsError):
            return None
        from django.http import HttpResponse  # noqa: PLC0415 - only where Django calls

        status, headers, body = problem(error)
        return HttpResponse(body, status=status, headers=headers)


def flask_handler(error: CampaignsError) -> tuple[bytes, int, dict[str, str]]:
    """Answer an error in Flask, for `register_error_handler`."""
    status, headers, body = problem(error)
    return body, status, headers


def starlette_handler(_request: object, error: Exception) -> Any:
    """Answer an error in FastAPI, or in another app of Starlette, for `add_exception_handler`."""
    from starlette.responses import Response  # noqa: PLC0415 - only where Starlette calls

    if not isinstance(error, CampaignsError):
        raise error
    status, headers, body = problem(error)
    return Response(body, status_code=status, headers=headers)
