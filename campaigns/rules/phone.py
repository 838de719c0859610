"""Mobile numbers and sender lines: convert every spelling into one.

Source: kavenegar-rest, "the format of input data": a receptor is 09121234567, 00989121234567, +989121234567 or
9121234567; a sender is +9810004346, 009810004346 or 10004346.
"""

from __future__ import annotations

import re
from typing import Final

from kavenegar_campaigns.errors import BadInput

MAX_SPELLING_LENGTH: Final = 64
"""Characters. A longer text is not a number in any spelling, and is not parsed."""

_MOBILE: Final = re.compile(r"(?:(?:\+|00)?980?|0)?(9[0-9]{9})")  # many people write +98 (0) 912 …

ASCII_DIGITS: Final = {
    zero + digit: str(digit)
    for zero in (0x0660, 0x06F0, 0xFF10)  # Arabic-Indic, Persian, full-width
    for digit in range(10)
}
"""Digits of other scripts, for `str.translate`, each with its ASCII digit."""

_INVISIBLE: Final = dict.fromkeys(
    [
        *map(ord, " \t\r\n\u00a0\u00ad\u061c\u180e\u202f\u2060\u3000\ufeff"),
        *range(0x2000, 0x2010),  # spaces of all widths, zero-width characters, LRM and RLM
        *range(0x202A, 0x202F),  # bidi embeddings and overrides
        *range(0x2066, 0x206A),  # bidi isolates
    ]
)
_CLEAN: Final = {**ASCII_DIGITS, **_INVISIBLE, 0xFF0B: "+"}
_SEPARATORS: Final = dict.fromkeys(map(ord, "-./()\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u0640"))

_SCHEME: Final = re.compile("(?:tel|callto|sms|smsto):(?://)?", re.IGNORECASE)  # in links and in exports of phone books
_LIST_ENDS: Final = ",;،؛"
_THOUSANDS: Final = re.compile(r"([0-9]{1,3}(?:[,٬،'’][0-9]{3})+)(?:\.0+)?")  # 9,121,234,567
_NO_DIGIT: Final = re.compile("[^0-9]")

_NUMBER_CELL: Final = re.compile(r"([0-9]+)\.0+")  # 9121234567.0
_DECIMAL: Final = re.compile(r"[0-9]+\.[0-9]{1,2}")
_SCIENTIFIC: Final = re.compile(r"([0-9])\.([0-9]+)[eE]\+?([0-9]{1,2})")  # 9.121234567E9

_MOBILE_RULE: Final = "a mobile number is 09 and nine more digits, with +98, 0098 or nothing in place of the first 0"

# Common mistakes in place of a mobile number, the most specific first.
_MISTAKES: Final = (
    (re.compile(r"[0-9]\.[0-9]+[eE]\+?[0-9]+"), "a spreadsheet shortened it: format the column as text, save again"),
    (re.compile(r"(?:(?:\+|00)98|0)[1-8][0-9]{9}"), "it is a landline"),
    (re.compile(r"(?:\+|00)(?!98)[0-9]{6,}"), "it is not an Iranian number"),
    (re.compile(r"[+0-9]{18,}"), "there seem to be several numbers: one a row"),
    (re.compile(r"[+0-9]{4,}:::.*", re.DOTALL), "a phone book joined several numbers with :::, leave one a row"),
    (re.compile(r"[+0-9]{8,}(?:[,;،؛:|&\\\]+[+0-9]{8,})+"), "there seem to be several numbers: one a row"),
    (re.compile(r"[+0-9]{1,10}|(?:(?:\+|00)?98|0)9[0-9]{0,8}"), "it has too few digits"),
    (re.compile(r"[+0-9]{11,}"), "it has too many digits, or begins wrong"),
    (re.compile(r"[+0-9]*[^\W\d_].*", re.DOTALL), "there are letters in it"),
)

_LINE: Final = re.compile(r"[0-9]{3,20}")


def normalise_mobile(value: str) -> str:
    """Return a mobile number, given in any spelling, as "09121234567".

    Persian and Arabic digits, spaces, separators and invisible marks do not matter. A number that a spreadsheet turned
    into 9121234567.0 or 9.121234567E9 is accepted where no digit was lost.

    Raises: BadInput, with the value masked.
    """
    match = _MOBILE.fullmatch(value) or _MOBILE.fullmatch(_tidy(value))
    if match is None:
        raise BadInput(_what_is_wrong(value))
    return "0" + match[1]


def is_mobile(value: str) -> bool:
    """Return whether `value` is a mobile number in some spelling."""
    return _MOBILE.fullmatch(value) is not None or _MOBILE.fullmatch(_tidy(value)) is not None


def normalise_line(value: str) -> str:
    """Return a sender line, given in any spelling, as bare digits: "10004346".

    Raises: BadInput.
    """
    digits = _tidy(value)
    for country in ("+98", "0098"):
        digits = digits.removeprefix(country)
    if not _LINE.fullmatch(digits):
        raise BadInput(
            f'the sender "{mask_number(value)}" is no line of yours: a line is digits alone, such as 10004346'
        )
    return digits


def mask_number(number: str) -> str:
    """Mask a number as `0912***4567`: enough to find it again, too little to call it. Any other text is masked too."""
    visible = "".join(filter(str.isprintable, number[:MAX_SPELLING_LENGTH]))
    if len(visible) < 6:
        return visible
    shown = 4 if len(visible) >= 11 else 2
    return f"{visible[:shown]}***{visible[-shown:]}"


def _tidy(value: str) -> str:
    """Return ASCII digits without separators and marks. A value that may lack a digit keeps its dot: no match."""
    if len(value) > MAX_SPELLING_LENGTH:
        return ""
    text = value.translate(_CLEAN).strip("='\"")  # ="0912…" and '0912… keep spreadsheets from changing a number
    text = _SCHEME.sub("", text, count=1).strip(_LIST_ENDS)
    if grouped := _THOUSANDS.fullmatch(text):
        return _NO_DIGIT.sub("", grouped[1])
    if whole := _NUMBER_CELL.fullmatch(text):
        return whole[1]
    if powers := _SCIENTIFIC.fullmatch(text):
        first, rest, exponent = powers.groups()
        return first + rest if len(rest) == int(exponent) else text
    return text if _DECIMAL.fullmatch(text) else text.translate(_SEPARATORS)


def _what_is_wrong(value: str) -> str:
    if not value.strip():
        return f"the number is empty: {_MOBILE_RULE}"
    if len(value) > MAX_SPELLING_LENGTH:
        return f"{len(value)} characters stand where the number should be: {_MOBILE_RULE}"
    tidy = _tidy(value)
    for mistake, words in _MISTAKES:
        if mistake.fullmatch(tidy):
            return f'"{mask_number(value)}" is no mobile number, {words}: {_MOBILE_RULE}'
    return f'"{mask_number(value)}" is no mobile number: {_MOBILE_RULE}'
