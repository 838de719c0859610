"""spin and gcc, which check the model: run in folders of their own, bounded in time and memory."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

MODEL: Final = Path(__file__).resolve().parents[2] / "docs" / "model"
MISSING: Final = "the model is checked with spin and gcc; on Debian and Ubuntu: apt install spin gcc"


class Seen(StrEnum):
    """What came out of a check."""

    HOLDS = "holds"
    TWICE = "sent twice"
    UNTRUE = "untrue record"
    MOVE = "illegal move"
    ENDLESS = "no end"
    UNFINISHED = "not finished"  # out of time or memory, or spin said something we do not know


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found, and what it cost; `says` is what spin said where it did not finish."""

    seen: Seen
    states: int
    seconds: float
    megabytes: float
    says: str = ""


def is_installed() -> bool:
    """Whether spin and gcc are here."""
    return shutil.which("spin") is not None and shutil.which("gcc") is not None


def check(defines: Sequence[str], *, whole: bool = True, long: bool = False) -> Checked:
    """Visit every state of a variant, or stop at the first fault. With PROGRESS, no circle may be found either.

    `whole`: every state will have to be visited, so that a faster program is worth its compilation.
    """
    ends, began = "-DPROGRESS=1" in defines, time.monotonic()
    memory, deepest, patience_s = (7000, 1_000_000, 3600) if long else (1900, 200_000, 600)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _make(place, defines, "-DNP" if ends else "-DSAFETY", f"-DMEMLIM={memory}", "-O2" if whole else "-O1")
        options = [f"-m{deepest}", "-w24" if whole else "-w22", "-E", *(["-l"] if ends else [])]
        said = _run(place, ["./pan", *options], patience_s)
    return _read(said, time.monotonic() - began)


def shortest(defines: Sequence[str]) -> list[str]:
    """The steps of a shortest counterexample, each followed by the states after it; nothing where there is none.

    Of a circle that never ends it is the first that is found.
    """
    searches = [(["-DSAFETY", "-DBFS"], ["-w22", "-E"]), (["-DNP"], ["-m200000", "-w22", "-E", "-l"])]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for options, flags in searches if "-DPROGRESS=1" in defines else searches[:1]:
            _make(place, defines, "-O1", "-DMEMLIM=1900", *options)
            _run(place, ["./pan", *flags], 600)
            if (place / "protocol.pml.trail").exists():
                return _steps(_run(place, ["spin", "-T", "-t", *defines, "protocol.pml"], 60))
    return []


def simulate(defines: Sequence[str], *, seed: int, moves: int = 3000) -> list[str]:
    """One random run: each step followed by the states after it. The same seed makes the same run."""
    with tempfile.TemporaryDirectory() as folder:
        _copy(Path(folder))
        return _steps(_run(Path(folder), ["spin", "-T", f"-n{seed}", f"-u{moves}", *defines, "protocol.pml"], 60))


def _copy(place: Path) -> None:
    for source in MODEL.glob("*.pml"):
        shutil.copy(source, place)


def _make(place: Path, defines: Sequence[str], *options: str) -> None:
    _copy(place)
    _run(place, ["spin", *defines, "-a", "protocol.pml"], 60, check=True)
    _run(place, ["gcc", "-w", "-DNOFAIR", "-DCOLLAPSE", *options, "-o", "pan", "pan.c"], 120, check=True)


def _run(place: Path, command: Sequence[str], timeout_s: float, *, check: bool = False) -> str:
    try:
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        return "out of time"
    said = done.stdout + done.stderr
    if check and done.returncode:
        raise RuntimeError(f"{command[0]} failed: {said[-400:]}")
    return said


def _steps(said: str) -> list[str]:
    """The lines of our own printf: a step, and below it the states."""
    names = step_names()
    return [line for line in said.splitlines() if line.startswith("  = ") or line.partition(" ")[0] in names]


def step_names() -> set[str]:
    """What the model calls its steps."""
    return {name for source in MODEL.glob("*.pml") for name in re.findall(r'printf\("([a-z_0-9]+)', source.read_text())}


def _read(said: str, seconds: float) -> Checked:
    states, memory = re.search(r"(\d+) states, stored", said), re.search(r"([\d.]+)\ttotal actual memory usage", said)
    seen = _seen(said)
    return Checked(
        seen,
        int(states[1]) if states else 0,
        seconds,
        float(memory[1]) if memory else 0.0,
        said[-300:] if seen is Seen.UNFINISHED else "",
    )


def _seen(said: str) -> Seen:
    """Which assertion failed, told by the words that only it has."""
    failed = re.search(r"pan:1: (.*)", said)
    if failed is None:
        whole = "errors: 0" in said and "not completed" not in said and "too small" not in said
        return Seen.HOLDS if whole else Seen.UNFINISHED
    fault = failed[1]
    if "non-progress" in fault:
        return Seen.ENDLESS
    if "assertion" not in fault:
        return Seen.UNFINISHED
    if "!(1)" in fault or "!(0)" in fault:
        return Seen.MOVE if "state[" in fault else Seen.UNTRUE
    return Seen.TWICE if "in_flight" in fault else Seen.ENDLESS
