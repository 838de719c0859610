"""Imports: time and memory of a new process that imports the library, beside one that imports SQLAlchemy."""

from __future__ import annotations

import subprocess
import sys
from statistics import median
from typing import Final, NamedTuple

from benchmarks.bench import Bench, Unfinished
from benchmarks.figures import Row, Table, ratio

IMPORTS: Final = {
    "import sqlalchemy": "import sqlalchemy",
    "import kavenegar_campaigns": "import kavenegar_campaigns",
    "… and every public name": "import kavenegar_campaigns as it\nfor name in it.__all__: getattr(it, name)",
    "sqlalchemy.orm and psycopg": "import sqlalchemy.orm, sqlalchemy.dialects.postgresql, psycopg",
}
"""The first is the baseline. A web process that talks to PostgreSQL has loaded the last by itself."""

_MEASURED: Final = """
import time
began = time.process_time()
{code}
spent = time.process_time() - began
with open("/proc/self/status") as status:  # getrusage also counts what the parent held before this process began
    (peak,) = (line.split()[1] for line in status if line.startswith("VmHWM"))
print(spent, peak)
"""
_NOTE: Final = (
    "Milliseconds of CPU time, and MB at the peak of the process, with the interpreter's own. The imports take turns, "
    "so that other load on the machine affects all alike; medians are shown."
)


class Cost(NamedTuple):
    """What one import cost in a process of its own."""

    cpu_ms: float
    peak_mb: float


def measure(bench: Bench, times: int) -> list[Table]:
    """Run each import `times` times in new processes, in turns."""
    costs: dict[str, list[Cost]] = {name: [] for name in IMPORTS}
    for _ in range(times):
        for name, code in IMPORTS.items():
            costs[name].append(_cost(bench, code))
    medians = {name: Cost(*(median(each) for each in zip(*found, strict=True))) for name, found in costs.items()}
    base = next(iter(medians.values()))
    rows: list[Row] = [
        {
            "import": name,
            "ms": cost.cpu_ms,
            "× sqlalchemy": ratio(cost.cpu_ms, base.cpu_ms),
            "MB": cost.peak_mb,
            "MB beyond sqlalchemy": cost.peak_mb - base.peak_mb,
        }
        for name, cost in medians.items()
    ]
    return [Table(f"imports: medians of {times} processes each", rows, _NOTE)]


def _cost(bench: Bench, code: str) -> Cost:
    command = [sys.executable, "-c", _MEASURED.format(code=code)]
    ended = subprocess.run(command, cwd=bench.folder, capture_output=True, text=True, timeout=120, check=False)
    if ended.returncode:
        raise Unfinished(f"the import ended with {ended.returncode}")
    seconds, kilobytes = map(float, ended.stdout.split())
    return Cost(seconds * 1000, kilobytes / 1024)
