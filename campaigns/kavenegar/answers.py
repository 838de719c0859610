"""Read an answer: its bytes as an envelope, its rows as records, and the values of a row.

The service is loose with types: numbers come as text, costs as 120.0, our ids as text, and `statustext` is missing.
Each reader takes every value that can be understood. A row that cannot be read is left out, and the caller sees it
as missing. Values that have no field in the record stay in `extra`. The field names are the gateway's own. No repr
shows a text or a person's number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypedDict, TypeVar

import orjson

from kavenegar_campaigns.kavenegar.codes import known_status
from kavenegar_campaigns.rules.arguments import MAX_ID

# The envelope: the code, rows and metadata of an answer.
#
# `{"return": {"status": int, "message": str}, "entries": …}` is an answer of the gateway, whatever the HTTP status is:
# the service mirrors its codes in the HTTP status, proxies set their own, and codes above 599 do not fit there. Any
# other body comes from a proxy on the way, or from a broken gateway.

Row = dict[str, Any]

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# The documentation's own error sample: an object that holds nothing but null. No JSON parser takes it.
_NULL_IN_BRACES = re.compile(rb"\{\s*null\s*\}")


@dataclass(frozen=True, slots=True)
class Envelope:
    """An answer's code, rows and metadata. Both are empty for `entries` null, missing, or of a shape of no method."""

    code: int
    message: str
    rows: list[Row]
    metadata: Row = field(default_factory=dict)


def read_envelope(body: bytes) -> Envelope | None:
    """Return the envelope in an answer's body; None if the body is not the gateway's."""
    document = _parse_json(body.removeprefix(_BYTE_ORDER_MARK))
    answer = document.get("return") if isinstance(document, dict) else None
    if not isinstance(answer, dict):
        return None
    code = answer.get("status")
    if isinstance(code, str) and code.isdecimal():
        code = int(code)
    if not isinstance(code, int) or isinstance(code, bool):
        return None
    metadata = document.get("metadata")
    return Envelope(
        code=code,
        message=str(answer.get("message") or ""),
        rows=_rows_of_entries(document.get("entries")),
        metadata=metadata if isinstance(metadata, dict) else {},
    )


def _parse_json(body: bytes) -> Any:
    """Parse the body as JSON. The last parser accepts half of an emoji, which people do send."""
    for parse, candidate in (
        (orjson.loads, body),
        (orjson.loads, _NULL_IN_BRACES.sub(b"null", body)),
        (json.loads, body),
    ):
        try:
            return parse(candidate)
        except (ValueError, RecursionError):
            continue
    return None


def _rows_of_entries(entries: object) -> list[Row]:
    """Return `entries` as rows. Most methods send a list, `account/*` and `utils/getdate` one object, errors null."""
    listed = entries if isinstance(entries, list) else [entries]
    return [row for row in listed if isinstance(row, dict)]


# ── the values of a row, however loosely they are written ──

Record = TypeVar("Record")

# Shared by all rows that hold nothing more than their record, which is nearly every row of a send.
NO_EXTRA: Final[Mapping[str, Any]] = {}


class Unreadable(ValueError):
    """A row, or a whole answer, lacks a value that its record requires."""


def read_rows(read: Callable[[Row], Record], rows: Iterable[Row]) -> list[Record]:
    """Return the records of the rows that can be read, in the order they came."""
    records = []
    for row in rows:
        try:
            records.append(read(row))
        except Unreadable:
            continue
    return records


def no_extra() -> Mapping[str, Any]:
    return NO_EXTRA


def extra_values(record: type[Any], row: Row) -> Mapping[str, Any]:
    """Return the values of `row` that have no field in `record`."""
    known: Mapping[str, object] = record.__dataclass_fields__
    if row.keys() <= known.keys() and "extra" not in row:
        return NO_EXTRA
    return {name: value for name, value in row.items() if name not in known or name == "extra"}


def parse_int(value: Any) -> int:
    """Read a whole number, however it is written: 120, "120", 120.0, "120.0". Raises: Unreadable."""
    if type(value) is int:
        return value
    exact = _parse_float(value)
    if not exact.is_integer():
        raise Unreadable
    return int(value) if isinstance(value, str) and value.strip().isdecimal() else int(exact)


def parse_int_or_zero(value: Any) -> int:
    """Read an optional whole number, 0 where there is none. A fractional cost is rounded to rial."""
    if type(value) is int:
        return value
    try:
        return round(_parse_float(value))
    except (Unreadable, ValueError, OverflowError):
        return 0


def parse_int_or_none(value: Any) -> int | None:
    try:
        return parse_int(value)
    except Unreadable:
        return None


def _parse_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Unreadable
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise Unreadable from None


def parse_id(value: Any) -> int:
    """Read an id: a positive bigint. Raises: Unreadable."""
    found = parse_int(value)
    if not 0 < found <= MAX_ID:
        raise Unreadable
    return found


def parse_text(value: Any) -> str:
    """Read a required text. Raises: Unreadable."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool | list | dict):
        raise Unreadable
    return str(value)


def parse_text_or_empty(value: Any) -> str:
    """Read an optional text; empty where there is none."""
    return "" if value is None or isinstance(value, bool | list | dict) else str(value)


def parse_switch(value: Any) -> bool:
    """Read a switch. The spellings enabled, true and 1, in any case, mean on."""
    return str(value).strip().lower() in {"enabled", "true", "1"}


# ── how many pages there are: `metadata` beside the rows of an answer ──


class PageCounts(TypedDict):
    totalcount: int | None
    currentpage: int | None
    totalpages: int | None
    pagesize: int | None


def read_page_counts(metadata: Mapping[str, Any]) -> PageCounts:
    """Read the page counts, which all come as text. A count that is missing or no number is None."""
    return PageCounts(
        totalcount=parse_int_or_none(metadata.get("totalcount")),
        currentpage=parse_int_or_none(metadata.get("currentpage")),
        totalpages=parse_int_or_none(metadata.get("totalpages")),
        pagesize=parse_int_or_none(metadata.get("pagesize")),
    )


class StatusRow:
    """A row that holds the status of a message."""

    __slots__ = ()

    status: int

    @property
    def is_known(self) -> bool:
        """Return whether the gateway knows the message. Status 100 means that it does not, and says nothing else."""
        return known_status(self.status) is not None
