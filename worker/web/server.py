"""The HTTP server and its limits: connections, threads, bytes, time and rate of requests, log lines a minute."""

from __future__ import annotations

import logging
import resource
import socket
import threading
from typing import Any, Final
from wsgiref.types import WSGIApplication

from waitress.channel import HTTPChannel
from waitress.server import create_server

from kavenegar_campaigns.clock import steady
from kavenegar_campaigns.errors import BadInput

BURST_S: Final = 2.0
"""Seconds. The bucket holds the callbacks of two seconds, which may come at once."""


class TokenBucket:
    """A token bucket for callbacks, which fills at a steady rate; safe for many threads."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._most = max(1.0, rate * BURST_S)
        self._left = self._most
        self._filled_at = steady()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Take one token for a request. Returns False when the bucket has none."""
        with self._lock:
            now = steady()
            self._left = min(self._most, self._left + (now - self._filled_at) * self._rate)
            self._filled_at = now
            if self._left < 1:
                return False
            self._left -= 1
            return True

    def charge(self, more: int) -> None:
        """Take tokens for `more` callbacks of an accepted request. No request is accepted until the bucket refills."""
        with self._lock:
            self._left -= more


# ── log lines: many requests must not become as many log lines ──

LOG_INTERVAL_S: Final = 60.0


class LogLimit:
    """Logs an event, with how often it happened since its last log line; safe for many threads."""

    def __init__(self, log: logging.Logger, event: str) -> None:
        self._log = log
        self._event = event
        self._times = 0
        self._quiet_until = 0.0
        self._lock = threading.Lock()

    def __call__(self, why: str) -> None:
        """Count the event, and log it if its last line is old enough. `why` is a reason in constant words."""
        with self._lock:
            self._times += 1
            if steady() < self._quiet_until:
                return
            times, self._times = self._times, 0
            self._quiet_until = steady() + LOG_INTERVAL_S
        self._log.warning(self._event, extra={"why": why, "times": times})


# ── the server ──

THREADS: Final = 8


MAX_BODY_BYTES: Final = 64 * 1024
CONNECTIONS: Final = 200
"""Open connections at most, or half of the files that the process may open. One more closes the longest idle one."""
CALL_TIMEOUT_S: Final = 20
"""Seconds. A connection is closed when a request is not complete by then, or when it is idle for so long."""
MAX_HEADER_BYTES: Final = 16 * 1024
"""Bytes of the URL and the headers: enough for the longest inbound text as a query."""


class _BoundedChannel(HTTPChannel):  # type: ignore[misc]  # waitress ships no types
    """One connection. Half a request does not count as activity: a client that sends single bytes counts as idle."""

    last_activity: float

    def __init__(self, server: Any, *arguments: Any, **named: Any) -> None:
        super().__init__(server, *arguments, **named)
        _close_longest_idle(server)

    def handle_read(self) -> None:
        before = self.last_activity
        super().handle_read()
        if self.request is not None:
            self.last_activity = before


def _close_longest_idle(server: Any) -> None:
    """Close the connection that has been idle longest, when all places are taken."""
    if len(server.active_channels) < _max_connections():
        return
    idle = [channel for channel in server.active_channels.values() if not channel.requests and not channel.will_close]
    if len(idle) > 1:
        min(idle, key=lambda channel: (channel.last_activity, channel.creation_time)).will_close = True


def _max_connections() -> int:
    """Return how many connections may be open at once."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS if files == resource.RLIM_INFINITY else max(THREADS, min(CONNECTIONS, files // 2))


def bind_server(
    address: str, port: int, app: WSGIApplication, *, slowest_s: int = CALL_TIMEOUT_S, settings: str = "WEB"
) -> Any:
    """Return a server that is bound to its port: `run` serves, `close` frees the port. Raises: BadInput.

    `settings` is the prefix of its two settings' names: WEB_ADDRESS, WEB_PORT.
    """
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a line for each request that waits for a thread
    server = create_server(
        app,
        sockets=[_bind_socket(address, port, settings)],
        threads=THREADS,
        # Above the limit of `_close_longest_idle`: once this one is reached, waitress accepts no connection.
        connection_limit=_max_connections() + THREADS + 2,
        channel_timeout=slowest_s,
        cleanup_interval=max(1, slowest_s // 4),
        max_request_header_size=MAX_HEADER_BYTES,
        max_request_body_size=MAX_BODY_BYTES + 1,  # the smallest size that is refused
        ident=None,
    )
    server.channel_class = _BoundedChannel
    return server


def _bind_socket(address: str, port: int, settings: str) -> socket.socket:
    try:
        family, *_, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(place[:2], family=family)
    except OSError as why:
        raise BadInput(f"{settings}_ADDRESS, {settings}_PORT: {address}:{port} cannot be had: {why.strerror}") from why
