"""A machine that was suspended for an hour, as one process sees it; no machine is suspended for it.

Linux has namespaces of time: the process moves into one in which CLOCK_BOOTTIME is an hour ahead and CLOCK_MONOTONIC is
not. For the process that is just what a suspended machine does. No library stands between it and the kernel's clocks,
so that the test would notice code that reads another clock than it says. It needs Linux 5.6 and the right to make
namespaces, as root or in a user namespace, and a process with one thread.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

import pytest

HOUR: Final = 3600
_NEW_TIME: Final = 0x80
_NEW_USER: Final = 0x10000000
_OFFSETS: Final = Path("/proc/self/timens_offsets")


def fall_asleep(seconds: int = HOUR) -> None:
    """Be in a machine that has just slept for so long. Raises: OSError where that cannot be done here."""
    libc = ctypes.CDLL(None, use_errno=True)

    def do(made: int) -> None:
        if made < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    do(libc.unshare(_NEW_TIME | (_NEW_USER if os.geteuid() else 0)))
    _OFFSETS.write_text(f"boottime {seconds} 0\n")
    inside = os.open("/proc/self/ns/time_for_children", os.O_RDONLY)
    try:
        do(libc.setns(inside, _NEW_TIME))
    finally:
        os.close(inside)


@cache
def _can_be_done() -> bool:
    if sys.platform != "linux":
        return False
    tried = [sys.executable, "-c", "from tests.sleeping import fall_asleep; fall_asleep()"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


def needed() -> None:
    """Skip the test where no process can be put to sleep."""
    if not _can_be_done():
        pytest.skip("no machine can be put to sleep for one process: that takes Linux 5.6 and the right to namespaces")
