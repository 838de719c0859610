"""Intake: rows a second out of a CSV, beside a raw COPY of clean rows into the same table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.bench import Bench, child
from benchmarks.figures import Row, Table, ratio
from benchmarks.loading import RAW
from benchmarks.recipients import TEXTS, Kind, people, write_csv

LEISURE_S: Final = 60.0
SLOWEST: Final = 5_000.0
"""Rows a second: a load slower than this, after a minute's leave, is given up."""

_NOTE: Final = (
    "Intake reads, normalises, deduplicates, renders, counts parts and keeps what is wrong; raw COPY writes lines that "
    "are ready, into the same table with its constraints and its index: the limit."
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The result of a load. `idle_mb` is the process's memory before the load."""

    seconds: float
    cpu_s: float
    peak_mb: float
    idle_mb: float


def measure(bench: Bench, rows: int) -> list[Table]:
    """Both kinds of text, each beside its own raw COPY."""
    figures = [row for kind in Kind for row in _rows(bench, kind, rows)]
    return [Table(f"intake: a CSV of {rows:,} rows", figures, _NOTE)]


def _rows(bench: Bench, kind: Kind, rows: int) -> list[Row]:
    raw = loaded(bench, _write_clean(bench.folder / "clean.tsv", kind, rows), RAW, rows)
    ours = loaded(bench, write_csv(bench.folder / "recipients.csv", rows), kind.value, rows)
    return [
        {
            "way": f"{way}, {kind}",
            "rows/s": rows / found.seconds,
            "× raw COPY": ratio(raw.seconds, found.seconds),
            "CPU s/1,000,000": found.cpu_s / rows * 1_000_000,
            "peak MB": found.peak_mb,
        }
        for way, found in (("raw COPY", raw), ("ours", ours))
    ]


def loaded(bench: Bench, file: Path, way: str, rows: int) -> Loaded:
    """Load a file of `rows` rows in a process of its own, into a database of its own."""
    with bench.database() as engine:
        database = engine.url.render_as_string(hide_password=False)
        within_s = LEISURE_S + rows / SLOWEST
        return Loaded(**child("benchmarks.loading", within_s=within_s, database=database, file=str(file), way=way))


def _write_clean(path: Path, kind: Kind, rows: int) -> Path:
    """Write the same recipients as lines for COPY."""
    with path.open("w", encoding="utf-8") as file:
        for place, (number, name, code) in enumerate(people(rows), 1):
            text = TEXTS[kind].format(name=name, code=code) if kind is Kind.PERSONAL else r"\N"
            file.write(f"{place}\t1\t{place + 1}\t2\t{number}\t{text}\n")
    return path
