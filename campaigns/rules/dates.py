"""Days and moments as people write them and as spreadsheets show them, in the Persian or the Gregorian calendar.

The gateway, its operators and most recipients use the time of Tehran.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from persiantools.jdatetime import JalaliDate

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules.phone import ASCII_DIGITS
from kavenegar_campaigns.rules.spreadsheet import CellFormat, FormatPiece, unsupported_format

TEHRAN: Final = ZoneInfo("Asia/Tehran")


def day_start(day: date) -> datetime:
    """Return the first moment of a day of Tehran."""
    return datetime.combine(day, time.min, TEHRAN)


# ── moments that a person types or a program passes, in the Persian or the Gregorian calendar ──

PERSIAN_YEARS: Final = range(1300, 1600)
"""Years that are read in the Persian calendar: 1921 to 2221. In the Gregorian calendar they are long past."""

_FIRST_YEAR: Final = 1900

MAX_START_AGE: Final = timedelta(days=1)
"""A start time further in the past is a mistake. A start time less far in the past may have waited in a queue."""

_DAY: Final = re.compile(r"([0-9]{4})([-/])([0-9]{1,2})\2([0-9]{1,2})(?!\d)")


def parse_moment(typed: str) -> datetime:
    """Parse a moment: ISO 8601, also with `/`, with digits of any script, in the Persian or the Gregorian calendar.

    Without a zone it is the time of Tehran. Raises: ValueError for text that is no moment; BadInput for a day that does
    not exist in its year of the Persian calendar.
    """
    plain = typed.strip().translate(ASCII_DIGITS)
    day = _DAY.match(plain)
    if day is not None:
        plain = _gregorian_date(int(day[1]), int(day[3]), int(day[4])).isoformat() + plain[day.end() :]
    at = datetime.fromisoformat(plain)
    if at.year < _FIRST_YEAR:
        raise ValueError(typed)
    return at if at.utcoffset() is not None else at.replace(tzinfo=TEHRAN)


def is_persian_date(typed: str) -> bool:
    """Return whether the typed text begins with a year of the Persian calendar."""
    year = typed.strip().translate(ASCII_DIGITS)[:4]
    return year.isdecimal() and int(year) in PERSIAN_YEARS


def persian_date(at: datetime) -> str:
    """Return the day of a moment in the Persian calendar, by the time of Tehran: `1405-09-10`."""
    return str(JalaliDate.to_jalali(at.astimezone(TEHRAN).date()))


def check_moment(at: datetime, name: str) -> None:
    """Refuse a moment without a zone, or with a year of the Persian calendar. Raises: BadInput."""
    if at.utcoffset() is None:
        raise BadInput(f"{name} has no time zone: nobody can tell when that is")
    if at.year in PERSIAN_YEARS:
        meant = _gregorian_date(at.year, at.month, at.day)
        raise BadInput(
            f"{name}: {at.year} is a year of the Persian calendar: {at:%Y-%m-%d} there is {meant}, so give {meant}"
        )


def check_start(at: datetime, name: str, *, now: datetime) -> None:
    """Refuse a start time further in the past than MAX_START_AGE: it is a mistake. Raises: BadInput."""
    check_moment(at, name)
    if at < now - MAX_START_AGE:
        local = f"{at.astimezone(TEHRAN):%Y-%m-%d %H:%M}"
        raise BadInput(
            f"{name}: {local} (Tehran) has passed {(now - at).days:,} days ago: give a time to come, or the present "
            "one to begin at once"
        )


def _gregorian_date(year: int, month: int, day: int) -> date:
    if year not in PERSIAN_YEARS:
        return date(year, month, day)
    try:
        found: date = JalaliDate(year, month, day).to_gregorian()
    except ValueError:
        raise BadInput(f"{year}-{month:02}-{day:02} is no day of the Persian calendar") from None
    return found


# ── dates and times as a spreadsheet shows them, in the Gregorian or the Persian calendar ──

CellMoment = datetime | date | time | timedelta
"""The value of a cell with a date format."""

_LOCAL_FORMATS: Final = {"mm-dd-yy": "%Y-%m-%d", "m/d/yy h:mm": "%Y-%m-%d %H:%M"}
"""Formats that computers show differently, by their settings: they become ISO 8601, which is unambiguous."""


def format_date(value: CellMoment, code: str, parsed: CellFormat) -> str:
    """Format a moment in a date or time format. Raises: BadInput for a value whose shown form is not certain."""
    if code in _LOCAL_FORMATS and isinstance(value, datetime):
        return value.strftime(_LOCAL_FORMATS[code])
    pieces = [piece for piece in parsed.sections[0] if piece.kind != "text"]
    half = any(piece.kind == "half" for piece in pieces)
    shown = []
    for at, piece in enumerate(pieces):
        if piece.kind == "literal":
            shown.append(piece.text)
        elif piece.kind == "date" and _is_minute(pieces, at):
            shown.append(_padded(_seconds(value) // 60 % 60, piece.text))
        else:
            shown.append(_date_piece(value, piece, code, jalali=parsed.jalali, half=half))
    return parsed.with_digits("".join(shown))


def _is_minute(pieces: Sequence[FormatPiece], at: int) -> bool:
    """Return whether an m means minutes: after hours, or before seconds."""
    if pieces[at].text not in {"m", "mm"}:
        return False
    codes = [(index, piece.text.strip("[]")[:1]) for index, piece in enumerate(pieces) if _is_code(piece)]
    place = [index for index, _ in codes].index(at)
    before = codes[place - 1][1] if place else ""
    after = codes[place + 1][1] if place + 1 < len(codes) else ""
    return before == "h" or after == "s"


def _is_code(piece: FormatPiece) -> bool:
    return piece.kind in {"date", "elapsed"}


def _date_piece(value: CellMoment, piece: FormatPiece, code: str, *, jalali: bool, half: bool) -> str:
    if piece.kind == "half":
        return "AM" if _seconds(value) // 3600 % 24 < 12 else "PM"
    if piece.kind == "elapsed":
        unit = {"h": 3600, "m": 60, "s": 1}[piece.text[1]]
        return _padded(_seconds(value) // unit, piece.text.strip("[]"))
    if piece.kind != "date":
        raise unsupported_format(code)
    letter = piece.text[0]
    if letter in "hs":
        return _padded(_clock_part(value, letter, half=half), piece.text)
    if not isinstance(value, date):
        raise unsupported_format(code)
    try:
        return _day_part(
            JalaliDate.to_jalali(value.year, value.month, value.day) if jalali else value, piece.text, code
        )
    except ValueError:  # a day before the calendar's first
        raise unsupported_format(code) from None


def _clock_part(value: CellMoment, letter: str, *, half: bool) -> int:
    seconds = _seconds(value)
    if letter == "s":
        return seconds % 60
    hours = seconds // 3600 % 24
    return (hours + 11) % 12 + 1 if half else hours


def _day_part(day: date | JalaliDate, spelled: str, code: str) -> str:
    """Format the year, month or day. Names are only allowed for Persian months, which all computers show alike."""
    letter, length = spelled[0], len(spelled)
    if letter == "y":
        return f"{day.year:04}" if length > 2 else f"{day.year % 100:02}"
    if length <= 2:
        return _padded(day.month if letter == "m" else day.day, spelled)
    if isinstance(day, JalaliDate) and spelled == "mmmm":
        return str(day.strftime("%B", locale="fa"))
    raise unsupported_format(code)


def _seconds(value: CellMoment) -> int:
    """Return the whole seconds since midnight; for a timedelta, all its seconds."""
    if isinstance(value, timedelta):
        return int(value.total_seconds())
    if isinstance(value, (datetime, time)):
        return value.hour * 3600 + value.minute * 60 + value.second
    return 0


def _padded(number: int, spelled: str) -> str:
    return str(number).rjust(len(spelled), "0")
