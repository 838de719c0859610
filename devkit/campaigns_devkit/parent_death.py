"""Run by path, as a script: become a command that the kernel stops when the process that started it dies.

Linux only; elsewhere the command outlives that process. With a hook between fork and exec instead, Python would run in
a child with the locks of threads that were not copied, and might wait for these locks for ever.
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
    if os.getppid() == parent:  # the parent may have died before the prctl call
        os.execvp(command[0], command)  # noqa: S606  the command is whole and needs no shell


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
