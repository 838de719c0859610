"""The folder in which our own servers live, and who uses them.

Every user of a home holds a shared lock on `users.lock` for its life. The last one to close stops the servers: it is
the one that can have the lock for itself. A user that is killed lets go without a word: what it started goes on for
the others, is adopted by whoever comes next, and is stopped by the reaper where nobody does. Starting and stopping
take turns under `start.lock`.
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
    """Stops what the last user could not: it was killed, or its terminal closed."""

    name = "reaper"

    def command(self) -> list[str | Path]:
        return [sys.executable, "-I", "-S", reaper.__file__, self.home]

    def working_folder(self) -> Path:
        return PROJECT

    def ensure(self) -> None:
        if not self.is_alive():
            self.launch()


class Attached:
    """One user of a home. The servers it asked for run until it, and every other user, has closed or died.

    A URL is None where its server was not asked for; so is `api_key`, which the sandbox gateway
    accepts. Use it as a context manager, or leave closing to the end of
    the process; `close` may be called twice.
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
        """Start again what has died meanwhile, on the same port and with the same data. Raises EmbeddedError."""
        with _start_lock(self.home):
            for daemon in (Reaper(self.home), *self._servers):
                daemon.ensure()

    def close(self) -> None:
        """Leave; the last user stops the servers and comes back when they are gone."""
        if os.getpid() != self._owner:  # a fork shares our lock, and must not stop what we use
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
    """Start what does not run yet in `home`, and hold it while this process lives.

    `sandbox_options` go to the sandbox gateway's command line where this call is the one that starts it. Comes back
    when every server asked for answers; raises EmbeddedError, with nothing of ours left running, where one does not.
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
    users.try_shared()  # nobody holds it alone but in a turn, and the turn is ours
    try:
        for daemon in (Reaper(home), *wanted):
            daemon.ensure()
        return Attached(home, wanted, users)
    except BaseException:  # also when interrupted: whatever was half started must not stay
        _leave(home, users)
        raise


def stop_unused(home: Path) -> bool:
    """Stop the servers if nobody uses them; whether nobody did. Raises EmbeddedError."""
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
    """Wait until no other process starts or stops servers here, and be the one that may."""
    with closing(LockFile(home / "start.lock")) as lock:
        if not wait_until(lock.try_exclusive, within_s=_LOCK_WITHIN_S):
            raise EmbeddedError(f"another process has been starting or stopping servers in {home} for too long")
        yield
