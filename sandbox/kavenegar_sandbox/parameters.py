"""Reading of parameter values: lists, JSON arrays, dates, telephone numbers, lines, texts, tags.

Source: kavenegar-rest, "ساختار پیام کوتاه" (number formats; parts of 70/67 and 140/153 characters) and sms/send (tag).
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from kavenegar_sandbox.protocol import Refusal

BLANK = frozenset({"", "null"})
UNSET = BLANK | {"0"}  # client libraries send these for "not given", where 0 is not a value
_MOST_DIGITS = 19
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


def is_integer(raw: str) -> bool:
    """Return whether the value is a non-negative whole number of at most 19 digits."""
    return raw.isascii() and raw.isdigit() and len(raw) <= _MOST_DIGITS


def split_list(raw: str) -> list[str]:
    """Return the values of a comma-separated list, trimmed. Empty values are left out."""
    return [value for part in raw.split(",") if (value := part.strip())]


def parse_message_ids(raw: str) -> list[int]:
    """Read a comma-separated list of message ids. Raises Refusal(400) when it is empty or holds another value."""
    values = split_list(raw)
    if not values or not all(map(is_integer, values)):
        raise Refusal(400)
    return [int(value) for value in values]


def parse_json_array(raw: str) -> list[Any]:
    """Read a JSON array. Raises Refusal(400) for any other value."""
    try:
        values = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Refusal(400) from None
    if not isinstance(values, list):
        raise Refusal(400)
    return values


def parse_strings(raw: str) -> list[str]:
    """Read a JSON array of strings. Numbers in it become strings. Raises Refusal(400)."""
    return [value if isinstance(value, str) else str(value) for value in parse_json_array(raw)]


def parse_array_or_list(raw: str) -> list[Any]:
    """Read a JSON array, or a comma-separated list with or without brackets."""
    try:
        return parse_json_array(raw)
    except Refusal:
        return split_list(raw.strip().removeprefix("[").removesuffix("]"))


def parse_date(raw: str) -> int:
    """Read a date in Unix seconds. Raises Refusal(417) for any other value."""
    if not is_integer(raw):
        raise Refusal(417)
    return int(raw)


def parse_mobile(raw: str, *, lenient: bool = False) -> int | None:
    """Read an Iranian mobile number in one of its four written forms as 9xxxxxxxxx. Returns None for any other value.

    `lenient` also accepts `98912…` without a plus, and Persian or Arabic digits.
    """
    found = (
        _LENIENT_RECEPTOR.fullmatch(raw.translate(_LATIN_DIGITS).strip())
        if lenient
        else _RECEPTOR.fullmatch(raw.strip())
    )
    return int(found[1]) if found else None


def parse_telephone(raw: str, *, lenient: bool = False) -> int | None:
    """Read a number that can be called: mobile, or an Iranian landline with its area code. None for any other value."""
    found = _LANDLINE.fullmatch(raw.strip())
    return int(found[1]) if found else parse_mobile(raw, lenient=lenient)


def is_landline(number: int) -> bool:
    """Return whether a parsed number is an Iranian landline."""
    return 0 < number < 9_000_000_000


def parse_number(raw: str, *, lenient: bool = False) -> int | None:
    """Read a number in Iran or abroad; one abroad (00, country code, number) becomes negative. None for others."""
    found = _ABROAD.fullmatch(raw.strip())
    return -int(found[1]) if found else parse_telephone(raw, lenient=lenient)


def format_number(number: int) -> str:
    """Write a parsed number as the gateway echoes it: 09xxxxxxxxx, or 00 and the rest for a number abroad."""
    return f"0{number}" if number > 0 else f"00{-number}"


def parse_line(raw: str) -> str:
    """Read a line number without its country prefix. A value of another form is returned unchanged."""
    found = _SENDER.fullmatch(raw.strip())
    return found[1] if found else raw


def utf16_length(text: str) -> int:
    """Return the length of a text in UTF-16 units, which the gateway counts. Most emoji are two units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def count_parts(text: str, *, latin_single: int) -> int:
    """Return how many SMS parts a text needs. One character outside ASCII makes the whole text Unicode.

    `latin_single` is the length limit of an undivided Latin text: 140 in the specification, 160 in GSM.
    """
    length = utf16_length(text)
    single, part = (latin_single, LATIN_PART) if text.isascii() else (UNICODE_SINGLE, UNICODE_PART)
    return 1 if length <= single else -(-length // part)


def has_link(text: str) -> bool:
    """Return whether the text holds a link."""
    return _LINK.search(text) is not None


def is_tag(text: str) -> bool:
    """Return whether the text has the form of a tag: 1 to 200 letters, digits, hyphens and underscores."""
    return _TAG.fullmatch(text) is not None
