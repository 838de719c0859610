"""What was found about one thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is. Only `bad` makes a doctor end with 1."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `do` is what to do about it, and empty where all is well."""

    name: str
    level: Level
    says: str
    do: str = ""
