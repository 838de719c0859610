"""Numbers as a spreadsheet shows them: General, decimals, thousands, percent, leading zeros."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from campaigns.errors import BadInput
from campaigns.rules.format_codes import Format, Piece, unshown

BEYOND_DIGITS: Final = 10**15
"""Spreadsheets keep 15 digits of a number; of a longer one nobody knows the last digits."""

_GENERAL_WIDTH: Final = 11
"""Characters that General shows of a number with decimals."""


def check_digits(value: float) -> None:
    """Refuse a number of more digits than a spreadsheet keeps. Raises: BadInput."""
    if abs(value) >= BEYOND_DIGITS:
        raise BadInput(
            "the number has more than 15 digits, and a spreadsheet keeps 15: make the column text before the digits "
            "are typed"
        )


def general(value: float) -> str:
    """A number without a format: whole numbers with all their digits, others as wide as a cell shows them.

    Raises: BadInput for a number that is shown in powers of ten.
    """
    check_digits(value)
    if value == int(value):
        return str(int(value))
    if not 1e-4 <= abs(value) < 10 ** (_GENERAL_WIDTH - 1):
        raise BadInput("a spreadsheet shows the number in powers of ten: give the column a number format, such as 0.00")
    decimals = _GENERAL_WIDTH - 1 - len(str(int(abs(value))))
    return f"{_rounded(Decimal(repr(value)), decimals):f}".rstrip("0").rstrip(".")


def formatted(value: float, code: str, parsed: Format) -> str:
    """A number in a format that is no date's. Raises: BadInput for what cannot be shown with certainty."""
    check_digits(value)
    section, signed = _section(value, parsed)
    if any(piece.kind in {"general", "text"} for piece in section):
        return _around_general(value, signed, section)
    before, core, after = _core(section, code)
    whole, _, fraction = core.partition(".")
    if "." in fraction or "," in fraction:
        raise unshown(code)
    places = whole.rstrip(",")
    powers = 2 * sum(piece.kind == "percent" for piece in section) - 3 * (len(whole) - len(places))
    amount = _rounded(abs(Decimal(repr(value))).scaleb(powers), len(fraction))
    sign = "-" if signed and value < 0 and amount else ""
    return parsed.localised(sign + before + (_digits(amount, places, fraction) if core else "") + after)


def _section(value: float, parsed: Format) -> tuple[Sequence[Piece], bool]:
    """The section for a value, and whether a minus has to be put in front: one of its own needs none."""
    sections = parsed.sections
    if len(sections) >= 3 and value == 0 and not (len(sections) == 3 and _is_text(sections[2])):
        return sections[2], False
    if len(sections) >= 2 and value < 0 and not (len(sections) == 2 and _is_text(sections[1])):
        return sections[1], False
    return sections[0], True


def _is_text(section: Sequence[Piece]) -> bool:
    """Whether a section is the one for texts, which may be the last."""
    return any(piece.kind == "text" for piece in section)


def _around_general(value: float, signed: bool, section: Sequence[Piece]) -> str:
    shown = general(value if signed else abs(value))
    return "".join(shown if piece.kind in {"general", "text"} else piece.text for piece in section)


def _core(section: Sequence[Piece], code: str) -> tuple[str, str, str]:
    """What stands before the digits, their placeholders, and what stands behind. Raises: BadInput for two groups."""
    places = [at for at, piece in enumerate(section) if piece.kind == "digits"]
    if len(places) > 1 or any(piece.kind in {"date", "elapsed", "half"} for piece in section):
        raise unshown(code)
    at = places[0] if places else len(section)
    before, core, after = section[:at], section[at : at + 1], section[at + 1 :]
    return _text(before), core[0].text if core else "", _text(after)


def _text(pieces: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def _digits(amount: Decimal, places: str, fraction: str) -> str:
    """An amount in the places of a format: `0` is always filled, `#` and `?` where there is a digit."""
    whole, _, decimals = f"{amount:f}".partition(".")
    grouped = "," in places
    least = places.count("0")
    digits = whole.lstrip("0").rjust(least, "0")
    if grouped:
        digits = _in_threes(digits)
    kept = decimals.rstrip("0").ljust(fraction.count("0"), "0")
    return f"{digits}.{kept}" if fraction or places != places.rstrip(".") else digits


def _in_threes(digits: str) -> str:
    first = len(digits) % 3
    return ",".join(filter(None, [digits[:first], *(digits[at : at + 3] for at in range(first, len(digits), 3))]))


def _rounded(amount: Decimal, places: int) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
