"""Moments that a person or a program gives us, in the Persian or the Gregorian calendar."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Final

from persiantools.jdatetime import JalaliDate

from campaigns.errors import BadInput
from campaigns.rules.calendar import TEHRAN
from campaigns.rules.phone import ASCII_DIGITS

PERSIAN_YEARS: Final = range(1300, 1600)
"""Years that are meant in the Persian calendar: 1921 to 2221. Nobody means the Middle Ages."""

_FIRST_YEAR: Final = 1900

LATE: Final = timedelta(days=1)
"""A start that is later than this was meant for another time. One that is less late may have waited on its way."""

_DAY: Final = re.compile(r"([0-9]{4})([-/])([0-9]{1,2})\2([0-9]{1,2})(?!\d)")


def read_moment(typed: str) -> datetime:
    """A moment as typed: ISO 8601, also with `/`, with digits of any kind, in the Persian or the Gregorian calendar.

    Without a zone it is the time of Tehran. Raises: ValueError for what is none; BadInput for a day that a year of the
    Persian calendar has not.
    """
    plain = typed.strip().translate(ASCII_DIGITS)
    day = _DAY.match(plain)
    if day is not None:
        plain = _gregorian(int(day[1]), int(day[3]), int(day[4])).isoformat() + plain[day.end() :]
    at = datetime.fromisoformat(plain)
    if at.year < _FIRST_YEAR:
        raise ValueError(typed)
    return at if at.utcoffset() is not None else at.replace(tzinfo=TEHRAN)


def is_persian(typed: str) -> bool:
    """Whether what was typed begins with a year of the Persian calendar."""
    year = typed.strip().translate(ASCII_DIGITS)[:4]
    return year.isdecimal() and int(year) in PERSIAN_YEARS


def in_persian(at: datetime) -> str:
    """The day of a moment in the Persian calendar, by the clock of Tehran: `1405-09-10`."""
    return str(JalaliDate.to_jalali(at.astimezone(TEHRAN).date()))


def check_moment(at: datetime, name: str) -> None:
    """Refuse a moment that is none: without a zone, or with a year of the Persian calendar. Raises: BadInput."""
    if at.utcoffset() is None:
        raise BadInput(f"{name} has no time zone: nobody can tell when that is")
    if at.year in PERSIAN_YEARS:
        meant = _gregorian(at.year, at.month, at.day)
        raise BadInput(
            f"{name}: {at.year} is a year of the Persian calendar: {at:%Y-%m-%d} there is {meant}, so give {meant}"
        )


def check_start(at: datetime, name: str, *, now: datetime) -> None:
    """Refuse a time to begin that has passed long ago: what was meant is another one. Raises: BadInput."""
    check_moment(at, name)
    if at < now - LATE:
        local = f"{at.astimezone(TEHRAN):%Y-%m-%d %H:%M}"
        raise BadInput(
            f"{name}: {local} (Tehran) has passed {(now - at).days:,} days ago: give a time to come, or the present "
            "one to begin at once"
        )


def _gregorian(year: int, month: int, day: int) -> date:
    if year not in PERSIAN_YEARS:
        return date(year, month, day)
    try:
        found: date = JalaliDate(year, month, day).to_gregorian()
    except ValueError:
        raise BadInput(f"{year}-{month:02}-{day:02} is no day of the Persian calendar") from None
    return found
