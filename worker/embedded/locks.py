"""File locks between processes, which the kernel lets go when their holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

_PAUSE_S = 0.02


def wait_until(condition: Callable[[], bool], *, within_s: float) -> bool:
    """Ask `condition` every 20 ms until it holds; whether it did within `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_PAUSE_S)
    return True


class LockFile:
    """An open file to lock: shared by many holders or exclusively by one. Closing it lets go.

    The lock belongs to the open file, not to the process: a child that inherits `fd` holds it too, and it is free
    only when the last of them is gone.
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
