"""A server that does what a test scripts, byte by byte, to whoever connects."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

API_KEY = "7A6B5C4D3E2F1A0B9C8D7E6F5A4B3C2D"
LOCALHOST_PEM = Path(__file__).parent / "localhost.pem"


@dataclass(frozen=True)
class Received:
    """One request as it came over the wire. `connection` counts the connections of the server, from 1."""

    connection: int
    verb: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """What was asked, in the body of a POST or in the query of a DELETE; empty values count."""
        given = self.body.decode() or self.path.partition("?")[2]
        asked = parse_qs(given, keep_blank_values=True, strict_parsing=True) if given else {}
        return {name: values[0] for name, values in asked.items()}


@dataclass
class Wire:
    """The server's end of a connection, in the hands of a behaviour."""

    sock: socket.socket
    stopping: threading.Event
    open: bool = True

    def close(self) -> None:
        self.open = False
        self.sock.close()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


Behaviour = Callable[[Wire], None]


def envelope(code: int, entries: Any = None, message: str = "پیام") -> bytes:
    return json.dumps({"return": {"status": code, "message": message}, "entries": entries}).encode()


def http_answer(body: bytes, status: int = 200, headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(LOCALHOST_PEM)
    return context


@dataclass
class ScriptedServer:
    """Answers the first request with the first behaviour, the second with the second, and so on; the last one stays.

    `hung_up` is set once it has closed a connection, so that the other end must already know.
    """

    tls: bool = False
    port: int = 0
    script: deque[Behaviour] = field(default_factory=deque)
    received: list[Received] = field(default_factory=list)
    hung_up: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._stopping = threading.Event()
        self._connections = 0
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"

    # ── what it will do ──

    def will(self, *behaviours: Behaviour) -> None:
        self.script.extend(behaviours)

    def answer(self, code: int = 200, entries: Any = None, *, http: int | None = None) -> Behaviour:
        return self.raw(http_answer(envelope(code, entries), http if http is not None else min(code, 599)))

    def body(self, body: bytes, http: int = 200, headers: str = "") -> Behaviour:
        return self.raw(http_answer(body, http, headers))

    def raw(self, data: bytes) -> Behaviour:
        return lambda wire: wire.sock.sendall(data)

    def raw_then_close(self, data: bytes = b"") -> Behaviour:
        def behave(wire: Wire) -> None:
            wire.sock.sendall(data)
            wire.close()

        return behave

    def reset(self, after: bytes = b"") -> Behaviour:
        def behave(wire: Wire) -> None:
            wire.sock.sendall(after)
            wire.reset()

        return behave

    def hang(self, after: bytes = b"") -> Behaviour:
        def behave(wire: Wire) -> None:
            wire.sock.sendall(after)
            wire.stopping.wait()

        return behave

    def drip(self, data: bytes, *, at_once: int = 0, every_s: float = 0.05) -> Behaviour:
        """All of the first `at_once` bytes, then a byte at a time: never silent for long, never done in time."""

        def behave(wire: Wire) -> None:
            wire.sock.sendall(data[:at_once])
            for i in range(at_once, len(data)):
                if wire.stopping.wait(every_s):
                    return
                wire.sock.sendall(data[i : i + 1])

        return behave

    # ── doing it ──

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._connections += 1
            thread = threading.Thread(target=self._serve, args=(sock, self._connections), daemon=True)
            self._open.append(sock)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):
            if self.tls:
                sock = server_context().wrap_socket(sock, server_side=True)
                self._open.append(sock)
            wire = Wire(sock, self._stopping)
            with sock, sock.makefile("rb") as stream:
                while wire.open and (request := _read_request(stream, number)):
                    self.received.append(request)
                    behave = self.script.popleft() if len(self.script) > 1 else self.script[0]
                    behave(wire)
        self.hung_up.set()

    def stop(self) -> None:
        self._stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=5)
        for sock in self._open:
            sock.close()


def _read_request(stream: Any, connection: int) -> Received | None:
    line = stream.readline().decode("latin-1").split()
    if len(line) != 3:
        return None  # the end, or no HTTP
    headers = {}
    while header := stream.readline().decode("latin-1").strip():
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    return Received(connection, line[0], line[1], headers, stream.read(int(headers.get("content-length", 0))))
