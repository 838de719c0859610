"""Moments as people write them, in the Persian and in the Gregorian calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules.dates import (
    MAX_START_AGE,
    TEHRAN,
    check_moment,
    check_start,
    is_persian_date,
    parse_moment,
    persian_date,
)

TENTH = datetime(2026, 12, 1, 10, 0, tzinfo=TEHRAN)


@pytest.mark.parametrize(
    "typed",
    [
        "2026-12-01 10:00",
        "2026/12/01 10:00",
        "2026-12-01T10:00+03:30",
        "2026-12-01T06:30Z",
        "1405/09/10 10:00",
        "1405-09-10T10:00",
        "1405/9/10 10:00",
        "1405-09-10T10:00+03:30",
        "۱۴۰۵/۰۹/۱۰ ۱۰:۰۰",
        "١٤٠٥-٠٩-١٠ ١٠:٠٠",
    ],
)
def test_a_moment_is_the_same_in_every_spelling(typed: str) -> None:
    assert parse_moment(typed) == TENTH
    assert persian_date(parse_moment(typed)) == "1405-09-10"
    assert is_persian_date(typed) == (not typed.startswith("20"))


@pytest.mark.parametrize("typed", ["", "tomorrow", "10/09/1405", "1405/09-10", "1405", "1299/01/01", "26/12/01"])
def test_what_cannot_be_told_is_no_moment(typed: str) -> None:
    with pytest.raises(ValueError, match=r"^(?!BadInput)"):
        parse_moment(typed)


def test_a_day_that_the_persian_calendar_has_not_is_named() -> None:
    assert parse_moment("1403-12-30") == datetime(2025, 3, 20, tzinfo=TEHRAN)
    for typed in ("1404-12-30", "1405/13/01"):
        with pytest.raises(BadInput, match="is no day of the Persian calendar"):
            parse_moment(typed)


def test_a_moment_of_the_middle_ages_is_told_which_day_is_meant() -> None:
    with pytest.raises(BadInput, match="start: 1405 is a year of the Persian calendar: 1405-09-10 there is 2026-12-01"):
        check_moment(datetime.fromisoformat("1405-09-10T10:00+03:30"), "start")
    with pytest.raises(BadInput, match="start has no time zone"):
        check_moment(datetime(2026, 12, 1), "start")  # noqa: DTZ001 - that is the point


def test_a_start_may_be_a_little_late_and_no_more() -> None:
    now = datetime(2026, 12, 1, tzinfo=UTC)
    check_start(now - MAX_START_AGE, "start", now=now)
    with pytest.raises(BadInput, match=r"start: 2026-11-28 03:30 .Tehran. has passed 3 days ago: give a time to come"):
        check_start(now - timedelta(days=3), "start", now=now)
