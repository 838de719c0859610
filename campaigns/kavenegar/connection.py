"""Connections that keep a total deadline, and know whether a request has left this machine.

urllib3's timeouts bound one read each: a peer that sends a byte a second holds a call for hours, in the headers as in
the body. Here every step (name, connect, TLS, each write, each read) gets the rest of one budget.

The last check of the lease and of the deadline is right before the first byte leaves; the deadline is checked again
before every further piece. No check can close this gap: a process or a machine that stops between the check and the
system call that writes, and goes on after the lease has ended, still writes that one piece.

The API key is a part of every path. Tracers and error trackers patch requests, urllib3 and http.client and record the
URLs they see there; urllib3 logs them. So these libraries are given a path without the key and no body, and the true
ones are put in their place right before the socket: see `Sealed`.
"""

from __future__ import annotations

import http.client
import io
import os
import queue
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from kavenegar_campaigns import forks
from kavenegar_campaigns.clock import steady
from kavenegar_campaigns.errors import Postpone

# The kernel's send buffer: once the time of a request is over, the kernel sends nothing more of it.
#
# A write only fills the kernel's send buffer. The kernel sends it for a quarter of an hour, through a network that is
# down for most of it, and goes on after we close the connection or are killed. Measured: a request that was given up
# after 2 s reached the server when the link came back, and so did the request of a process that was killed.
#
#     TCP_USER_TIMEOUT    the kernel drops bytes that the server has not acknowledged for so long
#     SO_LINGER, 0 s      closing the connection, or the end of the process, drops unsent bytes; it covers a server that
#                         reads slowly but steadily, whose acknowledgements keep the first option from ever acting
#
# Neither option can drop bytes on their way through the network, or in a proxy. And the kernel's timers stand still
# while the machine sleeps: bytes in the buffer when it falls asleep may leave when it wakes.

# Only Linux has TCP_USER_TIMEOUT. Elsewhere SO_LINGER works alone.
USER_TIMEOUT: Final[int | None] = getattr(socket, "TCP_USER_TIMEOUT", None)
_LINGER_DROP: Final = struct.pack("ii", 1, 0)
_LINGER_KEEP: Final = struct.pack("ii", 0, 0)


def drop_unsent_after(connected: object, seconds: float) -> None:
    """Make the kernel send written bytes for `seconds` at most, and drop unsent bytes when the connection closes."""
    sock = _raw_socket(connected)
    if USER_TIMEOUT is not None:
        sock.setsockopt(socket.IPPROTO_TCP, USER_TIMEOUT, max(1, int(seconds * 1000)))  # 0 would be "no bound"
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_DROP)


def allow_graceful_close(connected: object) -> None:
    """Let the connection close gracefully again, after the answer to everything that was written."""
    with suppress(OSError):  # macOS raises it for a connection that the server has reset
        _raw_socket(connected).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_KEEP)


def _raw_socket(connected: object) -> socket.socket:
    """Return the socket itself: urllib3 wraps it where TLS runs within a proxy's TLS."""
    while not isinstance(connected, socket.socket):
        connected = connected.socket  # type: ignore[attr-defined]
    return connected


Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]
Resolver = Callable[..., Sequence[Address]]
InTime = Callable[[], bool]

# A server that closes an idle connection just as we write makes a send unknown. The shortest keep-alive in common
# use is five seconds (Apache, Node): if we close first, their close and our request seldom cross.
MAX_IDLE_S = 4.0

# Bytes of one write. If the machine sleeps while a server accepts no more, no further piece leaves when it wakes.
WRITE_SIZE = 65_536


@dataclass(frozen=True, slots=True)
class Sealed:
    """What the socket alone gets to see of a request: the true target in the place of `shown`, and the body."""

    shown: bytes
    target: bytes = field(repr=False)
    body: bytes = field(repr=False)

    def reveal(self, head: bytes) -> bytes:
        """Return the whole request. Raises: InvalidURL where some other code has changed the target."""
        line, end, headers = head.partition(b"\r\n")
        method, target, version = line.split(b" ")
        if not target.endswith(self.shown):
            raise http.client.InvalidURL("the request's target is not ours any more")
        target = target.removesuffix(self.shown) + self.target  # before it stands the host, where a proxy is asked
        return b"".join((method, b" ", target, b" ", version, end, headers, self.body))


@dataclass(slots=True)
class Exchange:
    """One call's time budget, and whether its request left this machine: `request_left`.

    `sealed` is the request that is to leave; `deadline` is on the steady clock; `resolver` is getaddrinfo, or a
    substitute; `in_time` says whether a request may still leave, None where it always may.
    """

    sealed: Sealed
    deadline: float
    resolver: Resolver = socket.getaddrinfo
    max_idle_s: float = MAX_IDLE_S
    in_time: InTime | None = None
    request_left: bool = False

    def remaining(self) -> float:
        """Return the seconds left. Raises: TimeoutError when there are none: to a socket, zero is "do not wait"."""
        seconds = self.deadline - steady()
        if seconds <= 0:
            raise TimeoutError("the deadline has passed")
        return seconds

    def check(self) -> None:
        """Check that the request may leave now. Raises: Postpone when it is too late; no byte has left."""
        if self.in_time is not None and not self.in_time():
            raise Postpone("it is too late for this call to leave", retry_after_s=0)
        if steady() >= self.deadline:  # checked last: `in_time` may have taken long
            raise Postpone("the deadline passed before this call could leave", retry_after_s=0)


# urllib3's pool stands between the call and the connection, and passes no values of ours on.
current_exchange: ContextVar[Exchange] = ContextVar("exchange")


class _DeadlineReader(io.RawIOBase):
    """Reads a socket's bytes. The timeout of each read is the rest of the budget."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, exchange: Exchange) -> None:
        self._raw = raw
        self._sock = sock
        self._exchange = exchange

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._exchange.remaining())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_DeadlineReader(self.fp.detach(), sock, current_exchange.get()))


class _DeadlineConnection(HTTPConnection):
    """The common part of both kinds of connection: HTTP and HTTPS."""

    response_class = _DeadlineResponse
    idle_since: float | None = None

    def request(self, *args: Any, **kwargs: Any) -> None:
        exchange = current_exchange.get()
        if self.sock is None:
            self.connect()
        exchange.check()
        exchange.request_left = True
        super().request(*args, **kwargs)

    def send(self, data: Any) -> None:
        """Write the head of the request, revealed, and its body; or what opens a tunnel through a proxy, as it is.

        http.client's own `send` would print it at a debuglevel, and show it to audit hooks.
        """
        exchange = current_exchange.get()
        whole = memoryview(exchange.sealed.reveal(data) if exchange.request_left else data)
        for start in range(0, len(whole), WRITE_SIZE):
            drop_unsent_after(self.sock, exchange.remaining())
            self.sock.settimeout(exchange.remaining())  # for the whole piece, over TLS as well
            self.sock.sendall(whole[start : start + WRITE_SIZE])

    def _leave_to_parent(self) -> None:
        """Close this process's copy of the socket. Nothing is sent, and the parent's connection goes on."""
        if self.sock is not None:
            os.close(_raw_socket(self.sock).detach())

    def _new_conn(self) -> socket.socket:
        forks.renew_in_child(self, _DeadlineConnection._leave_to_parent)
        exchange = current_exchange.get()
        allowed_s = float(self.timeout) if isinstance(self.timeout, int | float) else exchange.remaining()
        until = min(steady() + allowed_s, exchange.deadline)
        try:
            return dial(resolve(self._dns_host.strip("[]"), self.port, until, exchange.resolver), until)
        except socket.gaierror as unresolved:
            raise NameResolutionError(self.host, self, unresolved) from unresolved
        except TimeoutError as late:
            raise ConnectTimeoutError(self, "no connection in time") from late
        except OSError as refused:
            raise NewConnectionError(self, f"no connection: {refused.strerror}") from refused


class DeadlineHTTPConnection(_DeadlineConnection):
    pass


class DeadlineHTTPSConnection(_DeadlineConnection, HTTPSConnection):
    pass


class _FreshConnectionPool(HTTPConnectionPool):
    """A pool that does not reuse a connection which the server may be about to close."""

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection = super()._get_conn(timeout)
        if isinstance(connection, _DeadlineConnection):
            idle_since, connection.idle_since = connection.idle_since, None
            if idle_since is not None and steady() - idle_since > current_exchange.get().max_idle_s:
                connection.close()
        return connection

    def _put_conn(self, conn: Any) -> None:
        if isinstance(conn, _DeadlineConnection):
            conn.idle_since = steady()
            if conn.sock is not None:
                allow_graceful_close(conn.sock)
        super()._put_conn(conn)


class DeadlineHTTPPool(_FreshConnectionPool):
    ConnectionCls = DeadlineHTTPConnection


class DeadlineHTTPSPool(_FreshConnectionPool, HTTPSConnectionPool):
    ConnectionCls = DeadlineHTTPSConnection


def resolve(host: str, port: int | None, until: float, resolver: Resolver) -> Sequence[Address]:
    """Resolve a host name. The system's resolver knows no deadline, so it runs in a thread that may be left behind.

    Raises:
        socket.gaierror: there is no such name.
        TimeoutError: the resolver had not answered at `until` (steady clock).
    """
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass  # a name, not an address
    answers: queue.SimpleQueue[Sequence[Address] | OSError] = queue.SimpleQueue()

    def query_name() -> None:
        try:
            answers.put(resolver(host, port, type=socket.SOCK_STREAM))
        except OSError as unresolved:
            answers.put(unresolved)

    threading.Thread(target=query_name, name="resolver", daemon=True).start()
    try:
        answer = answers.get(timeout=max(0.0, until - steady()))
    except queue.Empty:
        raise TimeoutError("the name was not resolved in time") from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def dial(found: Sequence[Address], until: float) -> socket.socket:
    """Connect to the first address that accepts. Each address gets a share of the time, so none can use up all of it.

    Raises:
        TimeoutError, OSError: the error of the last address.
    """
    why: OSError = OSError("the name has no address")
    for tried, (family, kind, protocol, _, address) in enumerate(found):
        share = (until - steady()) / (len(found) - tried)
        if share <= 0:
            raise TimeoutError("no connection in time")
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(share)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.connect(address)
        except OSError as refused:
            sock.close()
            why = refused
        else:
            sock.settimeout(max(0.001, until - steady()))
            return sock
    raise why
