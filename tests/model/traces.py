"""Random runs of the model, chosen so that together they show every kind of step: kept here, replayed by the tests.

`scripts/model --traces` writes them anew, after the model was changed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.model import reading, spin

PLACE: Final = Path(__file__).parent / "traces"
SEEDS: Final = range(1, 161)
MOST: Final = 9
"""Traces of one world."""

_FAULTS: Final = "PROGRESS=1 PAUSING=2 CANCELLING=0 DYING=0 BUDGET=8 STANDSTILLS=4"
_PEOPLE: Final = "PROGRESS=1 BUDGET=8 STANDSTILLS=4"
WORLDS: Final = {
    "faults": _FAULTS,
    "people": _PEOPLE,
    "deaths": "PROGRESS=1 PAUSING=2 BUDGET=8 STANDSTILLS=4",
    "window": f"{_FAULTS} WINDOW=6 MESSAGES=1",
    "renewed": f"{_FAULTS} RENEW=1",
    "collision": f"{_FAULTS} COLLISION=1 DEDUPE=1 RENEW=1",
    "suppressed": f"{_PEOPLE} SUPPRESSING=1 DRAFT=1",
    "returned": f"{_FAULTS} RETURNS=1",
    "returned-people": f"{_PEOPLE} RETURNS=1 MESSAGES=1",
    "returned-window": f"{_FAULTS} RETURNS=1 WINDOW=6 MESSAGES=1",
    "returned-account": f"{_FAULTS} RETURNS=1 KEYCHANGE=2 MESSAGES=1",
    "returned-draft": f"{_PEOPLE} RETURNS=1 DRAFT=1 SUPPRESSING=1",
    "returned-renewed": f"{_FAULTS} RETURNS=1 RENEW=1 DRAFT=1",
    "restarted": f"{_FAULTS} RESTARTS=2",
    "accounts": f"{_FAULTS} KEYCHANGE=1",
    "clock": f"{_FAULTS} CLOCKJUMP=1",
}


MODEL_OF: Final = PLACE / "model.sha256"
"""Which model the traces were written from."""


def digest() -> str:
    """Of the model as it is now: of everything that spin reads, and of the worlds."""
    sources = [
        re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.DOTALL) for path in sorted(spin.MODEL.glob("*.pml"))
    ]
    words = " ".join([*sources, *(f"{name} {switches}" for name, switches in WORLDS.items())]).split()
    return hashlib.sha256(" ".join(words).encode()).hexdigest()


def written() -> Iterator[tuple[Path, list[str]]]:
    """The traces that are kept, line by line."""
    for path in sorted(PLACE.glob("*.txt")):
        yield path, path.read_text(encoding="utf-8").splitlines()


def run(switches: str, seed: int) -> list[str]:
    """The lines of a trace: what was turned, then each step and the states after it."""
    lines = spin.simulate([f"-D{switch}" for switch in switches.split()], seed=seed)
    whole = len(lines) - len(lines) % 2  # the last step may have been cut off
    return [f"# switches {switches}", *lines[:whole]]


def write() -> list[Path]:
    """Choose anew and write; the paths."""
    PLACE.mkdir(exist_ok=True)
    for path in PLACE.glob("*.txt"):
        path.unlink()
    paths = []
    for name, switches in WORLDS.items():
        with ThreadPoolExecutor(2) as pool:
            runs = dict(zip(SEEDS, pool.map(lambda seed, turned=switches: run(turned, seed), SEEDS), strict=True))
        for seed in _chosen(runs):
            paths.append(PLACE / f"{name}-{seed}.txt")
            paths[-1].write_text("\n".join(runs[seed]) + "\n", encoding="utf-8")
    MODEL_OF.write_text(digest() + "\n", encoding="utf-8")
    return paths


def _chosen(runs: dict[int, list[str]]) -> list[int]:
    """Seeds that show most: each time the run with most that no other has shown."""
    shown: set[tuple[str, ...]] = set()
    seeds: list[int] = []
    left = {seed: set(_shows(lines)) for seed, lines in runs.items()}
    while left and len(seeds) < MOST:
        best = max(left, key=lambda seed: (len(left[seed] - shown), -seed))
        if not left[best] - shown:
            break
        shown |= left.pop(best)
        seeds.append(best)
    return sorted(seeds)


def _shows(lines: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """For each step: what it is, and from where to where it moved what."""
    before = None
    for step in reading.steps(lines):
        after = step.after
        if before is not None:
            moved = [f"{old.state}>{new.state}" for old, new in zip(before.batches, after.batches, strict=True)]
            gates = f"{after.at_home} {after.clock_trusted}"
            yield (
                step.name,
                gates,
                *moved,
                *(f"{old}>{new}" for old, new in zip(before.messages, after.messages, strict=True)),
            )
        before = after
