"""The HTTP server and its limits: connections, threads, bytes, the time and the rate of calls, log lines a minute."""

from __future__ import annotations

import logging
import resource
import socket
import threading
from typing import Any, Final
from wsgiref.types import WSGIApplication

from waitress.channel import HTTPChannel
from waitress.server import create_server

from campaigns.clock import steady
from campaigns.errors import BadInput

BURST_S: Final = 2.0
"""As many callbacks as two seconds allow may come at once."""


class TokenBucket:
    """A bucket of callbacks that fills at a steady rate; safe for many threads."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._most = max(1.0, rate * BURST_S)
        self._left = self._most
        self._filled_at = steady()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Whether one more call may be taken now."""
        with self._lock:
            now = steady()
            self._left = min(self._most, self._left + (now - self._filled_at) * self._rate)
            self._filled_at = now
            if self._left < 1:
                return False
            self._left -= 1
            return True

    def charge(self, more: int) -> None:
        """Count `more` callbacks of a call that was taken: no call is, until the bucket has made up for them."""
        with self._lock:
            self._left -= more


# ── log lines: a storm of calls must not become a storm of lines ──

LOG_INTERVAL_S: Final = 60.0


class LogLimit:
    """Logs an event, and how often it happened since it was last logged; safe for many threads."""

    def __init__(self, log: logging.Logger, event: str) -> None:
        self._log = log
        self._event = event
        self._times = 0
        self._quiet_until = 0.0
        self._lock = threading.Lock()

    def __call__(self, why: str) -> None:
        """It happened, for this reason: constant words."""
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
"""Open at once, or half of the files that the process may open. One more, and the longest idle one is hung up on."""
CALL_TIMEOUT_S: Final = 20
"""Who has not said all of a call by then is hung up on, and so is who says nothing for so long."""
MAX_HEADER_BYTES: Final = 16 * 1024
"""The URL and the headers: the longest text that somebody may write, and more, as a query."""


class _BoundedChannel(HTTPChannel):  # type: ignore[misc]  # waitress ships no types
    """One connection. Half a call is no sign of life: who drips it byte by byte is as slow as who is silent."""

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
    """Hang up on the connection that has been idle longest, where the last one took the last place."""
    if len(server.active_channels) < _max_connections():
        return
    idle = [channel for channel in server.active_channels.values() if not channel.requests and not channel.will_close]
    if len(idle) > 1:
        min(idle, key=lambda channel: (channel.last_activity, channel.creation_time)).will_close = True


def _max_connections() -> int:
    """How many connections may be open at once."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS if files == resource.RLIM_INFINITY else max(THREADS, min(CONNECTIONS, files // 2))


def bind_server(
    address: str, port: int, app: WSGIApplication, *, slowest_s: int = CALL_TIMEOUT_S, settings: str = "WEB"
) -> Any:
    """A server that has its port and waits for `run`; `close` lets it go. Raises: BadInput.

    `settings` is what the names of its two settings begin with: WEB_ADDRESS, WEB_PORT.
    """
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a line for each call that waits for a thread
    server = create_server(
        app,
        sockets=[_bind_socket(address, port, settings)],
        threads=THREADS,
        # Above what `_make_room` keeps to: once it is reached, waitress accepts nobody.
        connection_limit=_max_connections() + THREADS + 2,
        channel_timeout=slowest_s,
        cleanup_interval=max(1, slowest_s // 4),
        max_request_header_size=MAX_HEADER_BYTES,
        max_request_body_size=MAX_BODY_BYTES + 1,  # the least that is refused
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
