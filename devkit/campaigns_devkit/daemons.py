"""A process that outlives its starter, and that any process of the user can find again and stop.

It holds an exclusive lock on its pid file from before its first instruction until after its last, and so does every
process that it forks: we take the lock, and the daemon inherits it. So the kernel knows whether the daemon lives. The
pid in a file may belong to another process by now; an inherited lock cannot.
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

from campaigns_devkit.files import LockFile, last_lines, make_private_folder, open_log, wait_until
from kavenegar_campaigns.errors import NotReady


class EmbeddedError(NotReady):
    """One of our servers or processes cannot run. The message says why, and ends with the last lines of its log."""

    def __init__(self, what: str, *, log: Path | None = None, lines: Sequence[str] = ()) -> None:
        ending = [f"its log {log} ends with:", *lines] if lines else []
        super().__init__("\n    ".join([what, *ending]))


# ── the user of a daemon: PostgreSQL refuses to run as root, and most containers run everything as root ──

_NOBODY = "nobody"
_OVERFLOW_ID = 65534  # the kernel's id for an unmapped user


@dataclass(frozen=True, slots=True)
class Identity:
    """The user of a daemon: a command prefix, or another user's ids; with neither, our own user."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    @property
    def groups(self) -> list[int] | None:
        """Return the supplementary groups: an empty list for another user; None keeps ours."""
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
        """Change the owner of a file, or of a folder with its contents, if this identity is another user."""
        if self.uid is None or self.gid is None:
            return
        for each in [path, *path.rglob("*")]:
            os.chown(each, self.uid, self.gid, follow_symlinks=False)


BARE_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

# As root: a namespace in which our own user has another id. The files stay root's, and no other user needs access to
# them, not even below a folder that only root may enter.
_RENUMBERED = Identity(("unshare", "--user", f"--map-user={_OVERFLOW_ID}", f"--map-group={_OVERFLOW_ID}", "--"))


def unprivileged(*folders: Path) -> Identity:
    """Return an identity that is not root: the owner of one of the folders, root under another id, or `nobody`."""
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

# The inner shell writes its pid and becomes the daemon; the outer shell ends at once, so that the daemon is not our
# child: it leaves us no zombie and does not get the terminal's Ctrl-C.
_LAUNCH = """sh -c 'echo $$ >"$0" && exec "$@"' "$0" "$@" &"""


class Daemon(ABC):
    """One daemon of a home, and its folder there. Callers that start or stop it hold the `start.lock` of the home."""

    name: ClassVar[str]
    # Signals to send in turn, each with the seconds to wait before the next.
    stop_signals: ClassVar[tuple[tuple[signal.Signals, float], ...]] = ((signal.SIGTERM, 15), (signal.SIGKILL, 5))

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / self.name
        self.log = home / "logs" / f"{self.name}.log"
        self._pid_file = self.folder / "pid"

    @abstractmethod
    def command(self) -> list[str | Path]:
        """Return the command to run. It never holds a password: every user of the machine can read it."""

    @abstractmethod
    def ensure(self) -> None:
        """Start the daemon if it does not run, and return when it works. Raises EmbeddedError."""

    def prepare(self, _life: LockFile) -> Identity:
        """Create the files for a start. Returns the identity to run as. Safe to repeat after an interruption.

        A process that creates some of them inherits `life`, so that no other start begins while it runs.
        """
        return Identity()

    def environment(self) -> Mapping[str, str] | None:
        """Return the daemon's whole environment; None passes ours on."""
        return None

    def working_folder(self) -> Path:
        return self.folder

    @property
    def pid(self) -> int | None:
        """Return the pid of the running daemon; None during `prepare`, or when it has only been launched."""
        written = self._pid_file.read_text()
        return int(written) if written.endswith("\n") else None

    def is_alive(self) -> bool:
        """Return whether the daemon, or a process that it left behind, still runs."""
        if not self._pid_file.exists():
            return False
        with closing(LockFile(self._pid_file)) as life:
            return not life.try_exclusive()

    def launch(self) -> None:
        """Start the daemon without waiting until it works."""
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
        """Stop the daemon if it runs, and return when it is gone. Raises EmbeddedError where it does not stop."""
        wait_until(lambda: not self.is_alive() or self.pid is not None, within_s=_LAUNCHED_WITHIN_S)
        for number, patience_s in self.stop_signals:
            if not self.is_alive():
                return
            if self.pid is not None:
                with suppress(ProcessLookupError):  # processes that it left behind may outlive it for a moment
                    os.kill(self.pid, number)
            if wait_until(lambda: not self.is_alive(), within_s=patience_s):
                return
        raise self.failed("does not stop")

    def failed(self, what: str) -> EmbeddedError:
        return EmbeddedError(f"the embedded {self.name} {what}", log=self.log, lines=last_lines(self.log))
