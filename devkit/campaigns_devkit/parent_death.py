"""Run by path, alone: become a command that is told to stop when the process that started it dies.

Linux only; elsewhere the command is not tethered. Where the start itself asks for a hook between fork and exec,
Python runs in a child that has copied the locks of threads it has not copied, and may wait for them for ever.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2)


def main(parent: int, command: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == parent:  # it may have died before we asked
        os.execvp(command[0], command)  # noqa: S606  the command is whole, no shell is meant


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
