"""Cells of an export that a person opens in a spreadsheet, which runs some cells of a CSV as formulas."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

SHEET_ROWS: Final = 1_048_576
"""Rows of one sheet of a workbook, as the formats allow."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NEXT_CELL: Final = re.compile("(?<=;)(?=[=+@＝＋－＠-])")  # where a semicolon begins the next cell


def shown(cell: object) -> str:
    """A cell as text: a moment to the second, nothing for None."""
    if cell is None:
        return ""
    return cell.isoformat(timespec="seconds") if isinstance(cell, datetime) else str(cell)


def harmless(cell: object) -> str:
    """A cell of a CSV as text. A cell that a spreadsheet would run as a formula begins with an apostrophe."""
    if not isinstance(cell, str):
        return shown(cell)
    cell = _NEXT_CELL.sub("'", cell)
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
