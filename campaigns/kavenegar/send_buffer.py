"""The kernel's send buffer: once the time of a request is over, the kernel sends nothing more of it.

A write only fills the kernel's send buffer. The kernel sends it for a quarter of an hour, through a network that is
down for most of it, and goes on after we close the connection or are killed. Measured: a request that was given up
after 2 s reached the server when the link came back, and so did the request of a process that was killed.

    TCP_USER_TIMEOUT    the kernel drops what the server has not acknowledged for so long
    SO_LINGER, 0 s      whoever closes the connection, or dies, drops what is not sent; it covers a server that reads
                        slowly but steadily, whose acknowledgements keep the first option from ever acting

What neither can drop: bytes on their way through the network, or in the hands of a proxy. And the kernel's timers
stand still while the machine sleeps: what is in the buffer when it falls asleep may leave when it wakes.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from typing import Final

# Linux alone has it. Elsewhere SO_LINGER works alone.
USER_TIMEOUT: Final[int | None] = getattr(socket, "TCP_USER_TIMEOUT", None)
_DROP: Final = struct.pack("ii", 1, 0)
_KEEP: Final = struct.pack("ii", 0, 0)


def bound(connected: object, seconds: float) -> None:
    """From now on the kernel sends what is written for `seconds` at most, and drops it if the connection is closed."""
    sock = _kernels(connected)
    if USER_TIMEOUT is not None:
        sock.setsockopt(socket.IPPROTO_TCP, USER_TIMEOUT, max(1, int(seconds * 1000)))  # 0 would be "no bound"
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DROP)


def close_in_order(connected: object) -> None:
    """All that was written has been answered: closing this connection is no longer a break."""
    with suppress(OSError):  # macOS says so of a connection that the server has reset
        _kernels(connected).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _KEEP)


def _kernels(connected: object) -> socket.socket:
    """The socket itself: urllib3 wraps it where TLS runs within a proxy's TLS."""
    while not isinstance(connected, socket.socket):
        connected = connected.socket  # type: ignore[attr-defined]
    return connected
