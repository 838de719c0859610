"""HTTP, with bounds: so many connections, so many threads, so many bytes, and so long for one call."""

from __future__ import annotations

import logging
import resource
import socket
from typing import Any, Final
from wsgiref.types import WSGIApplication

from waitress.channel import HTTPChannel
from waitress.server import create_server

from campaigns.errors import BadInput
from worker.web.reading import MOST_BYTES

THREADS: Final = 8
CONNECTIONS: Final = 200
"""Open at once, or half of the files that the process may open. One more, and the longest idle one is hung up on."""
SLOWEST_CALL_S: Final = 20
"""Who has not said all of a call by then is hung up on, and so is who says nothing for so long."""
MOST_HEADER_BYTES: Final = 16 * 1024
"""The URL and the headers: the longest text that somebody may write, and more, as a query."""


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress ships no types
    """One connection. Half a call is no sign of life: who drips it byte by byte is as slow as who is silent."""

    last_activity: float

    def __init__(self, server: Any, *arguments: Any, **named: Any) -> None:
        super().__init__(server, *arguments, **named)
        _make_room(server)

    def handle_read(self) -> None:
        before = self.last_activity
        super().handle_read()
        if self.request is not None:
            self.last_activity = before


def _make_room(server: Any) -> None:
    """Hang up on the connection that has been idle longest, where the last one took the last place."""
    if len(server.active_channels) < _places():
        return
    idle = [channel for channel in server.active_channels.values() if not channel.requests and not channel.will_close]
    if len(idle) > 1:
        min(idle, key=lambda channel: (channel.last_activity, channel.creation_time)).will_close = True


def _places() -> int:
    """How many connections may be open at once."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS if files == resource.RLIM_INFINITY else max(THREADS, min(CONNECTIONS, files // 2))


def listening(
    address: str, port: int, app: WSGIApplication, *, slowest_s: int = SLOWEST_CALL_S, settings: str = "WEB"
) -> Any:
    """A server that has its port and waits for `run`; `close` lets it go. Raises: BadInput.

    `settings` is what the names of its two settings begin with: WEB_ADDRESS, WEB_PORT.
    """
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a line for each call that waits for a thread
    server = create_server(
        app,
        sockets=[_bound(address, port, settings)],
        threads=THREADS,
        # Above what `_make_room` keeps to: once it is reached, waitress accepts nobody.
        connection_limit=_places() + THREADS + 2,
        channel_timeout=slowest_s,
        cleanup_interval=max(1, slowest_s // 4),
        max_request_header_size=MOST_HEADER_BYTES,
        max_request_body_size=MOST_BYTES + 1,  # the least that is refused
        ident=None,
    )
    server.channel_class = _Channel
    return server


def _bound(address: str, port: int, settings: str) -> socket.socket:
    try:
        family, *_, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(place[:2], family=family)
    except OSError as why:
        raise BadInput(f"{settings}_ADDRESS, {settings}_PORT: {address}:{port} cannot be had: {why.strerror}") from why
