"""The one clock that spans of time are measured with: it only goes forward, and counts the time a machine sleeps."""

from __future__ import annotations

import time


def steady() -> float:
    """Seconds since some moment in the past. A machine that was suspended finds that time has passed.

    Where the system has no such clock, it is the monotonic one, which stands still meanwhile.
    """
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
