"""Start a demo's runner, find a running one, let it stay, or stop it."""

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

from campaigns_devkit import EmbeddedError, attach
from campaigns_devkit.demo import environment, runner
from campaigns_devkit.demo.environment import DemoEndpoints
from campaigns_devkit.files import LockFile, last_lines, make_private_folder, open_log, wait_until
from campaigns_devkit.postgres import Postgres
from campaigns_devkit.sandbox_gateway import SandboxGateway
from campaigns_devkit.valkey import Valkey

PrintLine = Callable[[str], None]

FREE_WITHIN_S: Final = 60.0
GONE_WITHIN_S: Final = 90.0


@dataclass(frozen=True, slots=True)
class RunnerState:
    """A living runner. `stays`: it goes on without its starter, and later commands may use it."""

    pid: int | None  # None until the runner has written it
    stays: bool


class DemoHandle:
    """A demo that runs for us: our own, or an earlier demo that stayed."""

    def __init__(self, endpoints: DemoEndpoints, runner_process: subprocess.Popen[str] | None) -> None:
        self.endpoints = endpoints
        self.stays = runner_process is None
        self._runner = runner_process

    def let_stay(self) -> None:
        """Let the demo go on without us."""
        if self._runner is not None and not self.stays:
            _stdin_of(self._runner).write(runner.STAY.decode())
            _stdin_of(self._runner).flush()
            self.stays = True

    def check(self) -> None:
        """Check that the runner lives. Raises: EmbeddedError when it has died."""
        if self._runner is not None and self._runner.poll() is not None:
            raise _runner_died(self.endpoints.home)


@contextmanager
def start_or_join(home: Path, *, print_line: PrintLine) -> Iterator[DemoHandle]:
    """Yield a running demo: the one that stays in `home`, or a new one, which ends with the block unless `let_stay`.

    Raises: EmbeddedError when a server or process cannot start, or another demo has `home` for too long.
    """
    make_private_folder(home)
    if _wait_for_staying(home, print_line=print_line):
        endpoints = runner.read_endpoints(home)
        if endpoints is None:
            raise EmbeddedError(f"the demo in {home} is in disorder: `campaigns demo --stop` and start it anew")
        yield DemoHandle(endpoints, None)
        return
    process = _start_runner(home)
    handle = None
    try:
        handle = DemoHandle(_wait_until_ready(process, home, print_line=print_line), process)
        yield handle
    finally:
        _stdin_of(process).close()
        if handle is None or not handle.stays:
            print_line("stopping everything that was started")
            _stop_runner(process, home)


def find_runner(home: Path) -> RunnerState | None:
    """Return the runner that lives in `home`; None where there is none."""
    lock_file = runner.lock_file(home)
    if not lock_file.exists():
        return None
    with closing(LockFile(lock_file)) as lock:
        if lock.try_exclusive():
            return None
    pid, _, stays = lock_file.read_text().partition(" ")
    return RunnerState(int(pid) if pid.isdecimal() else None, bool(stays))


def stop_demo(home: Path) -> bool:
    """Stop the demo in `home`, and servers that a killed runner left. Returns False where nothing ran."""
    found = find_runner(home)
    if found is not None and found.pid is not None:
        with suppress(ProcessLookupError):
            os.kill(found.pid, signal.SIGTERM)
        if not wait_until(lambda: find_runner(home) is None, within_s=GONE_WITHIN_S):
            raise EmbeddedError(f"the demo in {home} (process {found.pid}) does not stop", log=_runner_log(home))
    return _stop_orphans(home) or found is not None


def _wait_for_staying(home: Path, *, print_line: PrintLine) -> bool:
    """Return whether a demo stays here. If a demo runs that does not stay, wait for its end."""
    found = find_runner(home)
    if found is not None and not found.stays:
        print_line("another demo runs here, or is still stopping: waiting for it")
        settled = wait_until(lambda: (now := find_runner(home)) is None or now.stays, within_s=FREE_WITHIN_S)
        if not settled:
            raise EmbeddedError(f"another demo runs in {home}: wait for its end, or stop it: `campaigns demo --stop`")
        found = find_runner(home)
    return found is not None


def _start_runner(home: Path) -> subprocess.Popen[str]:
    make_private_folder(_runner_log(home).parent)
    with open_log(_runner_log(home)) as log:
        return subprocess.Popen(
            [sys.executable, "-m", "campaigns_devkit.demo.runner", str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=environment.PROJECT,
            env=environment.bare_environment(home),
            start_new_session=True,  # a Ctrl-C reaches only us
        )


def _wait_until_ready(process: subprocess.Popen[str], home: Path, *, print_line: PrintLine) -> DemoEndpoints:
    """Wait for the runner, print its steps, and return the demo's endpoints."""
    assert process.stdout is not None  # noqa: S101 - Popen was called with a pipe
    for line in process.stdout:
        said = line.strip()
        if said.startswith(runner.FAILED):
            raise EmbeddedError(said.removeprefix(runner.FAILED))
        if said == runner.READY and (endpoints := runner.read_endpoints(home)) is not None:
            return endpoints
        print_line(said)
    raise _runner_died(home)


def _stop_runner(process: subprocess.Popen[str], home: Path) -> None:
    """Stop a runner whose input is closed by a signal: early in its start it does not read its input yet."""
    process.terminate()
    try:
        process.wait(timeout=GONE_WITHIN_S)
    except subprocess.TimeoutExpired:
        raise EmbeddedError(f"the demo (process {process.pid}) does not stop", log=_runner_log(home)) from None
    _stop_orphans(home)


def _stop_orphans(home: Path) -> bool:
    """Adopt and stop servers whose runner was killed. Returns whether there were any."""
    left = [server for server in (Postgres(home), Valkey(home), SandboxGateway(home)) if server.is_alive()]
    if left:
        attach(home, sandbox=True).close()
    return bool(left)


def _runner_died(home: Path) -> EmbeddedError:
    log = _runner_log(home)
    return EmbeddedError("the process that keeps the demo running has died", log=log, lines=last_lines(log))


def _runner_log(home: Path) -> Path:
    return home / "logs" / "runner.log"


def _stdin_of(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdin is not None  # noqa: S101 - Popen was called with a pipe
    return process.stdin
