"""What Python, or a spreadsheet, holds in a cell, as text."""

from __future__ import annotations

import math
from datetime import datetime, time


def as_text(value: object) -> str:
    """The text a person would see: no `.0` behind whole numbers, no midnight behind dates, nothing for None and NaN."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.15g}"  # the digits a spreadsheet shows
    if isinstance(value, datetime):
        return str(value.date()) if value.time() == time.min else value.isoformat(sep=" ", timespec="minutes")
    return "" if value is None else str(value)
