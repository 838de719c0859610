"""Whose day it is: the gateway, its operators and most recipients live by the clock of Tehran."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

TEHRAN: Final = ZoneInfo("Asia/Tehran")


def begins(day: date) -> datetime:
    """The first moment of a day of Tehran."""
    return datetime.combine(day, time.min, TEHRAN)
