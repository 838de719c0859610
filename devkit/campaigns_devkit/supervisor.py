"""Keep the processes of the Procfile running: start them, write their output to files, restart processes that die, and
leave none behind.

Each process has a thread of ours that waits for it, and a session of its own: a Ctrl-C in the terminal reaches only us,
and we stop the processes in our own order. If we are killed ourselves, the kernel signals each process to stop
(`parent_death`). It does so when the *thread* that started a process ends, so that thread lives as long as we do.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from campaigns_devkit import parent_death
from campaigns_devkit.files import make_private_folder, open_log
from kavenegar_campaigns.errors import BadInput

PROCFILE = Path(__file__).resolve().parents[2] / "Procfile"

_LINE = re.compile(r"(?P<name>[A-Za-z0-9_-]+):\s*(?P<command>\S.*)")


def read_procfile(path: Path = PROCFILE) -> dict[str, str]:
    """Return the shell command of each name, in the order of the file. Raises BadInput."""
    processes = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line.rstrip())
        if found is None:
            raise BadInput(f"{path.name} says `{line}`, not `name: command`", row=number)
        processes[found["name"]] = found["command"]
    return processes


def procfile_commands(names: Iterable[str], path: Path = PROCFILE) -> dict[str, list[str]]:
    """Return the commands for a `Supervisor`, by name. Raises BadInput where a name is not in the file."""
    known = read_procfile(path)
    chosen = list(names)
    unknown = sorted(set(chosen) - set(known))
    if unknown:
        raise BadInput(f"{path.name} has no {', '.join(unknown)}; it has {', '.join(known)}")
    return {name: ["/bin/sh", "-c", known[name]] for name in chosen}


# ── the supervisor ──

GRACE_S = 120
_LAST_GRACE_S = 10
_KILL_WITHIN_S = 5
_FIRST_DELAY_S = 1.0
_LONGEST_DELAY_S = 30.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProcessState:
    """The state of one process. `pid` is its last pid; `restarts` counts how often it died and was started again."""

    name: str
    pid: int | None
    restarts: int
    alive: bool


class Supervisor:
    """Runs `processes` (name → command) in the environment `env`, each with its log `log_dir/<name>.log`.

    The programs of our own virtual environment come first on their PATH. As a context manager it stops the processes at
    every end of the block. At the latest they are stopped at the end of our process.
    """

    def __init__(self, processes: Mapping[str, Sequence[str]], env: Mapping[str, str], log_dir: Path) -> None:
        programs = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', os.defpath)}"
        make_private_folder(log_dir)
        self._changed = threading.Condition()
        self._kept = {
            name: _SupervisedProcess(name, command, {**env, "PATH": programs}, log_dir / f"{name}.log", self._changed)
            for name, command in processes.items()
        }

    def start(self) -> None:
        """Start all processes, and return at once. An interruption leaves none behind."""
        atexit.register(self.stop, grace_s=_LAST_GRACE_S)
        try:
            for kept in self._kept.values():
                kept.start()
        except BaseException:
            self.stop(grace_s=0)
            raise

    def stop(self, grace_s: float = GRACE_S) -> None:
        """Signal all processes to stop, kill the rest after `grace_s` seconds, and return when all are gone.

        A second Ctrl-C kills them at once.
        """
        deadline = time.monotonic() + grace_s
        try:
            for kept in self._kept.values():
                kept.ask_to_stop()
            for kept in self._kept.values():
                kept.join_until(deadline)
        finally:
            for kept in self._kept.values():
                kept.kill()
            for kept in self._kept.values():
                kept.join_until(time.monotonic() + _KILL_WITHIN_S)
        atexit.unregister(self.stop)

    def states(self) -> list[ProcessState]:
        return [kept.state() for kept in self._kept.values()]

    def signal(self, name: str, signum: signal.Signals) -> None:
        """Send a signal to one process, for a test that kills it."""
        self._kept[name].send(signum)

    def wait_for(self, condition: Callable[[list[ProcessState]], bool], *, within_s: float) -> bool:
        """Wait until the states fulfil `condition`. Returns whether they did within `within_s` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self.states()), timeout=within_s)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _SupervisedProcess:
    """One process, and the thread that starts it, waits for its end and starts it again."""

    def __init__(
        self, name: str, command: Sequence[str], env: Mapping[str, str], log_file: Path, changed: threading.Condition
    ) -> None:
        self.name = name
        self._command = [sys.executable, "-I", "-S", parent_death.__file__, str(os.getpid()), *command]
        self._env = env
        self._log_file = log_file
        self._changed = changed  # its lock guards the fields below
        self._process: subprocess.Popen[bytes] | None = None
        self._restarts = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name=f"keeps-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def state(self) -> ProcessState:
        with self._changed:
            process = self._process
            alive = process is not None and process.poll() is None
            return ProcessState(self.name, process.pid if process else None, self._restarts, alive)

    def send(self, signum: signal.Signals) -> None:
        with self._changed, suppress(ProcessLookupError):
            if self._process is not None:
                self._process.send_signal(signum)

    def ask_to_stop(self) -> None:
        self._stopping.set()
        self.send(signal.SIGTERM)

    def kill(self) -> None:
        self._stopping.set()
        with self._changed:
            if self._process is not None and self._process.poll() is None:
                _kill_group(self._process.pid)

    def join_until(self, deadline: float) -> None:
        if self._thread.is_alive():
            self._thread.join(max(0.0, deadline - time.monotonic()))

    def _supervise(self) -> None:
        delay_s = _FIRST_DELAY_S
        while (process := self._spawn()) is not None:
            began = time.monotonic()
            exit_code = process.wait()
            _kill_group(process.pid)
            self._notify()
            if time.monotonic() - began > _LONGEST_DELAY_S:
                delay_s = _FIRST_DELAY_S
            if self._stopping.is_set():
                return
            facts = {"process_name": self.name, "exit_code": exit_code, "restart_in_s": delay_s}
            log.warning("process exited", extra=facts)
            self._stopping.wait(delay_s)
            delay_s = min(2 * delay_s, _LONGEST_DELAY_S)

    def _spawn(self) -> subprocess.Popen[bytes] | None:
        """Start the process and return it; None once we are stopping."""
        with self._changed, open_log(self._log_file) as output:
            if self._stopping.is_set():
                return None
            self._restarts += self._process is not None
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._env,
                start_new_session=True,
            )
            self._changed.notify_all()
            return self._process

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()


def _kill_group(leader: int) -> None:
    """Kill a process and all processes of its group, which may outlive it."""
    with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        os.killpg(leader, signal.SIGKILL)
