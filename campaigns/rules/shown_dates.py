"""Dates and times as a spreadsheet shows them, in the Gregorian or the Persian calendar."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Final

from persiantools.jdatetime import JalaliDate

from campaigns.rules.format_codes import Format, Piece, unshown

Moment = datetime | date | time | timedelta
"""What a cell with a date format holds."""

_ELSEWHERE: Final = {"mm-dd-yy": "%Y-%m-%d", "m/d/yy h:mm": "%Y-%m-%d %H:%M"}
"""Formats that every computer shows in its own way: they become ISO 8601, which all read alike."""


def formatted(value: Moment, code: str, parsed: Format) -> str:
    """A moment in a format of dates or times. Raises: BadInput for what cannot be shown with certainty."""
    if code in _ELSEWHERE and isinstance(value, datetime):
        return value.strftime(_ELSEWHERE[code])
    pieces = [piece for piece in parsed.sections[0] if piece.kind != "text"]
    half = any(piece.kind == "half" for piece in pieces)
    shown = []
    for at, piece in enumerate(pieces):
        if piece.kind == "literal":
            shown.append(piece.text)
        elif piece.kind == "date" and _is_minute(pieces, at):
            shown.append(_padded(_seconds(value) // 60 % 60, piece.text))
        else:
            shown.append(_piece(value, piece, code, jalali=parsed.jalali, half=half))
    return parsed.localised("".join(shown))


def _is_minute(pieces: Sequence[Piece], at: int) -> bool:
    """Whether an m means minutes: behind hours, or before seconds."""
    if pieces[at].text not in {"m", "mm"}:
        return False
    codes = [(index, piece.text.strip("[]")[:1]) for index, piece in enumerate(pieces) if _is_code(piece)]
    place = [index for index, _ in codes].index(at)
    before = codes[place - 1][1] if place else ""
    after = codes[place + 1][1] if place + 1 < len(codes) else ""
    return before == "h" or after == "s"


def _is_code(piece: Piece) -> bool:
    return piece.kind in {"date", "elapsed"}


def _piece(value: Moment, piece: Piece, code: str, *, jalali: bool, half: bool) -> str:
    if piece.kind == "half":
        return "AM" if _seconds(value) // 3600 % 24 < 12 else "PM"
    if piece.kind == "elapsed":
        unit = {"h": 3600, "m": 60, "s": 1}[piece.text[1]]
        return _padded(_seconds(value) // unit, piece.text.strip("[]"))
    if piece.kind != "date":
        raise unshown(code)
    letter = piece.text[0]
    if letter in "hs":
        return _padded(_clock(value, letter, half=half), piece.text)
    if not isinstance(value, date):
        raise unshown(code)
    try:
        return _of_day(JalaliDate.to_jalali(value.year, value.month, value.day) if jalali else value, piece.text, code)
    except ValueError:  # a day before the first that the calendar knows
        raise unshown(code) from None


def _clock(value: Moment, letter: str, *, half: bool) -> int:
    seconds = _seconds(value)
    if letter == "s":
        return seconds % 60
    hours = seconds // 3600 % 24
    return (hours + 11) % 12 + 1 if half else hours


def _of_day(day: date | JalaliDate, spelled: str, code: str) -> str:
    """The year, month or day; names only where they are the same on every computer, which are the Persian months."""
    letter, length = spelled[0], len(spelled)
    if letter == "y":
        return f"{day.year:04}" if length > 2 else f"{day.year % 100:02}"
    if length <= 2:
        return _padded(day.month if letter == "m" else day.day, spelled)
    if isinstance(day, JalaliDate) and spelled == "mmmm":
        return str(day.strftime("%B", locale="fa"))
    raise unshown(code)


def _seconds(value: Moment) -> int:
    """Whole seconds since midnight; of a span, all of them."""
    if isinstance(value, timedelta):
        return int(value.total_seconds())
    if isinstance(value, (datetime, time)):
        return value.hour * 3600 + value.minute * 60 + value.second
    return 0


def _padded(number: int, spelled: str) -> str:
    return str(number).rjust(len(spelled), "0")
