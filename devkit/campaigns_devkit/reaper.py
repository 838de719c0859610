"""Run by path, as a script: wait until no process uses a home any more, and have its servers stopped.

Normally the last user stops the servers when it leaves. The reaper stops them when the last user was killed, or its
terminal closed. It imports only the standard library: it waits for hours, and should use little memory.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from pathlib import Path

_LOOK_EVERY_S = 1.0


def is_used(home: Path) -> bool:
    """Return whether a process uses the home, or starts or stops servers in it."""
    with (home / "start.lock").open() as turn, (home / "users.lock").open() as users:
        try:
            fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


if __name__ == "__main__":
    while is_used(Path(sys.argv[1])):
        time.sleep(_LOOK_EVERY_S)
    os.execv(sys.executable, [sys.executable, "-m", "campaigns_devkit", sys.argv[1]])  # noqa: S606  needs no shell
