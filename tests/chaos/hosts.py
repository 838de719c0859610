"""Processes that live on hosts with clocks of their own: some seconds, or an hour, off.

The library `libfaketime`, which the process loads before all others, comes with the package of this name, or with the
system's package `faketime`; neither is a dependency, because the one is compiled where it is installed. The process's
monotonic clocks stay true, as they do on a host whose wall clock is wrong.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_LIBRARY: Final = "vendor/libfaketime/src/libfaketime.so.1"
_OF_THE_SYSTEM: Final = "*/faketime/libfaketime.so.1"
_SHARED: Final = Path("/dev/shm")
_LEFT_BEHIND: Final = re.compile(r"(?:sem\.)?faketime_s(?:em|hm)_(\d+)")
_TRIED_BY_S: Final = 3600


@cache
def library() -> Path | None:
    """The library, where it can be loaded here and does what it promises; None elsewhere."""
    return next((path for path in _candidates() if path.exists() and _works(path)), None)


def at(command: Sequence[str], *, ahead_s: float) -> list[str]:
    """A command of the Procfile, run where the clock is `ahead_s` off. There must be a `library`."""
    *shell, line = command
    assert line.count("exec ") == 1, line
    return [*shell, line.replace("exec ", f"exec env {' '.join(_variables(ahead_s))} ")]


def clean_up() -> None:
    """Remove what processes that were killed have left in shared memory."""
    for path in _SHARED.glob("*faketime_*") if _SHARED.is_dir() else ():
        named = _LEFT_BEHIND.fullmatch(path.name)
        if named and not Path("/proc", named[1]).exists():
            with suppress(OSError):
                path.unlink()


def _candidates() -> Iterator[Path]:
    spec = find_spec("libfaketime")
    for folder in (spec and spec.submodule_search_locations) or []:
        yield Path(folder, _LIBRARY)
    yield from sorted(Path("/usr/lib").glob(_OF_THE_SYSTEM))


def _variables(ahead_s: float) -> list[str]:
    return [
        f"LD_PRELOAD={shlex.quote(str(library()))}",
        f"FAKETIME={ahead_s:+.3f}",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
        "NO_FAKE_STAT=1",
    ]


def _works(path: Path) -> bool:
    """Whether a process with the library sees another time, and the true monotonic one."""
    ask = "import time; print(time.time(), time.monotonic())"
    fake = {"LD_PRELOAD": str(path), "FAKETIME": f"{_TRIED_BY_S:+d}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    try:
        told = [
            subprocess.run(
                [sys.executable, "-I", "-S", "-c", ask],
                env={"PATH": os.defpath, **more},
                capture_output=True,
                text=True,
                timeout=30,
                check=True,
            ).stdout.split()
            for more in ({}, fake)
        ]
        wall, steady = (float(faked) - float(true) for true, faked in zip(*told, strict=True))
    except (OSError, ValueError, subprocess.SubprocessError):
        return False
    return abs(wall - _TRIED_BY_S) < _TRIED_BY_S / 10 and abs(steady) < _TRIED_BY_S / 10
