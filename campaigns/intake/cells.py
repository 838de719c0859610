"""What Python holds in a cell, as text."""

from __future__ import annotations

import math
from datetime import datetime, time
from decimal import Decimal
from typing import Final

from campaigns.intake.unreadable import Unreadable

_EXACT: Final = 2**53
"""Whole numbers below it have all their digits in a float."""

_MISSING: Final = frozenset({"NAType", "NaTType"})
"""The types by which pandas says that there is no value."""


def as_text(value: object) -> str:
    """The text a person would see: no `.0` behind whole numbers, no midnight behind dates, nothing for None and NaN."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return _of_float(value)
    if isinstance(value, Decimal) and value.is_finite():
        return f"{value:f}"
    if isinstance(value, datetime) and type(value).__name__ not in _MISSING:
        return str(value.date()) if value.time() == time.min else value.isoformat(sep=" ", timespec="minutes")
    return "" if value is None or type(value).__name__ in _MISSING else str(value)


def _of_float(value: float) -> str:
    if math.isnan(value):
        return ""
    if abs(value) < _EXACT and value.is_integer():
        return str(int(value))
    if abs(value) >= _EXACT:
        return Unreadable.of("the number is a float of more digits than a float keeps: give it as a text")
    return f"{value:.15g}"  # the digits that are certain
