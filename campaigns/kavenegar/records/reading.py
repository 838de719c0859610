"""The values of a row, however loosely they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

from campaigns.kavenegar.envelope import Row

Record = TypeVar("Record")

# Shared by all rows that hold nothing more than their record, which is nearly every row of a send.
NOTHING_MORE: Final[Mapping[str, Any]] = {}


class Unreadable(ValueError):
    """A row, or a whole answer, lacks what its record cannot be without."""


def readable(read: Callable[[Row], Record], rows: Iterable[Row]) -> list[Record]:
    """The records of the rows that can be understood, in the order they came."""
    records = []
    for row in rows:
        try:
            records.append(read(row))
        except Unreadable:
            continue
    return records


def nothing_more() -> Mapping[str, Any]:
    return NOTHING_MORE


def extra(record: type[Any], row: Row) -> Mapping[str, Any]:
    """What `row` holds beside the fields of `record`."""
    known: Mapping[str, object] = record.__dataclass_fields__
    if row.keys() <= known.keys() and "extra" not in row:
        return NOTHING_MORE
    return {name: value for name, value in row.items() if name not in known or name == "extra"}


def number(value: Any) -> int:
    """A whole number, however it was written: 120, "120", 120.0, "120.0"."""
    if type(value) is int:
        return value
    exact = _float(value)
    if not exact.is_integer():
        raise Unreadable
    return int(value) if isinstance(value, str) and value.strip().isdecimal() else int(exact)


def number_or_zero(value: Any) -> int:
    """A number that a record can do without; a broken cost is rounded to rial."""
    if type(value) is int:
        return value
    try:
        return round(_float(value))
    except (Unreadable, ValueError, OverflowError):
        return 0


def number_or_none(value: Any) -> int | None:
    try:
        return number(value)
    except Unreadable:
        return None


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Unreadable
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise Unreadable from None


def identity(value: Any) -> int:
    found = number(value)
    if not 0 < found < 2**63:
        raise Unreadable
    return found


def text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool | list | dict):
        raise Unreadable
    return str(value)


def text_or_empty(value: Any) -> str:
    """A text that a record can do without."""
    return "" if value is None or isinstance(value, bool | list | dict) else str(value)


def switch(value: Any) -> bool:
    """On is spelt enabled, true or 1, in any case."""
    return str(value).strip().lower() in {"enabled", "true", "1"}
