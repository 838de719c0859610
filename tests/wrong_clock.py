"""A wall clock that is wrong, for one process: libfaketime, loaded before everything else.

The steady clocks stay what they are: a host whose clock is wrong measures spans as well as any other. The library is
looked for where the development dependency has it (for x86-64 alone, whatever its wheel says), then where Linux
distributions have it. On other machines the tests that need it may be skipped, and say so; on x86-64 they fail.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

_HOUR: Final = 3600
_OURS_S: Final = float(os.environ.get("FAKETIME", "0"))
"""How far our own clock is shifted: see scripts/hours."""

_PRINT_CLOCKS: Final = (
    "import time; print(int(time.time()), int(time.monotonic()), int(time.clock_gettime(time.CLOCK_BOOTTIME)))"
)


def environment(offset_s: float) -> dict[str, str]:
    """What a process is started with whose clock is so many seconds ahead of ours, or behind."""
    return {**_loaded(library()), "FAKETIME": f"{_OURS_S + offset_s:+f}"}


def settable(file: Path) -> dict[str, str]:
    """The same for a process whose clock is set while it runs, by `set_clock`."""
    return {**_loaded(library()), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1"}


def set_clock(file: Path, offset_s: float) -> None:
    """Set the clock of whoever was started with this file."""
    new = file.with_suffix(".new")
    new.write_text(f"{_OURS_S + offset_s:+f}\n")
    new.replace(file)


def needed() -> None:
    """Skip the test where no process can have a wrong clock. Where the development dependency is, it has to work."""
    if library():
        return
    if (sys.platform, platform.machine()) == ("linux", "x86_64"):
        pytest.fail("libfaketime, of the development dependencies, is missing or does not work")
    else:
        pytest.skip("no process can have a wrong clock here: there is no libfaketime for this machine")


def _loaded(library: str) -> dict[str, str]:
    return {"LD_PRELOAD": library, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}


@cache
def library() -> str:
    """The library, where it can be loaded here and does what it promises; empty elsewhere."""
    return next((found for found in map(str, _candidates()) if _works(found)), "")


def _candidates() -> Iterator[Path]:
    found = importlib.util.find_spec("libfaketime")
    for folder in (found.submodule_search_locations or []) if found else []:
        yield from Path(folder).glob("vendor/libfaketime/src/libfaketime*.so.1")
    for folder in ("/usr/lib", "/usr/lib64", "/usr/local/lib"):
        for where in ("faketime", "*/faketime"):
            yield from sorted(Path(folder).glob(f"{where}/libfaketimeMT.so.1"))


def _works(library: str) -> bool:
    """Whether the library moves the wall clock by the offset, and no steady clock."""
    if sys.platform != "linux" or not Path(library).is_file():
        return False
    readings = []
    for offset in ({}, {**_loaded(library), "FAKETIME": f"{_OURS_S + _HOUR:+f}"}):
        done = subprocess.run(
            [sys.executable, "-c", _PRINT_CLOCKS],
            env={**os.environ, **offset},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            return False
        readings.append([int(seconds) for seconds in done.stdout.split()])
    wall, *others = (after - before for before, after in zip(*readings, strict=True))
    return wall >= _HOUR and all(moved < _HOUR for moved in others)
