"""The cells of a rejected row, as they are kept: so many, and no more, of a person's data than it takes to mend it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import orjson

MAX_KEPT: Final = 50
"""Cells of a row that are kept."""

LONGEST_KEPT: Final = 200
"""Characters of a cell, or of a column's name, that are kept."""

LONGEST_ROW_KEPT: Final = 2_000
"""Characters of a row that are kept."""

MAX_ROWS_KEPT: Final = 100_000
"""Rows of a campaign whose cells are kept; of the others the wrong value alone."""

CUT: Final = "…"


def storable(value: str) -> str:
    """The beginning of a value as PostgreSQL can keep it: no NUL, no half of a surrogate pair."""
    return value[:LONGEST_KEPT].replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def names_of(columns: Sequence[str]) -> tuple[str, ...]:
    """Names for the cells of a row, each different: the column's, or its place where that is taken or empty."""
    names: dict[str, None] = {}
    for at, column in enumerate(columns[:MAX_KEPT], 1):
        name = storable(column) or ("number" if "number" not in columns else str(at))
        while name in names:
            name = f"{name} ({at})"
        names[name] = None
    return tuple(names)


def as_json(names: Sequence[str], cells: Sequence[str]) -> str:
    """The cells by the names of their columns; what stands beyond the columns by its place."""
    kept: dict[str, str] = {}
    left = LONGEST_ROW_KEPT
    for at, cell in enumerate(cells[:MAX_KEPT]):
        name = names[at] if at < len(names) else f"column {at + 1}"
        beginning = storable(cell)[:left]
        left -= len(beginning)
        kept[name] = beginning + (CUT if len(cell) > len(beginning) else "")
    return orjson.dumps(kept).decode()
