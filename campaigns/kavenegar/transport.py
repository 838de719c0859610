"""One request with a total deadline. It ends in bytes, or in a fault that says whether the request left this machine.

It uses requests' adapter and pool without its session: a session would follow redirects (a second, unplanned request),
keep cookies, and read passwords from ~/.netrc. It uses the machine's configured proxies and certificate bundle.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3.exceptions as urllib3
from requests.adapters import HTTPAdapter

from kavenegar_campaigns import forks
from kavenegar_campaigns.clock import steady
from kavenegar_campaigns.kavenegar import connection
from kavenegar_campaigns.kavenegar.connection import MAX_IDLE_S, Exchange, Resolver, Sealed
from kavenegar_campaigns.kavenegar.refusal import check_calls_allowed

# ── the errors of the HTTP libraries under names of ours, which hold no URL and so no API key ──


class FaultKind(Enum):
    """How far a call without an answer got."""

    NOT_SENT = "nothing left this machine"
    LOST = "the request left and no complete answer came"
    UNUSABLE = "the answer that came is not the gateway's"


class Fault(Exception):
    """Why a call brought no answer, in our words: the texts of the libraries hold the URL, and with it the API key."""

    def __init__(self, what: str, kind: FaultKind) -> None:
        super().__init__(what)
        self.kind = kind


class AnswerTooLarge(Exception):
    """An answer is larger than the largest answer of any method."""


# Our name for each error of the libraries. The first row that fits decides, so narrow classes stand before wide ones.
FAULT_NAMES: tuple[tuple[type[BaseException], str], ...] = (
    (AnswerTooLarge, "the answer is larger than any answer of the gateway"),
    (urllib3.NameResolutionError, "the gateway's name cannot be resolved"),
    (urllib3.ProxyError, "the proxy failed"),
    (urllib3.SSLError, "TLS failed"),
    (urllib3.NewConnectionError, "no connection to the gateway"),
    (urllib3.ConnectTimeoutError, "no connection to the gateway in time"),
    (urllib3.ReadTimeoutError, "no complete answer in time"),
    (urllib3.TimeoutError, "not done in time"),
    (urllib3.IncompleteRead, "the answer was cut off"),
    (urllib3.InvalidChunkLength, "the answer was cut off"),
    (urllib3.ProtocolError, "the connection was lost"),
    (urllib3.DecodeError, "the answer's compression is broken"),
    (urllib3.InvalidHeader, "the answer's headers contradict themselves"),
    (urllib3.LocationValueError, "the base URL is not a URL"),
    (urllib3.ProxySchemeUnsupported, "no transport for this kind of proxy"),
    (urllib3.PoolError, "the connection pool is closed"),
    (requests.exceptions.ProxyError, "the proxy failed"),
    (requests.exceptions.SSLError, "TLS failed"),
    (requests.exceptions.ConnectTimeout, "no connection to the gateway in time"),
    (requests.exceptions.Timeout, "no complete answer in time"),
    (requests.exceptions.ChunkedEncodingError, "the answer was cut off"),
    (requests.exceptions.ContentDecodingError, "the answer's compression is broken"),
    (requests.exceptions.InvalidHeader, "the answer's headers contradict themselves"),
    (requests.exceptions.ConnectionError, "the connection was lost"),
    (requests.exceptions.InvalidProxyURL, "the proxy's URL is not a URL"),
    (requests.exceptions.InvalidSchema, "no transport for this kind of URL or proxy"),
    (requests.exceptions.RequestException, "the request could not be made"),
    (urllib3.HTTPError, "the exchange failed"),
    (http.client.HTTPException, "the answer is not HTTP"),
    (TimeoutError, "no complete answer in time"),
    (OSError, "the network or the certificate bundle failed"),
)
LIBRARY_ERRORS = (
    AnswerTooLarge,
    requests.exceptions.RequestException,
    urllib3.HTTPError,
    urllib3.ProxySchemeUnsupported,
    http.client.HTTPException,
    OSError,
)


def fault_name(exc: BaseException) -> str:
    """Return our name for an error of the libraries, which follows from its root cause."""
    inner = root_cause(exc)
    return next(words for kind, words in FAULT_NAMES if isinstance(inner, kind))


def root_cause(exc: BaseException) -> BaseException:
    """Return the innermost error: requests wraps urllib3's errors, and urllib3 wraps them when it counts retries."""
    wrapped = exc.reason if isinstance(exc, urllib3.MaxRetryError) else next(iter(exc.args), None)
    return root_cause(wrapped) if isinstance(wrapped, urllib3.HTTPError) else exc


InTime = connection.InTime

# The largest answer, 500 rows of sms/select with 900 Persian letters written as \\u escapes, is 3 MB.
MAX_ANSWER_BYTES = 4 * 1024 * 1024
_CHUNK = 65_536
_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Connection": "keep-alive",
    "Content-Type": "application/x-www-form-urlencoded",
    "User-Agent": "kavenegar-campaigns",
}
_HEADERS_WITHOUT_BODY = {name: value for name, value in _HEADERS.items() if name != "Content-Type"}
_POOLS = {"http": connection.DeadlineHTTPPool, "https": connection.DeadlineHTTPSPool}


@dataclass(frozen=True, slots=True)
class Reply:
    http_status: int
    body: bytes = field(repr=False)


class _Adapter(HTTPAdapter):
    """requests' adapter on our connections. It makes no retries: urllib3 would repeat a send on 413, 429 and 503."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


@dataclass(frozen=True, slots=True)
class Template:
    """A request that lacks only its form: `shown` to the libraries, with its true `target`, which holds the key."""

    shown: requests.PreparedRequest
    target: bytes = field(repr=False)

    def sealed(self, form: bytes) -> Sealed:
        """Return the request with a form: a POST carries it as its body, a DELETE as its query."""
        path = self.shown.path_url.encode()
        if self.shown.method == "POST":
            return Sealed(path, self.target, form)
        return Sealed(path, self.target + b"?" + form, b"")


class Transport:
    """Keep-alive connections to one gateway, shared by all threads of a process; a forked child has its own.

    Args:
        base_url: scheme and host, with no path after it.
        deadline_s: seconds for a whole call, from the name's lookup to the last byte of the answer.
        connect_timeout_s: seconds of `deadline_s` for name, connection and TLS together.
        pool_size: connections kept; a further call at the same time opens its own connection.
        max_idle_s: a connection that was idle longer, in seconds, is not used again.
        resolver: getaddrinfo, or a substitute.
    """

    def __init__(
        self,
        base_url: str,
        *,
        deadline_s: float,
        connect_timeout_s: float,
        pool_size: int,
        max_idle_s: float = MAX_IDLE_S,
        resolver: Resolver = socket.getaddrinfo,
    ) -> None:
        self._deadline_s = deadline_s
        self._connect_timeout_s = connect_timeout_s
        self._longest_idle_s = max_idle_s
        self._resolver = resolver
        self._pool_size = pool_size
        self._connect_anew()
        forks.renew_in_child(self, Transport._connect_anew)
        with requests.Session() as session:
            surroundings = session.merge_environment_settings(base_url, {}, True, None, None)
        self._proxies = surroundings["proxies"]
        self._verify = surroundings["verify"] or True

    def _connect_anew(self) -> None:
        self._adapter = _Adapter(pool_connections=1, pool_maxsize=self._pool_size)

    def request(self, template: Template, form: bytes, in_time: InTime | None = None) -> Reply:
        """Send `form` as `template` says: a POST carries it as its body, a DELETE as its query.

        `in_time` is called when the deadline runs, so that a process that stands still after it finds the deadline
        over, and again when the connection is made, right before the first byte leaves. `connection` describes the gap
        that remains between that check and the write.

        Raises:
            Postpone: it is too late to leave, as `in_time` or the deadline says. No byte left.
            Fault: no complete answer came, or one of more than 4 MB. It names the kind, never the URL.
            BadInput: this process runs tests, see `refusal`.
        """
        check_calls_allowed()
        sealed = template.sealed(form)
        exchange = Exchange(sealed, steady() + self._deadline_s, self._resolver, self._longest_idle_s, in_time)
        token = connection.current_exchange.set(exchange)
        try:
            exchange.check()
            return self._exchange(_announcing(template.shown, len(sealed.body)))
        except LIBRARY_ERRORS as exc:
            what = fault_name(exc)
        finally:
            connection.current_exchange.reset(token)
        # Raised outside of the handler, so that no chain leads to an exception whose text holds the key.
        raise Fault(what, FaultKind.LOST if exchange.request_left else FaultKind.NOT_SENT)

    def _exchange(self, request: requests.PreparedRequest) -> Reply:
        response = self._adapter.send(
            request,
            stream=True,
            timeout=(self._connect_timeout_s, self._deadline_s),
            verify=self._verify,
            proxies=self._proxies,
        )
        with contextlib.closing(response):
            return Reply(response.status_code, _read_body(response))

    def close(self) -> None:
        self._adapter.close()


_KEY_IN_PATH = re.compile(r"/v1/[^/]+/")


def prepare_request(url: str, verb: str = "POST") -> Template:
    """Return a request that lacks only its form, so that the URL is parsed once for each method.

    Raises:
        ValueError: not a URL.
    """
    true = requests.Request(verb, url, headers=_HEADERS if verb == "POST" else _HEADERS_WITHOUT_BODY).prepare()
    return seal(true, _KEY_IN_PATH.sub("/v1/***/", true.path_url, count=1))


def seal(true: requests.PreparedRequest, shown_path: str) -> Template:
    """Return a request whose libraries see `shown_path` in the place of its path and query, and no password."""
    shown, parts = true.copy(), urlsplit(str(true.url))
    shown.url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{shown_path}"
    return Template(shown, true.path_url.encode())


def _announcing(shown: requests.PreparedRequest, length: int) -> requests.PreparedRequest:
    request = shown.copy()
    if request.method == "POST":
        request.headers["Content-Length"] = str(length)
    return request


def _read_body(response: requests.Response) -> bytes:
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > MAX_ANSWER_BYTES:
        raise AnswerTooLarge
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise AnswerTooLarge
    return bytes(body)
