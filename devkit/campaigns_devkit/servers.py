"""A daemon that answers on a port of its own, which it keeps, with a password that nobody else knows."""

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

# Below the ports that Linux and macOS hand to outgoing connections, so that a port chosen once can be kept.
_PORTS = range(20_000, 30_000)
_TRIES = 200


def is_port_free(port: int) -> bool:
    """Whether a server could listen on it now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def accepts_connections(port: int) -> bool:
    """Whether somebody listens on it."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def find_free_port() -> int:
    """A free port, at random so that two folders started at once rarely meet. Raises OSError where none is left."""
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
        """Where clients find it. May hold the password."""

    @abstractmethod
    def configure(self, life: LockFile) -> Identity:
        """Prepare a start with the port and the password of now; see `prepare`."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether a client gets an answer from it, and from nobody else, now."""

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
            if is_port_free(self.port):  # then it did not die of a stranger on its port
                break
        raise self.failed("did not come up")

    def prepare(self, life: LockFile) -> Identity:
        self._choose_port()
        self._choose_password()
        return self.configure(life)

    def _comes_up(self) -> bool:
        """Wait until it answers or dies, within bounds; whether it answers."""
        wait_until(lambda: self.answers() or not self.is_alive(), within_s=self.ready_within_s)
        return self.is_alive() and self.answers()

    def _choose_port(self) -> None:
        """Keep the remembered port while it is free: the URLs that clients hold stay true over a restart."""
        if not (self._port_file.exists() and is_port_free(self.port)):
            write_private(self._port_file, str(find_free_port()))

    def _choose_password(self) -> None:
        if not self._password_file.exists():
            write_private(self._password_file, secrets.token_urlsafe(24))
