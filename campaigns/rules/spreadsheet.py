"""Cells of a CSV that a person opens in a spreadsheet, which would run some of them as formulas."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NEXT_CELL: Final = re.compile("(?<=;)(?=[=+@＝＋－＠-])")  # where a semicolon begins the next cell


def harmless(cell: object) -> object:
    """A cell as it may be written: a moment to the second, nothing for None, and no text that is a formula."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.isoformat(timespec="seconds")
    if isinstance(cell, str):
        cell = _NEXT_CELL.sub("'", cell)
        return f"'{cell}" if cell.startswith(_FORMULA) else cell
    return cell
