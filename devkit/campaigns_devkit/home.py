"""The folder of our own servers (the home), and the processes that use it.

Every process that uses a home holds a shared lock on `users.lock` for its life. The last user to close stops the
servers: it is the one that gets the lock exclusively. A user that is killed releases its lock without stopping
anything: its servers go on for the other users, the next user adopts them, and without a next user the reaper stops
them. Starts and stops take turns under `start.lock`.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from campaigns_devkit import reaper
from campaigns_devkit.daemons import PROJECT, Daemon, EmbeddedError
from campaigns_devkit.files import LockFile, make_private_folder, wait_until
from campaigns_devkit.postgres import Postgres
from campaigns_devkit.sandbox_gateway import API_KEY, SandboxGateway
from campaigns_devkit.servers import Server
from campaigns_devkit.valkey import Valkey

_LOCK_WITHIN_S = 180


class Reaper(Daemon):
    """Stops the servers when the last user could not: it was killed, or its terminal closed."""

    name = "reaper"

    def command(self) -> list[str | Path]:
        return [sys.executable, "-I", "-S", reaper.__file__, self.home]

    def working_folder(self) -> Path:
        return PROJECT

    def ensure(self) -> None:
        if not self.is_alive():
            self.launch()


class Attached:
    """One user of a home. Its servers run until this user and every other user has closed or died.

    The URL of a server that was not requested is None; so is `api_key`, the key that the sandbox gateway accepts. Use
    it as a context manager, or leave closing to the end of the process; `close` may be called twice.
    """

    def __init__(self, home: Path, servers: Sequence[Server], users: LockFile) -> None:
        urls = {type(server): server.url for server in servers}
        self.home = home
        self.database_url = urls.get(Postgres)
        self.broker_url = urls.get(Valkey)
        self.gateway_url = urls.get(SandboxGateway)
        self.api_key = None if self.gateway_url is None else API_KEY
        self._servers = servers
        self._users: LockFile | None = users
        self._owner = os.getpid()
        atexit.register(self.close)

    def ensure(self) -> None:
        """Start dead servers again, each on its old port and with its old data. Raises EmbeddedError."""
        with _start_lock(self.home):
            for daemon in (Reaper(self.home), *self._servers):
                daemon.ensure()

    def close(self) -> None:
        """Leave the home. The last user stops the servers, and returns when they are gone."""
        if os.getpid() != self._owner:  # a fork shares our lock, and must not stop our servers
            return
        atexit.unregister(self.close)
        users, self._users = self._users, None
        if users is not None:
            with _start_lock(self.home):
                _leave(self.home, users)

    def __repr__(self) -> str:
        return f"<Attached to {self.home}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def attach(
    home: Path,
    *,
    database: bool = True,
    broker: bool = True,
    sandbox: bool = False,
    sandbox_options: Sequence[str] = (),
) -> Attached:
    """Start the servers that do not run yet in `home`, and keep them running while this process lives.

    `sandbox_options` go to the sandbox gateway's command line if this call starts it. Returns when every requested
    server answers. If one does not, raises EmbeddedError and leaves no process of ours running.
    """
    home = home.expanduser().resolve()
    wanted: list[Server] = []
    wanted += [Postgres(home)] if database else []
    wanted += [Valkey(home)] if broker else []
    wanted += [SandboxGateway(home, sandbox_options)] if sandbox else []
    try:
        make_private_folder(home)
        with _start_lock(home):
            return _join(home, wanted)
    except OSError as error:
        raise EmbeddedError(f"the folder {home} cannot be used for servers of our own: {error}") from error


def _join(home: Path, wanted: Sequence[Server]) -> Attached:
    users = LockFile(home / "users.lock")
    users.try_shared()  # an exclusive lock is only held under start.lock, which is ours now
    try:
        for daemon in (Reaper(home), *wanted):
            daemon.ensure()
        return Attached(home, wanted, users)
    except BaseException:  # also when interrupted: half-started servers must not stay
        _leave(home, users)
        raise


def stop_unused(home: Path) -> bool:
    """Stop the servers if no process uses them. Returns whether none did. Raises EmbeddedError."""
    with _start_lock(home), closing(LockFile(home / "users.lock")) as users:
        unused = users.try_exclusive()
        if unused:
            _stop_servers(home)
        return unused


def _leave(home: Path, users: LockFile) -> None:
    with closing(users):
        if users.try_exclusive():
            _stop_servers(home)
            Reaper(home).stop()


def _stop_servers(home: Path) -> None:
    for server in (SandboxGateway(home), Valkey(home), Postgres(home)):
        server.stop()


@contextmanager
def _start_lock(home: Path) -> Iterator[None]:
    """Hold `start.lock`: wait until no other process starts or stops servers in this home."""
    with closing(LockFile(home / "start.lock")) as lock:
        if not wait_until(lock.try_exclusive, within_s=_LOCK_WITHIN_S):
            raise EmbeddedError(f"another process has been starting or stopping servers in {home} for too long")
        yield
