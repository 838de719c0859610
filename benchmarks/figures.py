"""Rows of figures: the median of several runs, and how a person and a program read them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import median

Cell = str | int | float
Row = Mapping[str, Cell]
"""A figure by the name of its column; a unit stands in the name."""


@dataclass(frozen=True, slots=True)
class Table:
    """Figures that are read side by side. A row may lack columns that others have."""

    title: str
    rows: Sequence[Row]
    note: str = ""

    @property
    def columns(self) -> list[str]:
        """All columns, in the order in which they first appear."""
        return list(dict.fromkeys(chain.from_iterable(self.rows)))


def medians(runs: Sequence[Sequence[Table]]) -> list[Table]:
    """The tables of one case that ran several times, each figure the median of all runs."""
    return [_median_table(same) for same in zip(*runs, strict=True)]


def _median_table(tables: Sequence[Table]) -> Table:
    rows = [
        {column: _median_cell([row[column] for row in same]) for column in same[0]}
        for same in zip(*(table.rows for table in tables), strict=True)
    ]
    return Table(tables[0].title, rows, tables[0].note)


def _median_cell(cells: Sequence[Cell]) -> Cell:
    numbers = [cell for cell in cells if not isinstance(cell, str)]
    return median(numbers) if numbers else cells[0]


def ratio(ours: float, baseline: float) -> float:
    """The figure divided by the baseline; 0 if there is no baseline."""
    return ours / baseline if baseline else 0.0


def show(table: Table) -> None:
    """A table as Markdown, aligned so that it reads well on a terminal too."""
    columns = table.columns
    cells = [[shown(row.get(column, "")) for column in columns] for row in table.rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    rules = ["-" * width for width in widths]
    say(f"\n### {table.title}\n", *(_line(line, widths) for line in (columns, rules, *cells)))
    if table.note:
        say(f"\n{table.note}")


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join([first, *(cell.strip().rjust(len(cell)) for cell in others)])} |"


def shown(cell: Cell) -> str:
    """A figure with as many digits as it deserves: three or so."""
    if isinstance(cell, float):
        places = 0 if abs(cell) >= 100 else 1 if abs(cell) >= 10 else 2
        return f"{cell:,.{places}f}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def say(*lines: str) -> None:
    """Lines on standard output, at once: a run takes minutes."""
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def as_dicts(tables: Iterable[Table]) -> list[dict[str, object]]:
    """Return the figures as mappings, for a program."""
    return [{"title": table.title, "rows": [dict(row) for row in table.rows], "note": table.note} for table in tables]
