"""A process that outlives whoever started it, and that anybody can find again and stop.

It holds an exclusive lock on its pid file from before its first instruction until after its last, and so does every
process it forks: we take the lock, and it inherits it. Whether it lives is thus a question to the kernel. A number in
a file may have passed to a stranger; an inherited lock cannot.
"""

from __future__ import annotations

import os
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import ClassVar

from worker.embedded.errors import EmbeddedError
from worker.embedded.files import last_lines, make_private_folder, open_log
from worker.embedded.identity import Identity
from worker.embedded.locks import LockFile, wait_until

PROJECT = Path(__file__).resolve().parents[2]

_LAUNCHED_WITHIN_S = 5

# The inner shell writes its pid and becomes the daemon; the outer one ends at once, so that the daemon is nobody's
# child: it leaves no zombie with us and does not hear the terminal's Ctrl-C.
_LAUNCH = """sh -c 'echo $$ >"$0" && exec "$@"' "$0" "$@" &"""


class Daemon(ABC):
    """One daemon of a home, and its folder there. Whoever starts or stops it has the turn of the home."""

    name: ClassVar[str]
    # What to send, and how many seconds to wait for the end before the next.
    farewells: ClassVar[tuple[tuple[signal.Signals, float], ...]] = ((signal.SIGTERM, 15), (signal.SIGKILL, 5))

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / self.name
        self.log = home / "logs" / f"{self.name}.log"
        self._pid_file = self.folder / "pid"

    @abstractmethod
    def command(self) -> list[str | Path]:
        """What to run. Never holds a password: every user of the machine can read it."""

    @abstractmethod
    def ensure(self) -> None:
        """Start it if it does not run, and come back when it does its work. Raises EmbeddedError."""

    def prepare(self, _life: LockFile) -> Identity:
        """Make what it needs before a start; who is to run it. Safe to repeat after an interruption.

        A process that does some of the making inherits `life`, so that nobody starts over while it still does.
        """
        return Identity()

    def environment(self) -> Mapping[str, str] | None:
        """Its whole environment; None hands ours on."""
        return None

    def working_folder(self) -> Path:
        return self.folder

    @property
    def pid(self) -> int | None:
        """Of the running daemon; None while it is being made, or has only been launched."""
        written = self._pid_file.read_text()
        return int(written) if written.endswith("\n") else None

    def is_alive(self) -> bool:
        """Whether it, or a process it left behind, still runs."""
        if not self._pid_file.exists():
            return False
        with closing(LockFile(self._pid_file)) as life:
            return not life.try_exclusive()

    def launch(self) -> None:
        """Start it, without waiting for it to be of use."""
        make_private_folder(self.folder)
        make_private_folder(self.log.parent)
        with closing(LockFile(self._pid_file)) as life, open_log(self.log) as log:
            if not wait_until(life.try_exclusive, within_s=_LAUNCHED_WITHIN_S):
                raise self.failed("is being started by somebody else")
            os.truncate(life.fd, 0)
            identity = self.prepare(life)
            subprocess.run(
                ["/bin/sh", "-c", _LAUNCH, self._pid_file, *identity.prefix, *self.command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.working_folder(),
                env=self.environment(),
                user=identity.uid,
                group=identity.gid,
                extra_groups=identity.groups,
                pass_fds=[life.fd],
                start_new_session=True,
                check=True,
            )

    def stop(self) -> None:
        """Stop it if it runs, and come back when it is gone. Raises EmbeddedError where it will not go."""
        wait_until(lambda: not self.is_alive() or self.pid is not None, within_s=_LAUNCHED_WITHIN_S)
        for farewell, patience_s in self.farewells:
            if not self.is_alive():
                return
            if self.pid is not None:
                with suppress(ProcessLookupError):  # what it left behind may outlive it for a moment
                    os.kill(self.pid, farewell)
            if wait_until(lambda: not self.is_alive(), within_s=patience_s):
                return
        raise self.failed("does not stop")

    def failed(self, what: str) -> EmbeddedError:
        return EmbeddedError(f"the embedded {self.name} {what}", log=self.log, lines=last_lines(self.log))
