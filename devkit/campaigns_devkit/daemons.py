"""A process that outlives whoever started it, and that anybody can find again and stop.

It holds an exclusive lock on its pid file from before its first instruction until after its last, and so does every
process it forks: we take the lock, and it inherits it. Whether it lives is thus a question to the kernel. A number in
a file may have passed to a stranger; an inherited lock cannot.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from campaigns.errors import NotReady
from campaigns_devkit.files import LockFile, last_lines, make_private_folder, open_log, wait_until


class EmbeddedError(NotReady):
    """A server or process of our own cannot be had. The sentence says why, and ends with the last lines of its log."""

    def __init__(self, what: str, *, log: Path | None = None, lines: Sequence[str] = ()) -> None:
        ending = [f"its log {log} ends with:", *lines] if lines else []
        super().__init__("\n    ".join([what, *ending]))


# ── who a daemon runs as: PostgreSQL refuses to be root, and root is who one is in most containers ──

_NOBODY = "nobody"
_OVERFLOW_ID = 65534  # what the kernel itself calls a user it has no name for


@dataclass(frozen=True, slots=True)
class Identity:
    """A command put before the server's own, or another user; neither for whoever we are."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    @property
    def groups(self) -> list[int] | None:
        """The supplementary groups: none for another user, our own otherwise."""
        return None if self.uid is None else []

    def run(self, command: Sequence[str | Path], *, holding: int | None = None) -> subprocess.CompletedProcess[str]:
        """Run a short command as this identity, in a session of its own; it inherits the file `holding`."""
        return subprocess.run(
            [*self.prefix, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=120,
            env=BARE_ENVIRONMENT,
            user=self.uid,
            group=self.gid,
            extra_groups=self.groups,
            pass_fds=[] if holding is None else [holding],
            start_new_session=True,
            check=False,
        )

    def own(self, path: Path) -> None:
        """Hand a file, or a folder with all in it, to this identity where that is another user."""
        if self.uid is None or self.gid is None:
            return
        for each in [path, *path.rglob("*")]:
            os.chown(each, self.uid, self.gid, follow_symlinks=False)


BARE_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

# As root, a namespace in which our own user has another number: files stay root's, and nothing needs to be reachable
# for anybody else, not even below a folder that only root may enter.
_RENUMBERED = Identity(("unshare", "--user", f"--map-user={_OVERFLOW_ID}", f"--map-group={_OVERFLOW_ID}", "--"))


def unprivileged(*folders: Path) -> Identity:
    """Somebody who is not root: the one who owns one of the folders, root under another number, or else `nobody`."""
    if os.geteuid() != 0:
        return Identity()
    for owner in (folder.stat() for folder in folders):
        if owner.st_uid != 0:
            return Identity(uid=owner.st_uid, gid=owner.st_gid)
    if shutil.which("unshare", path=os.defpath) and _RENUMBERED.run(["true"]).returncode == 0:
        return _RENUMBERED
    nobody = pwd.getpwnam(_NOBODY)
    return Identity(uid=nobody.pw_uid, gid=nobody.pw_gid)


# ── the daemon ──

PROJECT = Path(__file__).resolve().parents[2]

_LAUNCHED_WITHIN_S = 5

# The inner shell writes its pid and becomes the daemon; the outer one ends at once, so that the daemon is nobody's
# child: it leaves no zombie with us and does not hear the terminal's Ctrl-C.
_LAUNCH = """sh -c 'echo $$ >"$0" && exec "$@"' "$0" "$@" &"""


class Daemon(ABC):
    """One daemon of a home, and its folder there. Whoever starts or stops it has the turn of the home."""

    name: ClassVar[str]
    # What to send, and how many seconds to wait for the end before the next.
    stop_signals: ClassVar[tuple[tuple[signal.Signals, float], ...]] = ((signal.SIGTERM, 15), (signal.SIGKILL, 5))

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
        for number, patience_s in self.stop_signals:
            if not self.is_alive():
                return
            if self.pid is not None:
                with suppress(ProcessLookupError):  # what it left behind may outlive it for a moment
                    os.kill(self.pid, number)
            if wait_until(lambda: not self.is_alive(), within_s=patience_s):
                return
        raise self.failed("does not stop")

    def failed(self, what: str) -> EmbeddedError:
        return EmbeddedError(f"the embedded {self.name} {what}", log=self.log, lines=last_lines(self.log))
