"""How values are written in parameters: comma lists, JSON arrays, numbers, and the many ways to say nothing."""

from __future__ import annotations

from typing import Any

import orjson

from kavenegar_sandbox.codes import Refusal

BLANK = frozenset({"", "null"})
UNSET = BLANK | {"0"}  # what client libraries send where they mean "not given", and 0 is no value
_MOST_DIGITS = 19


def is_whole(raw: str) -> bool:
    """Whether it is a whole number, and one that fits into 64 bits."""
    return raw.isascii() and raw.isdigit() and len(raw) <= _MOST_DIGITS


def listed(raw: str) -> list[str]:
    """The values of a comma list, trimmed; empty ones fall out."""
    return [value for part in raw.split(",") if (value := part.strip())]


def message_ids(raw: str) -> list[int]:
    """A comma list of message ids. Raises Refusal(400) where one is no number, or there is none."""
    values = listed(raw)
    if not values or not all(map(is_whole, values)):
        raise Refusal(400)
    return [int(value) for value in values]


def array(raw: str) -> list[Any]:
    """A JSON array. Raises Refusal(400) for anything else."""
    try:
        values = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Refusal(400) from None
    if not isinstance(values, list):
        raise Refusal(400)
    return values


def strings(raw: str) -> list[str]:
    """A JSON array of strings; numbers are taken as they are written."""
    return [value if isinstance(value, str) else str(value) for value in array(raw)]


def array_or_list(raw: str) -> list[Any]:
    """A JSON array, or a comma list with or without brackets around it."""
    try:
        return array(raw)
    except Refusal:
        return listed(raw.strip().removeprefix("[").removesuffix("]"))


def unix_seconds(raw: str) -> int:
    """A date in Unix seconds. Raises Refusal(417) for anything else."""
    if not is_whole(raw):
        raise Refusal(417)
    return int(raw)
