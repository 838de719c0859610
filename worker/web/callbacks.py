"""Take the gateway's callbacks: parse a request, record it in one short commit, answer it.

The parameters have the names of the gateway's official samples; no documentation says how they are sent. So every way
is understood: GET and POST; a query, a form (urlencoded or multipart) or JSON; one callback or a list of them, as
repeated names or as a list of objects; names in any case. Other parameters are ignored. A caller without the token gets
404 for every path, and does not learn how near the guess was.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import orjson
from sqlalchemy.exc import SQLAlchemyError
from werkzeug import Request, Response
from werkzeug.exceptions import BadRequest, HTTPException

from kavenegar_campaigns.api import work
from kavenegar_campaigns.api.work import InboundCallback, LineNotPulled, StatusCallback
from kavenegar_campaigns.clock import steady
from kavenegar_campaigns.context import Database, Policy
from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules.arguments import MAX_ID
from kavenegar_campaigns.rules.phone import normalise_line
from kavenegar_worker.web.server import MAX_BODY_BYTES, LogLimit, TokenBucket

log = logging.getLogger(__name__)

MAX_CALLBACKS: Final = 500
MAX_NUMBER_CHARACTERS: Final = 64

_ID: Final = re.compile(r"[0-9]{1,19}")
_STATUS: Final = re.compile(r"-?[0-9]{1,9}")

Row = Mapping[str, object]


class CallbackRequest(Request):
    """A request by the gateway, or by anyone who knows the address. Its size is limited."""

    max_content_length = MAX_BODY_BYTES
    max_form_memory_size = MAX_BODY_BYTES
    max_form_parts = MAX_CALLBACKS * 8


def parse_statuses(call: CallbackRequest) -> list[StatusCallback]:
    """Return the rows of a status callback. Raises: BadRequest that names the parameter."""
    return [
        StatusCallback(_parse_id(row["messageid"]), int(_match_integer(_STATUS, row, "status")))
        for row in _parse_rows(call, ("messageid", "status"))
    ]


def parse_received(call: CallbackRequest) -> list[InboundCallback]:
    """Return the rows of a receive callback. Raises: BadRequest that names the parameter."""
    return [
        InboundCallback(
            _parse_id(row["messageid"]), _parse_line(row["to"]), _parse_number(row["from"]), _parse_text(row, "message")
        )
        for row in _parse_rows(call, ("messageid", "from", "to", "message"))
    ]


def _parse_rows(call: CallbackRequest, names: Sequence[str]) -> list[Row]:
    """Return one row for each callback in the request; each row has all of `names`."""
    body = call.get_data() if call.is_json else b""
    rows = list(_json_rows(body) if body else _form_rows(call, names))
    if len(rows) > MAX_CALLBACKS:
        raise BadRequest(f"more than {MAX_CALLBACKS} callbacks in one call")
    for row in rows:
        for name in names:
            if name not in row:
                raise BadRequest(f"{name} is missing")
    return rows


def _json_rows(body: bytes) -> Iterator[Row]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadRequest("the body is no JSON") from None
    for each in document if isinstance(document, list) else [document]:
        if not isinstance(each, dict):
            raise BadRequest("the JSON is neither an object nor a list of objects")
        yield {name.lower(): value for name, value in each.items()}


def _form_rows(call: CallbackRequest, names: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of query and form together. For a name that is in both, the form's values count."""
    fields = {name.lower(): values for source in (call.args, call.form) for name, values in source.lists()}
    columns = [fields.get(name, []) for name in names]
    for name, values in zip(names, columns, strict=True):
        if not values:
            raise BadRequest(f"{name} is missing")
        if len(values) != len(columns[0]):
            raise BadRequest(f"there are not as many of {name} as of {names[0]}")
    for row in zip(*columns, strict=True):
        yield dict(zip(names, row, strict=True))


def _parse_id(value: object) -> int:
    found = int(_match_integer(_ID, {"messageid": value}, "messageid"))
    if not 0 < found <= MAX_ID:
        raise BadRequest("messageid is not an id")
    return found


def _match_integer(pattern: re.Pattern[str], row: Row, name: str) -> str:
    """Return a parameter that has to be a whole number, given as JSON number or as text."""
    value = row[name]
    text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not pattern.fullmatch(text):
        raise BadRequest(f"{name} is not a whole number that it can be")
    return text


def _parse_text(row: Row, name: str) -> str:
    value = row[name]
    if not isinstance(value, str):
        raise BadRequest(f"{name} is not a text")
    return value


def _parse_number(value: object) -> str:
    """Parse the sender of an inbound message: a number in any spelling, or a name."""
    text = str(value).strip() if isinstance(value, (str, int)) else ""
    if not 0 < len(text) <= MAX_NUMBER_CHARACTERS:
        raise BadRequest("from is no number")
    return text


def _parse_line(value: object) -> str:
    try:
        return normalise_line(str(value) if isinstance(value, (str, int)) else "")
    except BadInput:
        raise BadRequest("to is no line") from None


# ── record: one short commit for each request, and a bound on the backlog ──

BACKLOG_COUNT_INTERVAL_S: Final = 10.0


class BacklogFull(Exception):
    """The backlog of callbacks that wait to be processed is at its maximum."""


class Recorder:
    """Records callbacks. `max_backlog` bounds the callbacks that wait; they are counted every ten seconds."""

    def __init__(self, database: Database, clock: Callable[[], datetime], policy: Policy, *, max_backlog: int) -> None:
        self._database = database
        self._clock = clock
        self._policy = policy
        self._max_backlog = max_backlog
        self._full = False
        self._counted_at = float("-inf")

    def record_statuses(self, rows: Sequence[StatusCallback]) -> None:
        """Record status callbacks. Raises: BacklogFull; sqlalchemy's errors when the database is away."""
        if self._is_full():
            raise BacklogFull
        work.record_statuses(self._database, rows, now=self._clock())

    def record_received(self, rows: Sequence[InboundCallback]) -> None:
        """Record receive callbacks. Raises: LineNotPulled; sqlalchemy's errors when the database is away."""
        work.record_inbound(self._database, rows, self._policy, now=self._clock())

    def _is_full(self) -> bool:
        """Return whether the backlog is full. It is counted every ten seconds: a count costs more than a record."""
        if steady() >= self._counted_at + BACKLOG_COUNT_INTERVAL_S:
            self._full = work.count_pending_callbacks(self._database, most=self._max_backlog) >= self._max_backlog
            self._counted_at = steady()
        return self._full


# ── answer ──

RETRY_AFTER_S: Final = 120
"""Seconds. The gateway calls again after two minutes, up to thirty times; other callers read it in Retry-After."""
NOT_RECORDED: Final[Mapping[type[Exception], str]] = {
    BacklogFull: "more than CALLBACK_BACKLOG_MAX wait",
    LineNotPulled: "a message on a line that is not pulled",
}

Handler = Callable[[CallbackRequest], None]


def callbacks_application(
    recorder: Recorder, token: str, token_bucket: TokenBucket, metrics: WSGIApplication | None = None
) -> WSGIApplication:
    """Return the application: /callbacks/TOKEN/status and /callbacks/TOKEN/receive, and /healthz without a token.

    `metrics`, where given, serves /metrics.
    """
    endpoints = _CallbackEndpoints(recorder, token_bucket)
    handlers: dict[str, Handler] = {"status": endpoints.status, "receive": endpoints.receive}
    digest = _digest(token)

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        handler = _find_handler(path, handlers, digest)
        if handler is not None:
            call = CallbackRequest(environ)
            with call:  # closes uploaded files
                response = endpoints.handle(call, handler)
        elif metrics is not None and path == "/metrics":
            return metrics(environ, start)
        else:
            response = respond(HTTPStatus.OK if path == "/healthz" else HTTPStatus.NOT_FOUND)
        return response(environ, start)

    return answer


def _find_handler(path: str, handlers: Mapping[str, Handler], digest: bytes) -> Handler | None:
    """Return the handler of a path, or None. The comparison with the token takes equally long for every path."""
    root, name, token, kind = (path.split("/", 4) + [""] * 4)[:4]
    handler = handlers.get(kind) if (root, name) == ("", "callbacks") and path.count("/") == 3 else None
    return handler if hmac.compare_digest(_digest(token), digest) else None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


class _CallbackEndpoints:
    """The endpoints behind the token."""

    def __init__(self, recorder: Recorder, token_bucket: TokenBucket) -> None:
        self._recorder = recorder
        self._token_bucket = token_bucket
        self._not_understood = LogLimit(log, "malformed callbacks rejected")
        self._not_recorded = LogLimit(log, "callbacks deferred")

    def status(self, call: CallbackRequest) -> None:
        rows = parse_statuses(call)
        self._token_bucket.charge(len(rows) - 1)
        self._recorder.record_statuses(rows)

    def receive(self, call: CallbackRequest) -> None:
        rows = parse_received(call)
        self._token_bucket.charge(len(rows) - 1)
        self._recorder.record_received(rows)

    def handle(self, call: CallbackRequest, handler: Handler) -> Response:
        """Record the request and return 200; otherwise return the reason, and whether to call again."""
        if call.method not in {"GET", "POST"}:
            return respond(HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET, POST"})
        if not self._token_bucket.take():
            return self._retry_later(HTTPStatus.TOO_MANY_REQUESTS, "more than CALLBACK_RATE")
        try:
            handler(call)
        except HTTPException as why:
            self._not_understood(str(why.description))
            return respond(HTTPStatus(why.code or HTTPStatus.BAD_REQUEST), says=why.description)
        except (BacklogFull, LineNotPulled, SQLAlchemyError) as why:
            return self._retry_later(HTTPStatus.SERVICE_UNAVAILABLE, NOT_RECORDED.get(type(why), type(why).__name__))
        return respond(HTTPStatus.OK)

    def _retry_later(self, status: HTTPStatus, why: str) -> Response:
        self._not_recorded(why)
        return respond(status, {"Retry-After": str(RETRY_AFTER_S)})


def respond(status: HTTPStatus, headers: Mapping[str, str] | None = None, *, says: str | None = None) -> Response:
    """Return a response of one line: `says`, or the status in words."""
    return Response(f"{says or status.phrase}\n", status, headers, content_type="text/plain; charset=utf-8")
