"""The schema that every table is in, and what they are written with."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from sqlalchemy import Column, DateTime, MetaData

SCHEMA: Final = "sms"

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "ix": "%(table_name)s_%(column_0_name)s_idx",
        "uq": "%(table_name)s_%(column_0_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    },
)


def one_of(column: str, values: Iterable[StrEnum]) -> str:
    """The condition that a column holds one of these words."""
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


def time(name: str, *, nullable: bool = True, **options: object) -> Column[object]:
    """A column for a moment, with its time zone."""
    return Column(name, DateTime(timezone=True), nullable=nullable, **options)  # type: ignore[arg-type]
