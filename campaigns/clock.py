"""The one clock for deadlines, leases and ages: it goes on while the machine sleeps.

time.monotonic() stands still while a machine is suspended. A deadline on it is still open when the machine wakes,
long after the lease, which the database measures, has ended.
"""

from __future__ import annotations

import time
from typing import Final

_ID: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux has CLOCK_BOOTTIME for this. On macOS CLOCK_MONOTONIC itself counts sleep, unlike time.monotonic()."""


def steady() -> float:
    """Seconds since some moment in the past. It never goes back, and no setting of the wall clock moves it."""
    return time.clock_gettime(_ID)
