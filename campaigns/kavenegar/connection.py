"""Connections that keep a total deadline, and know whether a request has left this machine.

urllib3's timeouts bound one read each: a peer that sends a byte a second holds a call for hours, in the headers as in
the body. Here every step (name, connect, TLS, each write, each read) gets what is left of one budget.

The last look at the lease and at the deadline is right before the first byte leaves; the deadline is looked at again
before every further piece. What no look can close: a process or a machine that stops between the look and the system
call that writes, and goes on after the lease has ended, still writes that one piece.
"""

from __future__ import annotations

import http.client
import io
import queue
import socket
import threading
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from campaigns.clock import steady
from campaigns.errors import Postpone
from campaigns.kavenegar import send_buffer

Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]
Lookup = Callable[..., Sequence[Address]]
InTime = Callable[[], bool]

# A server that closes an idle connection just as we write makes a send unknown. The shortest keep-alive in common
# use is five seconds (Apache, Node): parting first means that their close and our request seldom cross.
LONGEST_IDLE_S = 4.0

# Written at once. While a server takes no more, the machine may fall asleep: no further piece leaves when it wakes.
PIECE = 65_536


@dataclass(slots=True)
class Exchange:
    """One call's budget and its one certain fact: whether it `left`.

    `deadline` is on the steady clock; `lookup` is getaddrinfo, or what stands in for it; `in_time` says whether a
    request may still leave, None where it always may.
    """

    deadline: float
    lookup: Lookup = socket.getaddrinfo
    longest_idle_s: float = LONGEST_IDLE_S
    in_time: InTime | None = None
    left: bool = False

    def remaining(self) -> float:
        """Seconds left. TimeoutError when there are none: a socket takes zero for "do not wait", not for "over"."""
        seconds = self.deadline - steady()
        if seconds <= 0:
            raise TimeoutError("the deadline has passed")
        return seconds

    def check(self) -> None:
        """Whether the request may leave now. Raises: Postpone when it is too late; nothing left us."""
        if self.in_time is not None and not self.in_time():
            raise Postpone("it is too late for this call to leave", retry_after_s=0)
        if steady() >= self.deadline:  # looked at last: the question before may have taken long
            raise Postpone("the deadline passed before this call could leave", retry_after_s=0)


# Between the call and the connection stands urllib3's pool, which carries nothing of ours.
current: ContextVar[Exchange] = ContextVar("exchange")


class _ClockedReader(io.RawIOBase):
    """A socket's bytes, each read given only what is left of the budget."""

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


class _ClockedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_ClockedReader(self.fp.detach(), sock, current.get()))


class _Clocked(HTTPConnection):
    """What both kinds of connection have in common."""

    response_class = _ClockedResponse
    parked_at: float | None = None

    def request(self, *args: Any, **kwargs: Any) -> None:
        exchange = current.get()
        if self.sock is None:
            self.connect()
        exchange.check()
        exchange.left = True
        super().request(*args, **kwargs)

    def send(self, data: Any) -> None:
        exchange, whole = current.get(), memoryview(data)
        for start in range(0, len(whole), PIECE):
            send_buffer.bound(self.sock, exchange.remaining())
            self.sock.settimeout(exchange.remaining())  # of the whole piece, over TLS as well
            super().send(whole[start : start + PIECE])

    def _new_conn(self) -> socket.socket:
        exchange = current.get()
        allowed_s = float(self.timeout) if isinstance(self.timeout, int | float) else exchange.remaining()
        until = min(steady() + allowed_s, exchange.deadline)
        try:
            return dial(addresses(self._dns_host.strip("[]"), self.port, until, exchange.lookup), until)
        except socket.gaierror as unresolved:
            raise NameResolutionError(self.host, self, unresolved) from unresolved
        except TimeoutError as late:
            raise ConnectTimeoutError(self, "no connection in time") from late
        except OSError as refused:
            raise NewConnectionError(self, f"no connection: {refused.strerror}") from refused


class ClockedHTTPConnection(_Clocked):
    pass


class ClockedHTTPSConnection(_Clocked, HTTPSConnection):
    pass


class _ParkingPool(HTTPConnectionPool):
    """A pool that does not hand out a connection the other side may be about to close."""

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection = super()._get_conn(timeout)
        if isinstance(connection, _Clocked):
            parked_at, connection.parked_at = connection.parked_at, None
            if parked_at is not None and steady() - parked_at > current.get().longest_idle_s:
                connection.close()
        return connection

    def _put_conn(self, conn: Any) -> None:
        if isinstance(conn, _Clocked):
            conn.parked_at = steady()
            if conn.sock is not None:
                send_buffer.close_in_order(conn.sock)
        super()._put_conn(conn)


class ClockedHTTPPool(_ParkingPool):
    ConnectionCls = ClockedHTTPConnection


class ClockedHTTPSPool(_ParkingPool, HTTPSConnectionPool):
    ConnectionCls = ClockedHTTPSConnection


def addresses(host: str, port: int | None, until: float, lookup: Lookup) -> Sequence[Address]:
    """Where a name leads. The system's resolver knows no deadline, so it is asked in a thread that may be left behind.

    Raises:
        socket.gaierror: there is no such name.
        TimeoutError: the resolver had not answered at `until` (steady clock).
    """
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass  # a name, not an address
    answers: queue.SimpleQueue[Sequence[Address] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(lookup(host, port, type=socket.SOCK_STREAM))
        except OSError as unresolved:
            answers.put(unresolved)

    threading.Thread(target=ask, name="resolver", daemon=True).start()
    try:
        answer = answers.get(timeout=max(0.0, until - steady()))
    except queue.Empty:
        raise TimeoutError("the name was not resolved in time") from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def dial(found: Sequence[Address], until: float) -> socket.socket:
    """A connection to the first address that takes one. Each gets its share of the time, so none can eat it all.

    Raises:
        TimeoutError, OSError: what the last address said.
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
