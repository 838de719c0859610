"""HTTP, with bounds: so many connections, so many threads, so many bytes, and so long for one call."""

from __future__ import annotations

import logging
import socket
from typing import Any, Final
from wsgiref.types import WSGIApplication

from waitress.channel import HTTPChannel
from waitress.server import create_server

from campaigns.errors import BadInput
from worker.web.reading import MOST_BYTES

THREADS: Final = 8
CONNECTIONS: Final = 200
SLOWEST_CALL_S: Final = 20
"""Who has not said all of a call by then is hung up on, and so is who says nothing for so long."""
MOST_HEADER_BYTES: Final = 16 * 1024
"""The URL and the headers: the longest text that somebody may write, and more, as a query."""


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress ships no types
    """One connection. Half a call is no sign of life: who drips it byte by byte is as slow as who is silent."""

    last_activity: float

    def handle_read(self) -> None:
        before = self.last_activity
        super().handle_read()
        if self.request is not None:
            self.last_activity = before


def listening(address: str, port: int, app: WSGIApplication, *, slowest_s: int = SLOWEST_CALL_S) -> Any:
    """A server that has its port and waits for `run`; `close` lets it go. Raises: BadInput."""
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a line for each call that waits for a thread
    server = create_server(
        app,
        sockets=[_bound(address, port)],
        threads=THREADS,
        connection_limit=CONNECTIONS,
        channel_timeout=slowest_s,
        cleanup_interval=max(1, slowest_s // 4),
        max_request_header_size=MOST_HEADER_BYTES,
        max_request_body_size=MOST_BYTES + 1,  # the least that is refused
        ident=None,
    )
    server.channel_class = _Channel
    return server


def _bound(address: str, port: int) -> socket.socket:
    try:
        family, *_, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(place[:2], family=family)
    except OSError as why:
        raise BadInput(f"WEB_ADDRESS, WEB_PORT: {address}:{port} cannot be had: {why.strerror}") from why
