"""The pieces of a spreadsheet's number format, such as `#,##0.00" ریال"`: what is a literal, a code, a section.

Source: ECMA-376 part 1, 18.8.31 (numFmts); the calendar and the digits in `[$-160429]` as Excel writes them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from campaigns.errors import BadInput

_TOKEN: Final = re.compile(
    r"""
      "(?P<quoted>[^"]*)"
    | \\(?P<escaped>.)
    | _(?P<blank>.)
    | \*(?P<fill>.)
    | \[\$(?P<currency>[^\]-]*)(?:-(?P<locale>[^\]]*))?\]
    | \[(?P<colour>black|blue|cyan|green|magenta|red|white|yellow|color\s?[0-9]+)\]
    | (?P<jalali>\[~jalali\])
    | (?P<elapsed>\[(?:h+|m+|s+)\])
    | (?P<general>general)
    | (?P<half>am/pm|a/p)
    | (?P<date>y+|m+|d+|h+|s+)
    | (?P<digits>[0\#?.,]+)
    | (?P<percent>%)
    | (?P<text>@)
    | (?P<section>;)
    | (?P<literal>[-+$/():!^&'~{}<>=\s]|[^\x00-\x7f])
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)

_LITERALS: Final = frozenset({"quoted", "escaped", "literal", "currency"})
_SILENT: Final = frozenset({"fill", "colour"})

_LOCALE: Final = re.compile("(?P<hex>[0-9a-fA-F]{1,8})|[A-Za-z-]+(?:,(?P<calendar>[0-9a-fA-F]{1,2}))?")
_DIGITS_OF: Final = {0: "0123456789", 1: "0123456789", 2: "٠١٢٣٤٥٦٧٨٩", 3: "۰۱۲۳۴۵۶۷۸۹"}
_OF_THE_SYSTEM: Final = frozenset({0xF400, 0xF800})
"""Time and date as each computer's settings show them."""
_GREGORIAN: Final = frozenset({0, 1, 2})
_PERSIAN: Final = 0x16


class Piece(NamedTuple):
    """One piece of a format: its kind (literal, date, elapsed, half, digits, percent, general, text) and its text."""

    kind: str
    text: str


class Format(NamedTuple):
    """A format taken apart. `digits` are the ten digits it shows; `jalali` tells that its dates are Persian."""

    sections: tuple[tuple[Piece, ...], ...]
    digits: str = _DIGITS_OF[0]
    jalali: bool = False

    @property
    def of_dates(self) -> bool:
        """Whether it shows days or times."""
        return any(piece.kind in {"date", "elapsed"} for piece in self.sections[0])

    def localised(self, shown: str) -> str:
        """`shown` with the digits of the format."""
        return shown.translate(str.maketrans(_DIGITS_OF[0], self.digits))


def unshown(code: str) -> BadInput:
    """The refusal of a value whose shown form we cannot make."""
    return BadInput(
        f"nobody can tell here how the format {code[:60]} shows the cell: give the column a plain format "
        "(0, #,##0, 0%, yyyy/mm/dd), or make it text"
    )


@lru_cache(maxsize=1000)
def parse(code: str) -> Format:
    """Take a format apart. Raises: BadInput for a format with a piece that we cannot show."""
    sections: list[list[Piece]] = [[]]
    digits, jalali, at = _DIGITS_OF[0], False, 0
    while at < len(code):
        match = _TOKEN.match(code, at)
        if match is None or match.lastgroup is None:
            raise unshown(code)
        at = match.end()
        kind = "currency" if match["currency"] is not None else match.lastgroup
        if kind == "section":
            sections.append([])
        elif kind == "jalali":
            jalali = True
        elif kind not in _SILENT:
            sections[-1].append(_piece(kind, match[kind]))
        if match["locale"] is not None:
            digits, persian = _locale(match["locale"], code)
            jalali = jalali or persian
    return Format(tuple(map(tuple, sections)), digits, jalali)


def _piece(kind: str, text: str) -> Piece:
    if kind == "blank":
        return Piece("literal", " ")
    return Piece("literal", text) if kind in _LITERALS else Piece(kind, text.lower())


def _locale(locale: str, code: str) -> tuple[str, bool]:
    """The digits and whether dates are Persian, out of `160429`, `3000429`, `fa-IR,16` or `fa-IR`."""
    found = _LOCALE.fullmatch(locale)
    if found is None:
        raise unshown(code)
    number = int(found["hex"] or "0", 16)
    digits, calendar = number >> 24, int(found["calendar"] or "0", 16) or number >> 16 & 0xFF
    if number & 0xFFFF in _OF_THE_SYSTEM or digits not in _DIGITS_OF or calendar not in {*_GREGORIAN, _PERSIAN}:
        raise unshown(code)
    return _DIGITS_OF[digits], calendar == _PERSIAN
