"""How values are written in parameters: comma lists, JSON arrays, numbers, and the many ways to say nothing.

The gateway's reading of what callers send: numbers, lines, text lengths, links and tags.

Source: kavenegar-rest, "ساختار پیام کوتاه" (formats, 70/67 and 140/153) and sms/send (tag).
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from kavenegar_sandbox.protocol import Refusal

BLANK = frozenset({"", "null"})
UNSET = BLANK | {"0"}  # what client libraries send where they mean "not given", and 0 is no value
_MOST_DIGITS = 19


def is_integer(raw: str) -> bool:
    """Whether it is a whole number, and one that fits into 64 bits."""
    return raw.isascii() and raw.isdigit() and len(raw) <= _MOST_DIGITS


def split_list(raw: str) -> list[str]:
    """The values of a comma list, trimmed; empty ones fall out."""
    return [value for part in raw.split(",") if (value := part.strip())]


def parse_message_ids(raw: str) -> list[int]:
    """A comma list of message ids. Raises Refusal(400) where one is no number, or there is none."""
    values = split_list(raw)
    if not values or not all(map(is_integer, values)):
        raise Refusal(400)
    return [int(value) for value in values]


def parse_json_array(raw: str) -> list[Any]:
    """A JSON array. Raises Refusal(400) for anything else."""
    try:
        values = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Refusal(400) from None
    if not isinstance(values, list):
        raise Refusal(400)
    return values


def parse_strings(raw: str) -> list[str]:
    """A JSON array of strings; numbers are taken as they are written."""
    return [value if isinstance(value, str) else str(value) for value in parse_json_array(raw)]


def parse_array_or_list(raw: str) -> list[Any]:
    """A JSON array, or a comma list with or without brackets around it."""
    try:
        return parse_json_array(raw)
    except Refusal:
        return split_list(raw.strip().removeprefix("[").removesuffix("]"))


def parse_date(raw: str) -> int:
    """A date in Unix seconds. Raises Refusal(417) for anything else."""
    if not is_integer(raw):
        raise Refusal(417)
    return int(raw)


_RECEPTOR = re.compile(r"(?:\+98|0098|0)?(9[0-9]{9})")
_LENIENT_RECEPTOR = re.compile(r"(?:\+98|0098|98|0)?(9[0-9]{9})")
_LANDLINE = re.compile(r"(?:\+98|0098|0)([1-8][0-9]{9})")
_ABROAD = re.compile(r"00(?!98)([1-9][0-9]{6,14})")
_SENDER = re.compile(r"(?:\+98|0098)?([0-9]+)")
_TAG = re.compile(r"[A-Za-z0-9_-]{1,200}")
_LINK = re.compile(r"https?://|www\.", re.IGNORECASE)
_LATIN_DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")

UNICODE_SINGLE, UNICODE_PART = 70, 67
LATIN_PART = 153


def parse_mobile(raw: str, *, lenient: bool = False) -> int | None:
    """One of the four written forms of an Iranian mobile number as 9xxxxxxxxx, or None.

    `lenient` also takes `98912…` without a plus, and Persian or Arabic digits.
    """
    found = (
        _LENIENT_RECEPTOR.fullmatch(raw.translate(_LATIN_DIGITS).strip())
        if lenient
        else _RECEPTOR.fullmatch(raw.strip())
    )
    return int(found[1]) if found else None


def parse_telephone(raw: str, *, lenient: bool = False) -> int | None:
    """A number that can be called: a mobile one, or a landline in Iran with its area code."""
    found = _LANDLINE.fullmatch(raw.strip())
    return int(found[1]) if found else parse_mobile(raw, lenient=lenient)


def is_landline(number: int) -> bool:
    return 0 < number < 9_000_000_000


def parse_number(raw: str, *, lenient: bool = False) -> int | None:
    """A number in Iran, or one abroad as 00, country code and number: that is kept below zero."""
    found = _ABROAD.fullmatch(raw.strip())
    return -int(found[1]) if found else parse_telephone(raw, lenient=lenient)


def format_number(number: int) -> str:
    """How the gateway echoes a receptor: 09xxxxxxxxx, or 00 and what follows for one abroad."""
    return f"0{number}" if number > 0 else f"00{-number}"


def parse_line(raw: str) -> str:
    """A line without its country prefix; what is no line at all comes back as it is and will be unknown."""
    found = _SENDER.fullmatch(raw.strip())
    return found[1] if found else raw


def utf16_length(text: str) -> int:
    """The length the gateway counts: UTF-16 units, so that most emoji are two."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def count_parts(text: str, *, latin_single: int) -> int:
    """How many messages of 140 bytes a text needs; one character outside Latin makes all of it Unicode.

    `latin_single` is the length of an undivided Latin text: the spec says 140, GSM says 160.
    """
    length = utf16_length(text)
    single, part = (latin_single, LATIN_PART) if text.isascii() else (UNICODE_SINGLE, UNICODE_PART)
    return 1 if length <= single else -(-length // part)


def has_link(text: str) -> bool:
    return _LINK.search(text) is not None


def is_tag(text: str) -> bool:
    return _TAG.fullmatch(text) is not None
