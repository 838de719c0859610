"""Processes that run as on hosts with wrong clocks: some seconds, or an hour, off.

Their monotonic clocks stay true, as they do on a host whose wall clock is wrong: see `tests.wrong_clock`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests import wrong_clock

_SHARED: Final = Path("/dev/shm")
_LEFT_BEHIND: Final = re.compile(r"(?:sem\.)?faketime_s(?:em|hm)_(\d+)")


def can_differ() -> bool:
    """Whether a process can have a wrong clock on this machine."""
    return bool(wrong_clock.library())


def at(command: Sequence[str], *, ahead_s: float) -> list[str]:
    """Return a command of the Procfile, run with a clock that is `ahead_s` off. `can_differ` must be true."""
    *shell, line = command
    assert line.count("exec ") == 1, line
    clock = {**wrong_clock.environment(ahead_s), "NO_FAKE_STAT": "1"}
    variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in clock.items())
    return [*shell, line.replace("exec ", f"exec env {variables} ")]


def clean_up() -> None:
    """Remove the shared memory that killed processes have left."""
    for path in _SHARED.glob("*faketime_*") if _SHARED.is_dir() else ():
        named = _LEFT_BEHIND.fullmatch(path.name)
        if named and not Path("/proc", named[1]).exists():
            with suppress(OSError):
                path.unlink()
