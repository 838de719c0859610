"""A number, a day or a time has the text that the spreadsheet's format shows, or is refused."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import pytest

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules import dates, spreadsheet

DAY = datetime(2026, 11, 20, 14, 30)  # noqa: DTZ001 - a cell of a spreadsheet has no time zone


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (0.15, "0%", "15%"),
        (0.125, "0.00%", "12.50%"),
        (1 / 3, "0%", "33%"),
        (7, "00000", "00007"),
        (9701234567, "00000000000", "09701234567"),
        (1250000, "#,##0", "1,250,000"),
        (999, "#,##0", "999"),
        (1234567.5, "#,##0.00", "1,234,567.50"),
        (-5, "#,##0", "-5"),
        (-5, "#,##0;(#,##0)", "(5)"),
        (-5, "#,##0_);[Red](#,##0)", "(5)"),
        (0, '0;-0;"هیچ"', "هیچ"),
        (12_345_678, '#,##0,,"M"', "12M"),
        (2.5, "0", "3"),
        (0.005, "0.00", "0.01"),
        (-0.001, "0.00", "0.00"),
        (1250000, '#,##0" تومان"', "1,250,000 تومان"),
        (1250000, r"#,##0\ [$ریال-fa-IR]", "1,250,000 ریال"),
        (1234, "[$-3000429]#,##0", "۱,۲۳۴"),
        (9.5, 'General"%"', "9.5%"),
        (3, ";;", ""),
    ],
)
def test_a_number_is_shown_in_its_format(value: float, code: str, text: str) -> None:
    assert spreadsheet.format_number(value, code, spreadsheet.parse_format(code)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"),
        (5.0, "5"),
        (1_000_000_000_000, "1000000000000"),
        (999_999_999_999_999, "999999999999999"),
        (0.1 + 0.2, "0.3"),
        (1 / 3, "0.333333333"),
        (1234567.891, "1234567.891"),
        (-0.5, "-0.5"),
    ],
)
def test_a_number_without_a_format_keeps_its_digits(value: float, text: str) -> None:
    assert spreadsheet.format_general(value) == text


@pytest.mark.parametrize("value", [10**15, 6037991234567893, 6037991234567893.0, -(10**15)])
def test_a_number_of_more_digits_than_a_spreadsheet_keeps_is_refused(value: float) -> None:
    with pytest.raises(BadInput, match="more than 15 digits"):
        spreadsheet.format_general(value)
    with pytest.raises(BadInput, match="more than 15 digits"):
        spreadsheet.format_number(value, "0", spreadsheet.parse_format("0"))


@pytest.mark.parametrize("value", [1.5e-7, 123456789012.5])
def test_a_number_that_is_shown_in_powers_of_ten_is_refused(value: float) -> None:
    with pytest.raises(BadInput, match="powers of ten"):
        spreadsheet.format_general(value)


@pytest.mark.parametrize("code", ["0.00E+00", "# ?/?", "[>100]0;0", "000-0000", "0.0.0", "yyyy"])
def test_a_format_of_numbers_that_we_cannot_show_is_refused(code: str) -> None:
    with pytest.raises(BadInput, match="give the column a plain format"):
        spreadsheet.format_number(12.5, code, spreadsheet.parse_format(code))


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (DAY, "yyyy/mm/dd", "2026/11/20"),
        (DAY, "yyyy-mm-dd h:mm:ss", "2026-11-20 14:30:00"),
        (DAY, "d/m/yy", "20/11/26"),
        (DAY, 'yyyy"-"mm\\-dd\\ hh:mm', "2026-11-20 14:30"),
        (DAY, "mm-dd-yy", "2026-11-20"),
        (DAY, "m/d/yy h:mm", "2026-11-20 14:30"),
        (DAY, "[$-160429]yyyy/mm/dd;@", "1405/08/29"),
        (DAY, "[$-3160429]yyyy/mm/dd", "۱۴۰۵/۰۸/۲۹"),
        (DAY, "[$-fa-IR,16]d mmmm yyyy", "29 آبان 1405"),
        (DAY, "[~jalali]YYYY/MM/DD", "1405/08/29"),
        (time(14, 30), "h:mm:ss", "14:30:00"),
        (time(14, 30), "h:mm AM/PM", "2:30 PM"),
        (time(0, 5), "h:mm AM/PM", "12:05 AM"),
        (time(9, 5), "hh:mm", "09:05"),
        (timedelta(hours=30, minutes=5), "[h]:mm:ss", "30:05:00"),
    ],
)
def test_a_day_or_a_time_is_shown_in_its_format(value: dates.CellMoment, code: str, text: str) -> None:
    assert dates.format_date(value, code, spreadsheet.parse_format(code)) == text


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (DAY, "d mmmm yyyy"),
        (DAY, "dddd"),
        (DAY, "mm:ss.0"),
        (DAY, "[$-170401]yyyy/mm/dd"),
        (DAY, "[$-F400]h:mm:ss AM/PM"),
        (time(0, 0), "yyyy-mm-dd"),
    ],
    ids=str,
)
def test_a_format_of_dates_that_looks_different_elsewhere_is_refused(value: dates.CellMoment, code: str) -> None:
    with pytest.raises(BadInput, match="give the column a plain format"):
        dates.format_date(value, code, spreadsheet.parse_format(code))
