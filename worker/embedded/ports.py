"""Ports of this machine's loopback for servers that nobody outside may reach."""

from __future__ import annotations

import random
import socket

HOST = "127.0.0.1"

# Below the ports that Linux and macOS hand to outgoing connections, so that a port chosen once can be kept.
_OURS = range(20_000, 30_000)
_TRIES = 200


def is_free(port: int) -> bool:
    """Whether a server could listen on it now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def accepts(port: int) -> bool:
    """Whether somebody listens on it."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def find_free() -> int:
    """A free port, at random so that two folders started at once rarely meet. Raises OSError where none is left."""
    for port in random.sample(_OURS, _TRIES):
        if is_free(port):
            return port
    raise OSError(f"none of {_TRIES} ports tried between {_OURS.start} and {_OURS.stop} on {HOST} is free")
