"""A process with a network of its own, a loopback that it can take down; `sys.argv[1]` says what it tries.

Prints what the kernel still holds of a request that was given up, and what came of it when the network was back.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from kavenegar_campaigns.kavenegar.transport import Fault, Transport, prepare_request
from tests.kavenegar.scripted_server import ScriptedServer
from tests.waiting import until

DEADLINE_S = 3.0
_NEW_NETWORK, _NEW_USER = 0x40000000, 0x10000000
_SET_FLAGS, _UP = 0x8914, 1
_ESTABLISHED, _CLOSED, _TIME_WAIT = "01", "07", "06"


def say(*words: object) -> None:
    """One line, at once."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def own_network() -> None:
    """Be in a network with nothing but a loopback. Raises: OSError where that cannot be done here."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_NETWORK | (_NEW_USER if os.geteuid() else 0)) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    plug()


def plug(flags: int = _UP) -> None:
    """The network is there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", flags))


def unplug() -> None:
    """The network is down: packets go nowhere, and nobody is told."""
    plug(0)


def held(port: int) -> Iterator[tuple[str, int]]:
    """Of each connection to a port: its state, and how many bytes the kernel has still to deliver."""
    for row in Path("/proc/self/net/tcp").read_text().splitlines()[1:]:
        _, _, remote, state, queues, *_ = row.split()
        if int(remote.rpartition(":")[2], 16) == port and state not in {_CLOSED, _TIME_WAIT}:
            yield state, int(queues.partition(":")[0], 16)


def unsent(port: int) -> int:
    return sum(size for _, size in held(port))


def ask(transport: Transport, url: str) -> str:
    try:
        return str(transport.request(prepare_request(f"{url}/v1/KEY/sms/send.json"), b"receptor=1").http_status)
    except Fault as why:
        return why.kind.name


def given_up() -> None:
    """A request is given up while the network is down."""
    server = _server()
    transport = Transport(server.url, deadline_s=DEADLINE_S, connect_timeout_s=DEADLINE_S, pool_size=1)
    ask(transport, server.url)
    unplug()
    say(ask(transport, server.url), "unsent", unsent(_port(server)))
    plug()
    transport.close()
    server.stop()


def stopped() -> None:
    """The process that sends stands still, so that it gives nothing up."""
    server = _server()
    command = [sys.executable, "-m", "tests.kavenegar.unplugged", "sender", server.url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sender:
        try:
            say(_stand_still(sender, _port(server)), "received", len(server.received))
        finally:
            sender.kill()  # one that stands still never ends by itself
    server.stop()


def _stand_still(sender: subprocess.Popen[str], port: int) -> str:
    """What the sender says of a request in which it stood still until the kernel had given it up."""
    assert sender.stdin is not None
    assert sender.stdout is not None
    assert sender.stdout.readline() == "200\n"
    unplug()
    sender.stdin.write("go on\n")
    sender.stdin.flush()
    until(lambda: unsent(port) > 0, "a request in the kernel's hands", every_s=0.005)
    sender.send_signal(signal.SIGSTOP)
    until(lambda: unsent(port) == 0, "the kernel giving up", within_s=20 * DEADLINE_S)
    plug()
    sender.send_signal(signal.SIGCONT)
    return sender.stdout.readline().strip()


def sender() -> None:
    """Two requests on one connection; the second when it is told to."""
    transport = Transport(sys.argv[2], deadline_s=DEADLINE_S, connect_timeout_s=DEADLINE_S, pool_size=1)
    say(ask(transport, sys.argv[2]))
    sys.stdin.readline()
    say(ask(transport, sys.argv[2]))


def _server() -> ScriptedServer:
    server = ScriptedServer()
    server.will(server.answer(200, []), server.answer(200, []))
    return server


def _port(server: ScriptedServer) -> int:
    return int(server.url.rpartition(":")[2])


if __name__ == "__main__":
    if sys.argv[1] == "sender":
        sender()
    else:
        own_network()
        {"given_up": given_up, "stopped": stopped, "nothing": lambda: None}[sys.argv[1]]()
