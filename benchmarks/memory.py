"""Peak memory: of every process for a small and a large campaign, of intake for a small and a large file."""

from __future__ import annotations

from typing import Final

from benchmarks.bench import Bench
from benchmarks.figures import Row, Table, ratio
from benchmarks.intake import loaded
from benchmarks.journey import Course, travel
from benchmarks.recipients import Kind, write_csv

_NOTE: Final = (
    "MB at the peak of each process's life. postgres is the largest of its processes, with the shared buffers it "
    "touched (128 MB at most); private leaves them out. The sandbox keeps a ledger of all it sent: it has to grow."
)
_INTAKE_NOTE: Final = "MB at the peak of a process that does nothing else; 'load alone' leaves out what it held before."


def measure(bench: Bench, sizes: tuple[int, int], rows: tuple[int, int]) -> list[Table]:
    """Two campaigns of `sizes` messages, and two files of `rows` rows."""
    return [_campaigns(bench, *sizes), _intake(bench, *rows)]


def _campaigns(bench: Bench, small: int, large: int) -> Table:
    before, after = (travel(bench, Course(messages)).peaks for messages in (small, large))
    rows: list[Row] = [
        {
            "process": name,
            f"{small:,}": before[name].resident_mb,
            f"{large:,}": after[name].resident_mb,
            "×": ratio(after[name].resident_mb, before[name].resident_mb),
            f"private {small:,}": before[name].private_mb,
            f"private {large:,}": after[name].private_mb,
            "× private": ratio(after[name].private_mb, before[name].private_mb),
        }
        for name in before
    ]
    return Table(f"memory: campaigns of {small:,} and of {large:,} messages", rows, _NOTE)


def _intake(bench: Bench, small: int, large: int) -> Table:
    file = bench.folder / "recipients.csv"
    rows: list[Row] = []
    for kind in Kind:
        before, after = (loaded(bench, write_csv(file, count), kind.value, count) for count in (small, large))
        alone = (before.peak_mb - before.idle_mb, after.peak_mb - after.idle_mb)
        rows.append(
            {
                "intake": kind.value,
                f"{small:,}": before.peak_mb,
                f"{large:,}": after.peak_mb,
                "×": ratio(after.peak_mb, before.peak_mb),
                f"load alone {small:,}": alone[0],
                f"load alone {large:,}": alone[1],
            }
        )
    return Table(f"memory: intake of {small:,} and of {large:,} rows", rows, _INTAKE_NOTE)
