"""Whose day it is: the gateway, its operators and most recipients live by the clock of Tehran."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

TEHRAN: Final = ZoneInfo("Asia/Tehran")
