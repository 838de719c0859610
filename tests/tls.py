"""TLS in front of a server that speaks none: a relay with the certificate of the tests, which no authority signed."""

from __future__ import annotations

import select
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.kavenegar.scripted_server import server_context


class _Relay(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, target: int) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.target = target
        self.context = server_context()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not trust the certificate hangs up; that is what the tests look at."""


class _Passing(socketserver.BaseRequestHandler):
    server: _Relay

    def handle(self) -> None:
        with (
            self.server.context.wrap_socket(self.request, server_side=True) as outer,
            socket.create_connection(("127.0.0.1", self.server.target)) as inner,
        ):
            while True:
                readable = [outer] if outer.pending() else select.select([outer, inner], [], [], 60)[0]
                for source in readable:
                    found = source.recv(65_536)
                    if not found:
                        return
                    (inner if source is outer else outer).sendall(found)


@contextmanager
def in_front_of(port: int) -> Iterator[int]:
    """The port at which TLS leads to `port`."""
    with _Relay(port) as relay:
        thread = threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield relay.server_address[1]
        relay.shutdown()
        thread.join(timeout=30)
