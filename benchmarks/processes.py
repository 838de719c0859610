"""The cost of processes: CPU seconds and memory, as Linux keeps them in /proc."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

LOOK_EVERY_S = 0.25

_PROC = Path("/proc")
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)
_RESIDENT = re.compile(r"^VmRSS:\s+(\d+) kB", re.MULTILINE)
_PRIVATE = re.compile(r"^RssAnon:\s+(\d+) kB", re.MULTILINE)
_KB_IN_MB = 1024


@dataclass(frozen=True, slots=True)
class Peak:
    """The most memory a process held: resident at any time of its life, and private (not shared) at any look.

    Of several processes under one name (PostgreSQL's), the largest. Resident there counts the shared buffers that a
    process ever touched, which belong to all of them together.
    """

    resident_mb: float = 0.0
    private_mb: float = 0.0

    def or_larger(self, other: Peak) -> Peak:
        """The larger of each."""
        return Peak(max(self.resident_mb, other.resident_mb), max(self.private_mb, other.private_mb))


def peak(pid: int) -> Peak:
    """A process's memory; nothing for one that has ended."""
    try:
        status = (_PROC / str(pid) / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return Peak()
    return Peak(_megabytes(_PEAK, status), _megabytes(_PRIVATE, status))


def resident_mb(pid: int) -> float:
    """The memory of a running process as it is now. Raises: FileNotFoundError where it has ended."""
    return _megabytes(_RESIDENT, (_PROC / str(pid) / "status").read_text())


def _megabytes(line: re.Pattern[str], status: str) -> float:
    found = line.search(status)
    return int(found[1]) / _KB_IN_MB if found else 0.0


@dataclass(frozen=True, slots=True)
class _Stat:
    """A line of /proc/*/stat. `cpu_s` counts the children it has outlived too."""

    pid: int
    parent: int
    cpu_s: float


def _stats() -> Iterator[_Stat]:
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            try:
                line = (entry / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended meanwhile
            fields = line.rpartition(")")[2].split()  # the program's name before it may hold anything
            yield _Stat(int(entry.name), int(fields[1]), sum(map(int, fields[11:15])) / _TICKS_A_SECOND)


def _families(roots: Mapping[str, int]) -> dict[str, list[_Stat]]:
    """Each root with all its descendants, as they stand now."""
    stats = {stat.pid: stat for stat in _stats()}
    names = {pid: name for name, pid in roots.items()}
    families: dict[str, list[_Stat]] = {name: [] for name in roots}
    for stat in stats.values():
        ancestor: _Stat | None = stat
        while ancestor is not None and ancestor.pid not in names:
            ancestor = stats.get(ancestor.parent)
        if ancestor is not None:
            families[names[ancestor.pid]].append(stat)
    return families


class Watch:
    """Looks at processes a few times a second, inside its `with` block.

    Args:
        roots: name → pid. A process counts together with its descendants, also with those that ended.
    """

    def __init__(self, roots: Mapping[str, int]) -> None:
        self._roots = roots
        self._before: dict[str, float] = {}
        self._peaks = dict.fromkeys(roots, Peak())
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_looking, name="watch", daemon=True)

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds since the block began, by name."""
        return {name: now - self._before.get(name, 0.0) for name, now in _cpu_s(_families(self._roots)).items()}

    def peaks(self) -> dict[str, Peak]:
        """The most memory so far, by name."""
        self._look()
        return dict(self._peaks)

    def _keep_looking(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            self._look()

    def _look(self) -> None:
        for name, family in _families(self._roots).items():
            for stat in family:
                self._peaks[name] = self._peaks[name].or_larger(peak(stat.pid))

    def __enter__(self) -> Self:
        self._before = _cpu_s(_families(self._roots))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()


def _cpu_s(families: Mapping[str, list[_Stat]]) -> dict[str, float]:
    return {name: sum(stat.cpu_s for stat in family) for name, family in families.items()}
