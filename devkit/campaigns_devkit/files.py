"""Files and folders that only their owner may read, logs of limited size, and locks between processes."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_PRIVATE_FOLDER = 0o700
_PRIVATE_FILE = 0o600
_LOG_BYTES_AT_MOST = 8 << 20
_TAIL_BYTES = 4096


def make_private_folder(path: Path) -> None:
    path.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Replace the whole file: a reader sees the old text or the new one, also after an interruption."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE), "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)


def open_log(path: Path) -> BinaryIO:
    """Open a log for appending. A log of more than 8 MiB is renamed to `<name>.1` first."""
    if path.exists() and path.stat().st_size > _LOG_BYTES_AT_MOST:
        path.replace(path.with_name(f"{path.name}.1"))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _PRIVATE_FILE), "wb")


def last_lines(path: Path, *, at_most: int = 12) -> list[str]:
    """Return the last lines of a log; none where there is no log."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return file.read().decode(errors="replace").splitlines()[-at_most:]


# ── locks, which the kernel releases at every death of their holder ──

_PAUSE_S = 0.02


def wait_until(condition: Callable[[], bool], *, within_s: float) -> bool:
    """Check `condition` every 20 ms until it holds. Returns whether it did within `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_PAUSE_S)
    return True


class LockFile:
    """An open file to lock: shared by many holders, or exclusively by one. Closing it releases the lock.

    The lock belongs to the open file, not to the process: a child that inherits `fd` holds the lock too, and the lock
    is free only when all holders are gone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def try_exclusive(self) -> bool:
        return self._try(fcntl.LOCK_EX)

    def try_shared(self) -> bool:
        return self._try(fcntl.LOCK_SH)

    def close(self) -> None:
        os.close(self.fd)

    def _try(self, kind: int) -> bool:
        try:
            fcntl.flock(self.fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
