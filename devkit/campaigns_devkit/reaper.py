"""Run by path, alone: wait until nobody uses a home any more, and have its servers stopped.

Users stop them by themselves as the last one leaves. This is for the last one that was killed, or whose terminal was
closed. Standard library only, and none of ours: it waits for hours, and should weigh nothing.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from pathlib import Path

_LOOK_EVERY_S = 1.0


def is_used(home: Path) -> bool:
    """Whether somebody uses the home, or starts or stops something in it."""
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
    os.execv(sys.executable, [sys.executable, "-m", "campaigns_devkit", sys.argv[1]])  # noqa: S606  no shell is meant
