"""How a command starts a demo's keeper, finds one that runs, and lets one go or stops it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from worker.demo import keeper, surroundings
from worker.demo.surroundings import Place
from worker.embedded import EmbeddedError, attach
from worker.embedded.files import last_lines, make_private_folder, open_log
from worker.embedded.gateway import Gateway
from worker.embedded.locks import LockFile, wait_until
from worker.embedded.postgres import Postgres
from worker.embedded.valkey import Valkey

Tell = Callable[[str], None]

FREE_WITHIN_S: Final = 60.0
GONE_WITHIN_S: Final = 90.0


@dataclass(frozen=True, slots=True)
class Running:
    """A keeper that lives. `stays`: it was told to, and serves whoever comes."""

    pid: int | None  # None for the moment before it has written it
    stays: bool


class Held:
    """A demo that runs for us: ours, or one that stayed since an earlier time."""

    def __init__(self, place: Place, keeper_process: subprocess.Popen[str] | None) -> None:
        self.place = place
        self.stays = keeper_process is None
        self._keeper = keeper_process

    def let_stay(self) -> None:
        """It goes on without us."""
        if self._keeper is not None and not self.stays:
            _input(self._keeper).write(keeper.STAY.decode())
            _input(self._keeper).flush()
            self.stays = True

    def check(self) -> None:
        """Raises: EmbeddedError when it has died under us."""
        if self._keeper is not None and self._keeper.poll() is not None:
            raise _died(self.place.home)


@contextmanager
def held(home: Path, *, tell: Tell) -> Iterator[Held]:
    """A running demo: the one that stays in `home`, or a new one, which ends with the block unless it is let stay.

    Raises: EmbeddedError when something of it cannot be had, or another demo has `home` for too long.
    """
    make_private_folder(home)
    if _found_staying(home, tell=tell):
        place = keeper.read_place(home)
        if place is None:
            raise EmbeddedError(f"the demo in {home} is in disorder: `campaigns demo --stop` and start it anew")
        yield Held(place, None)
        return
    process = _start(home)
    leashed = None
    try:
        leashed = Held(_ready(process, home, tell=tell), process)
        yield leashed
    finally:
        _input(process).close()
        if leashed is None or not leashed.stays:
            tell("stopping everything that was started")
            _end(process, home)


def running(home: Path) -> Running | None:
    """The keeper that lives in `home`; None where none does."""
    lock_file = keeper.lock_file(home)
    if not lock_file.exists():
        return None
    with closing(LockFile(lock_file)) as lock:
        if lock.try_exclusive():
            return None
    pid, _, stays = lock_file.read_text().partition(" ")
    return Running(int(pid) if pid.isdecimal() else None, bool(stays))


def stop(home: Path) -> bool:
    """Stop what runs in `home`, also what a killed keeper has left; False where nothing did."""
    found = running(home)
    if found is not None and found.pid is not None:
        with suppress(ProcessLookupError):
            os.kill(found.pid, signal.SIGTERM)
        if not wait_until(lambda: running(home) is None, within_s=GONE_WITHIN_S):
            raise EmbeddedError(f"the demo in {home} (process {found.pid}) does not stop", log=_log(home))
    return _stop_orphans(home) or found is not None


def _found_staying(home: Path, *, tell: Tell) -> bool:
    """Whether a demo stays here; one that will not is waited for until it has gone."""
    found = running(home)
    if found is not None and not found.stays:
        tell("another demo runs here, or is still stopping: waiting for it")
        settled = wait_until(lambda: (now := running(home)) is None or now.stays, within_s=FREE_WITHIN_S)
        if not settled:
            raise EmbeddedError(f"another demo runs in {home}: wait for its end, or stop it: `campaigns demo --stop`")
        found = running(home)
    return found is not None


def _start(home: Path) -> subprocess.Popen[str]:
    make_private_folder(_log(home).parent)
    with open_log(_log(home)) as log:
        return subprocess.Popen(
            [sys.executable, "-m", "worker.demo.keeper", str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=surroundings.PROJECT,
            env=surroundings.bare(home),
            start_new_session=True,  # a Ctrl-C reaches us alone
        )


def _ready(process: subprocess.Popen[str], home: Path, *, tell: Tell) -> Place:
    """Where everything is, once it is there; its keeper tells meanwhile what it does."""
    assert process.stdout is not None  # noqa: S101 - it was asked for
    for line in process.stdout:
        said = line.strip()
        if said.startswith(keeper.FAILED):
            raise EmbeddedError(said.removeprefix(keeper.FAILED))
        if said == keeper.READY and (place := keeper.read_place(home)) is not None:
            return place
        tell(said)
    raise _died(home)


def _end(process: subprocess.Popen[str], home: Path) -> None:
    """Its input is closed, and it may not be far enough to notice: a signal it notices at once."""
    process.terminate()
    try:
        process.wait(timeout=GONE_WITHIN_S)
    except subprocess.TimeoutExpired:
        raise EmbeddedError(f"the demo (process {process.pid}) does not stop", log=_log(home)) from None
    _stop_orphans(home)


def _stop_orphans(home: Path) -> bool:
    """Servers whose keeper was killed are adopted, and stopped; whether there were any."""
    left = [server for server in (Postgres(home), Valkey(home), Gateway(home)) if server.is_alive()]
    if left:
        attach(home, sandbox=True).close()
    return bool(left)


def _died(home: Path) -> EmbeddedError:
    log = _log(home)
    return EmbeddedError("the process that keeps the demo running has died", log=log, lines=last_lines(log))


def _log(home: Path) -> Path:
    return home / "logs" / "keeper.log"


def _input(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdin is not None  # noqa: S101 - it was asked for
    return process.stdin
