"""A daemon that answers on its own port, which stays over restarts, with a password that only its user knows."""

from __future__ import annotations

import random
import secrets
import socket
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from campaigns_devkit.daemons import Daemon, Identity
from campaigns_devkit.files import LockFile, wait_until, write_private

HOST = "127.0.0.1"

# Below the ports that Linux and macOS use for outgoing connections, so that a server can keep its port.
_PORTS = range(20_000, 30_000)
_TRIES = 200


def is_port_free(port: int) -> bool:
    """Return whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def accepts_connections(port: int) -> bool:
    """Return whether a process listens on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def find_free_port() -> int:
    """Return a random free port, so that homes started at once seldom choose one port. Raises OSError without any."""
    for port in random.sample(_PORTS, _TRIES):
        if is_port_free(port):
            return port
    raise OSError(f"none of {_TRIES} ports tried between {_PORTS.start} and {_PORTS.stop} on {HOST} is free")


# ── the server ──

_STARTS_AT_MOST = 3


class Server(Daemon):
    """One server of a home."""

    ready_within_s: ClassVar[float] = 60

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self._port_file = self.folder / "port"
        self._password_file = self.folder / "password"

    @property
    @abstractmethod
    def url(self) -> str:
        """Return the URL for clients. It may hold the password."""

    @abstractmethod
    def configure(self, life: LockFile) -> Identity:
        """Prepare a start with the present port and password; see `prepare`."""

    @abstractmethod
    def answers(self) -> bool:
        """Return whether a client gets an answer from this server, and not from another program, now."""

    @property
    def port(self) -> int:
        return int(self._port_file.read_text())

    @property
    def password(self) -> str:
        return self._password_file.read_text()

    def ensure(self) -> None:
        if self.is_alive() and self._comes_up():
            return
        if self.is_alive():
            raise self.failed(f"runs, but has not answered for {self.ready_within_s:.0f} s")
        for _ in range(_STARTS_AT_MOST):
            self.launch()
            if self._comes_up():
                return
            self.stop()
            if is_port_free(self.port):  # then it did not die because another program has its port
                break
        raise self.failed("did not come up")

    def prepare(self, life: LockFile) -> Identity:
        self._choose_port()
        self._choose_password()
        return self.configure(life)

    def _comes_up(self) -> bool:
        """Wait, for a limited time, until it answers or dies. Returns whether it answers."""
        wait_until(lambda: self.answers() or not self.is_alive(), within_s=self.ready_within_s)
        return self.is_alive() and self.answers()

    def _choose_port(self) -> None:
        """Keep the stored port while it is free: the clients' URLs stay valid over a restart."""
        if not (self._port_file.exists() and is_port_free(self.port)):
            write_private(self._port_file, str(find_free_port()))

    def _choose_password(self) -> None:
        if not self._password_file.exists():
            write_private(self._password_file, secrets.token_urlsafe(24))
