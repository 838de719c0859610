"""Cells of spreadsheets: number formats, numbers as a format shows them, and exported cells without formulas.

Source: ECMA-376 part 1, 18.8.31 (numFmts); the calendar and the digits in `[$-160429]` as Excel writes them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from kavenegar_campaigns.errors import BadInput

MAX_SHEET_ROWS: Final = 1_048_576
"""Rows of one sheet of a workbook at most, by the file formats."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NEXT_CELL: Final = re.compile("(?<=;)(?=[=+@＝＋－＠-])")  # in programs where a semicolon begins the next cell


def cell_text(cell: object) -> str:
    """Return a cell as text: a moment to the second, an empty text for None."""
    if cell is None:
        return ""
    return cell.isoformat(timespec="seconds") if isinstance(cell, datetime) else str(cell)


def escape_formula(cell: object) -> str:
    """Return a cell of a CSV as text. A cell that a spreadsheet would run as a formula gets an apostrophe in front."""
    if not isinstance(cell, str):
        return cell_text(cell)
    cell = _NEXT_CELL.sub("'", cell)
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


# The pieces of a spreadsheet's number format, such as `#,##0.00" ریال"`: literals, codes, sections.
#
# Source: ECMA-376 part 1, 18.8.31 (numFmts); the calendar and the digits in `[$-160429]` as Excel writes them.

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

_LITERAL_KINDS: Final = frozenset({"quoted", "escaped", "literal", "currency"})
_INVISIBLE_KINDS: Final = frozenset({"fill", "colour"})

_LOCALE: Final = re.compile("(?P<hex>[0-9a-fA-F]{1,8})|[A-Za-z-]+(?:,(?P<calendar>[0-9a-fA-F]{1,2}))?")
_DIGITS_OF: Final = {0: "0123456789", 1: "0123456789", 2: "٠١٢٣٤٥٦٧٨٩", 3: "۰۱۲۳۴۵۶۷۸۹"}
_SYSTEM_LOCALES: Final = frozenset({0xF400, 0xF800})
"""Locales that show time and date by each computer's settings."""
_GREGORIAN_CALENDARS: Final = frozenset({0, 1, 2})
_PERSIAN_CALENDAR: Final = 0x16


class FormatPiece(NamedTuple):
    """One piece of a format: its kind (literal, date, elapsed, half, digits, percent, general, text) and its text."""

    kind: str
    text: str


class CellFormat(NamedTuple):
    """A parsed format. `digits` are the ten digits that it shows; `jalali`: its dates are Persian."""

    sections: tuple[tuple[FormatPiece, ...], ...]
    digits: str = _DIGITS_OF[0]
    jalali: bool = False

    @property
    def is_date_format(self) -> bool:
        """Return whether the format shows days or times."""
        return any(piece.kind in {"date", "elapsed"} for piece in self.sections[0])

    def with_digits(self, shown: str) -> str:
        """Return `shown` with the digits of the format."""
        return shown.translate(str.maketrans(_DIGITS_OF[0], self.digits))


def unsupported_format(code: str) -> BadInput:
    """Return the error for a value whose shown form we cannot reproduce."""
    return BadInput(
        f"nobody can tell here how the format {code[:60]} shows the cell: give the column a plain format "
        "(0, #,##0, 0%, yyyy/mm/dd), or make it text"
    )


@lru_cache(maxsize=1000)
def parse_format(code: str) -> CellFormat:
    """Parse a format. Raises: BadInput for a format with a piece that we cannot show."""
    sections: list[list[FormatPiece]] = [[]]
    digits, jalali, at = _DIGITS_OF[0], False, 0
    while at < len(code):
        match = _TOKEN.match(code, at)
        if match is None or match.lastgroup is None:
            raise unsupported_format(code)
        at = match.end()
        kind = "currency" if match["currency"] is not None else match.lastgroup
        if kind == "section":
            sections.append([])
        elif kind == "jalali":
            jalali = True
        elif kind not in _INVISIBLE_KINDS:
            sections[-1].append(_format_piece(kind, match[kind]))
        if match["locale"] is not None:
            digits, persian = _locale(match["locale"], code)
            jalali = jalali or persian
    return CellFormat(tuple(map(tuple, sections)), digits, jalali)


def _format_piece(kind: str, text: str) -> FormatPiece:
    if kind == "blank":
        return FormatPiece("literal", " ")
    return FormatPiece("literal", text) if kind in _LITERAL_KINDS else FormatPiece(kind, text.lower())


def _locale(locale: str, code: str) -> tuple[str, bool]:
    """Return a locale's digits and whether its dates are Persian, from `160429`, `3000429`, `fa-IR,16` or `fa-IR`."""
    found = _LOCALE.fullmatch(locale)
    if found is None:
        raise unsupported_format(code)
    number = int(found["hex"] or "0", 16)
    digits, calendar = number >> 24, int(found["calendar"] or "0", 16) or number >> 16 & 0xFF
    if (
        number & 0xFFFF in _SYSTEM_LOCALES
        or digits not in _DIGITS_OF
        or calendar not in {*_GREGORIAN_CALENDARS, _PERSIAN_CALENDAR}
    ):
        raise unsupported_format(code)
    return _DIGITS_OF[digits], calendar == _PERSIAN_CALENDAR


# ── numbers as a spreadsheet shows them: General, decimals, thousands, percent, leading zeros ──

FIRST_INEXACT: Final = 10**15
"""Spreadsheets keep 15 digits of a number; the further digits of a longer number are lost."""

_GENERAL_WIDTH: Final = 11
"""Characters of a number with decimals that the format General shows."""


def check_digits(value: float) -> None:
    """Refuse a number of more digits than a spreadsheet keeps. Raises: BadInput."""
    if abs(value) >= FIRST_INEXACT:
        raise BadInput(
            "the number has more than 15 digits, and a spreadsheet keeps 15: make the column text before the digits "
            "are typed"
        )


def format_general(value: float) -> str:
    """Format a number without a format: whole numbers with all their digits, others as wide as a cell shows them.

    Raises: BadInput for a number that a spreadsheet shows in powers of ten.
    """
    check_digits(value)
    if value == int(value):
        return str(int(value))
    if not 1e-4 <= abs(value) < 10 ** (_GENERAL_WIDTH - 1):
        raise BadInput("a spreadsheet shows the number in powers of ten: give the column a number format, such as 0.00")
    decimals = _GENERAL_WIDTH - 1 - len(str(int(abs(value))))
    return f"{_rounded(Decimal(repr(value)), decimals):f}".rstrip("0").rstrip(".")


def format_number(value: float, code: str, parsed: CellFormat) -> str:
    """Format a number in a format that is no date's. Raises: BadInput for a value whose shown form is not certain."""
    check_digits(value)
    section, signed = _section(value, parsed)
    if any(piece.kind in {"general", "text"} for piece in section):
        return _general_in_section(value, signed, section)
    before, core, after = _digit_places(section, code)
    whole, _, fraction = core.partition(".")
    if "." in fraction or "," in fraction:
        raise unsupported_format(code)
    places = whole.rstrip(",")
    powers = 2 * sum(piece.kind == "percent" for piece in section) - 3 * (len(whole) - len(places))
    amount = _rounded(abs(Decimal(repr(value))).scaleb(powers), len(fraction))
    sign = "-" if signed and value < 0 and amount else ""
    return parsed.with_digits(sign + before + (_fill_places(amount, places, fraction) if core else "") + after)


def _section(value: float, parsed: CellFormat) -> tuple[Sequence[FormatPiece], bool]:
    """Return the section for a value, and whether to put a minus in front: the section of negatives needs none."""
    sections = parsed.sections
    if len(sections) >= 3 and value == 0 and not (len(sections) == 3 and _is_text(sections[2])):
        return sections[2], False
    if len(sections) >= 2 and value < 0 and not (len(sections) == 2 and _is_text(sections[1])):
        return sections[1], False
    return sections[0], True


def _is_text(section: Sequence[FormatPiece]) -> bool:
    """Return whether a section, which may be the last, is the one for texts."""
    return any(piece.kind == "text" for piece in section)


def _general_in_section(value: float, signed: bool, section: Sequence[FormatPiece]) -> str:
    shown = format_general(value if signed else abs(value))
    return "".join(shown if piece.kind in {"general", "text"} else piece.text for piece in section)


def _digit_places(section: Sequence[FormatPiece], code: str) -> tuple[str, str, str]:
    """Return the text before the digits, the placeholders, and the text after. Raises: BadInput for two groups."""
    places = [at for at, piece in enumerate(section) if piece.kind == "digits"]
    if len(places) > 1 or any(piece.kind in {"date", "elapsed", "half"} for piece in section):
        raise unsupported_format(code)
    at = places[0] if places else len(section)
    before, core, after = section[:at], section[at : at + 1], section[at + 1 :]
    return _joined(before), core[0].text if core else "", _joined(after)


def _joined(pieces: Sequence[FormatPiece]) -> str:
    return "".join(piece.text for piece in pieces)


def _fill_places(amount: Decimal, places: str, fraction: str) -> str:
    """Fill an amount into the places of a format: `0` is always filled, `#` and `?` only where there is a digit."""
    whole, _, decimals = f"{amount:f}".partition(".")
    grouped = "," in places
    least = places.count("0")
    digits = whole.lstrip("0").rjust(least, "0")
    if grouped:
        digits = _group_thousands(digits)
    kept = decimals.rstrip("0").ljust(fraction.count("0"), "0")
    return f"{digits}.{kept}" if fraction or places != places.rstrip(".") else digits


def _group_thousands(digits: str) -> str:
    first = len(digits) % 3
    return ",".join(filter(None, [digits[:first], *(digits[at : at + 3] for at in range(first, len(digits), 3))]))


def _rounded(amount: Decimal, places: int) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
