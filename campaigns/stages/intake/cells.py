"""Cells and rows: unreadable ones with their reason, Python values as text, and what is kept of a rejected row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Final
from uuid import UUID

import orjson

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules.arguments import spelled_number
from kavenegar_campaigns.rules.text import storable

ERROR_VALUES: Final = r"#(?:N/A|REF!|NAME\?|VALUE!|DIV/0!|NULL!|NUM!)"
"""What a spreadsheet shows in place of a value that it could not compute, as a pattern."""


class Unreadable(str):
    """A cell whose value is not what a person sees in it. `reason` says why, and what would be right.

    Its text is the stored value where that is certain (a mobile number may be read from it), and empty elsewhere.
    """

    __slots__ = ("reason",)
    reason: str

    @classmethod
    def of(cls, reason: str, stored: str = "") -> Unreadable:
        """Make an unreadable cell with its reason."""
        cell = cls(stored)
        cell.reason = reason
        return cell


def error_cell(shown: str | None) -> Unreadable:
    """Make the unreadable cell for a spreadsheet error."""
    return Unreadable.of(f"the cell shows the error {shown}")


class UnreadableRow(tuple[str, ...]):
    """A row whose cells cannot be told apart, as a row without cells.

    `raw` is the line as it stands in the file; `reason` says what is wrong with it and what would be right.
    """

    raw: str
    reason: str

    @classmethod
    def of(cls, raw: str, reason: str) -> UnreadableRow:
        """Make the row from its text in the file."""
        row = cls()
        row.raw, row.reason = raw, reason
        return row


class RowAbove(UnreadableRow):
    """A row above the header: a title, a date, the name of a shop."""

    @classmethod
    def holding(cls, cells: Sequence[str], header_row: int) -> RowAbove:
        """Make the row with these cells, above the header in `header_row`."""
        row = cls(cells)
        row.raw = getattr(cells, "raw", "") or " | ".join(filter(None, cells))
        row.reason = (
            f"it stands above the header, which is row {header_row}: if it is a recipient, say which row is the header "
            "(header_row, or --header-row)"
        )
        return row


class HiddenRow(UnreadableRow):
    """A row that the spreadsheet does not show, with its cells."""

    @classmethod
    def holding(cls, cells: Sequence[str], reason: str) -> HiddenRow:
        """Make the hidden row with these cells."""
        row = cls(cells)
        row.raw, row.reason = " | ".join(filter(None, cells)), reason
        return row


# ── values of Python as text ──

_EXACT: Final = 2**53
"""Whole numbers below it have all their digits in a float."""

_MISSING: Final = frozenset({"NAType", "NaTType"})
"""The types by which pandas says that there is no value."""


def as_text(value: object) -> str:
    """Return the text a person would see: no `.0` after whole numbers, no midnight after dates, "" for None and NaN."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return _of_float(value)
    if isinstance(value, Decimal) and value.is_finite():
        return f"{value:f}"
    if isinstance(value, datetime) and type(value).__name__ not in _MISSING:
        return str(value.date()) if value.time() == time.min else value.isoformat(sep=" ", timespec="minutes")
    return "" if value is None or type(value).__name__ in _MISSING else _of_object(value)


def _of_object(value: object) -> str:
    """Return an object's own text; a phone number's digits. What a person cannot have meant is unreadable."""
    if isinstance(value, (bool, int, date, time, UUID)):
        return str(value)
    try:
        found = spelled_number(value)
    except BadInput as why:
        return Unreadable.of(str(why))
    return Unreadable.of(f"a {type(value).__name__} is no text: give a str") if found is None else found


def _of_float(value: float) -> str:
    if math.isnan(value):
        return ""
    if abs(value) < _EXACT and value.is_integer():
        return str(int(value))
    if abs(value) >= _EXACT:
        return Unreadable.of("the number is a float of more digits than a float keeps: give it as a text")
    return f"{value:.15g}"  # the digits that are certain


# ── what is kept of a rejected row: as much of a person's data as it takes to mend it ──

MAX_KEPT: Final = 50
"""Cells of a row that are kept."""

LONGEST_KEPT: Final = 200
"""Characters of a cell, or of a column's name, that are kept."""

LONGEST_ROW_KEPT: Final = 2_000
"""Characters of a row that are kept."""

MAX_ROWS_KEPT: Final = 100_000
"""Rows of a campaign whose cells are kept; of the others the wrong value alone."""

CUT_MARK: Final = "…"


def kept_part(value: str) -> str:
    """Return the beginning of a value, as much as is kept of it."""
    return storable(value[:LONGEST_KEPT])


def cell_names(columns: Sequence[str]) -> tuple[str, ...]:
    """Return a different name for each cell of a row: the column's, or its place where that is taken or empty."""
    names: dict[str, None] = {}
    for at, column in enumerate(columns[:MAX_KEPT], 1):
        name = kept_part(column) or ("number" if "number" not in columns else str(at))
        while name in names:
            name = f"{name} ({at})"
        names[name] = None
    return tuple(names)


def cells_as_json(names: Sequence[str], cells: Sequence[str]) -> str:
    """Return the cells as JSON by the names of their columns; cells beyond the columns by their places."""
    kept: dict[str, str] = {}
    left = LONGEST_ROW_KEPT
    for at, cell in enumerate(cells[:MAX_KEPT]):
        name = names[at] if at < len(names) else f"column {at + 1}"
        beginning = kept_part(cell)[:left]
        left -= len(beginning)
        kept[name] = beginning + (CUT_MARK if len(cell) > len(beginning) else "")
    return orjson.dumps(kept).decode()
