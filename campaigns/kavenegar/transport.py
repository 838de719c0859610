"""One request with a total deadline. It ends in bytes, or in a fault that says whether anything left us.

It stands on requests' adapter and pool, not on its session: a session would follow redirects (a second, unplanned
request), keep cookies, and read passwords from ~/.netrc. Proxies and the certificate bundle that the machine is set up
with are honoured.
"""

from __future__ import annotations

import contextlib
import logging
import re
import socket
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from campaigns.clock import steady
from campaigns.kavenegar import connection, faults
from campaigns.kavenegar.connection import LONGEST_IDLE_S, Exchange, Lookup

InTime = connection.InTime

# The largest answer, 500 rows of sms/select with 900 Persian letters written as \\u escapes, is 3 MB.
LARGEST_ANSWER = 4 * 1024 * 1024
_CHUNK = 65_536
_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Connection": "keep-alive",
    "Content-Type": "application/x-www-form-urlencoded",
    "User-Agent": "kavenegar-campaigns",
}
_BODILESS = {name: value for name, value in _HEADERS.items() if name != "Content-Type"}
_POOLS = {"http": connection.ClockedHTTPPool, "https": connection.ClockedHTTPSPool}


@dataclass(frozen=True, slots=True)
class Reply:
    http_status: int
    body: bytes


class _Adapter(HTTPAdapter):
    """requests' adapter on our connections. It retries nothing: urllib3 would repeat a send on 413, 429 and 503."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class _DiscreetLog(logging.Filter):
    """urllib3 logs the target of a request: our key is a part of its path, and people's numbers of its query."""

    _KEY = re.compile(r"/v1/[^/\s]+/")
    _QUERY = re.compile(r"\?[^\s\"']+")

    def filter(self, record: logging.LogRecord) -> bool:
        keyless = self._KEY.sub("/v1/***/", record.getMessage())
        record.msg, record.args = self._QUERY.sub("?***", keyless), ()
        return True


_DISCREET_LOG = _DiscreetLog()


class Transport:
    """Keep-alive connections to one gateway, shared by all threads of a process.

    Args:
        base_url: scheme and host, with no path after it.
        deadline_s: seconds for a whole call, from the name's lookup to the last byte of the answer.
        connect_timeout_s: seconds of these for name, connection and TLS together.
        pool_size: connections kept; a call beyond them opens one of its own.
        longest_idle_s: a connection that rested longer is not used again.
        lookup: getaddrinfo, or what stands in for it.
    """

    def __init__(
        self,
        base_url: str,
        *,
        deadline_s: float,
        connect_timeout_s: float,
        pool_size: int,
        longest_idle_s: float = LONGEST_IDLE_S,
        lookup: Lookup = socket.getaddrinfo,
    ) -> None:
        self._deadline_s = deadline_s
        self._connect_timeout_s = connect_timeout_s
        self._longest_idle_s = longest_idle_s
        self._lookup = lookup
        self._adapter = _Adapter(pool_connections=1, pool_maxsize=pool_size)
        with requests.Session() as session:
            surroundings = session.merge_environment_settings(base_url, {}, True, None, None)
        self._proxies = surroundings["proxies"]
        self._verify = surroundings["verify"] or True
        for logger in ("connection", "connectionpool", "response", "util.retry"):
            logging.getLogger(f"urllib3.{logger}").addFilter(_DISCREET_LOG)

    def ask(self, template: requests.PreparedRequest, form: bytes, in_time: InTime | None = None) -> Reply:
        """Send `form` as `template` says: a POST carries it as its body, a DELETE as its query.

        `in_time` is asked once the deadline runs, so that a process that stands still after it finds the deadline over,
        and again when the connection is made, right before the first byte leaves. What can still go wrong between that
        look and the write stands in `connection` and `send_buffer`.

        Raises:
            Postpone: it is too late to leave, as `in_time` or the deadline says. Nothing left us.
            Fault: no complete answer came, or one of more than 4 MB. It names the kind, never the URL.
        """
        exchange = Exchange(steady() + self._deadline_s, self._lookup, self._longest_idle_s, in_time)
        token = connection.current.set(exchange)
        try:
            exchange.check()
            return self._exchange(_filled(template, form))
        except faults.CAUGHT as exc:
            what = faults.name(exc)
        finally:
            connection.current.reset(token)
        # Raised out here, so that no chain leads to an exception whose text holds the key.
        raise faults.Fault(what, faults.Kind.LOST if exchange.left else faults.Kind.NOT_SENT)

    def _exchange(self, request: requests.PreparedRequest) -> Reply:
        response = self._adapter.send(
            request,
            stream=True,
            timeout=(self._connect_timeout_s, self._deadline_s),
            verify=self._verify,
            proxies=self._proxies,
        )
        with contextlib.closing(response):
            return Reply(response.status_code, _bounded(response))

    def close(self) -> None:
        self._adapter.close()


def prepare(url: str, verb: str = "POST") -> requests.PreparedRequest:
    """A request that lacks only its form: parsing the URL is paid once for each method.

    Raises:
        ValueError: not a URL.
    """
    return requests.Request(verb, url, headers=_HEADERS if verb == "POST" else _BODILESS).prepare()


def _filled(template: requests.PreparedRequest, form: bytes) -> requests.PreparedRequest:
    request = template.copy()
    if request.method == "POST":
        request.body = form
        request.headers["Content-Length"] = str(len(form))
    else:
        request.url = f"{template.url}?{form.decode()}"
    return request


def _bounded(response: requests.Response) -> bytes:
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > LARGEST_ANSWER:
        raise faults.Overlong
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise faults.Overlong
    return bytes(body)
