"""How the gateway reads numbers, lines and lengths."""

from __future__ import annotations

import pytest

from kavenegar_sandbox.parameters import count_parts, parse_line, parse_mobile


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("س" * 70, 1),
        ("س" * 71, 2),
        ("س" * 134, 2),
        ("س" * 135, 3),
        ("س" * 900, 14),
        ("x" * 140, 1),
        ("x" * 153, 1),
        ("x" * 154, 2),
        ("x" * 306, 2),
        ("x" * 307, 3),
        ("x" * 900, 6),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("x" * 70 + "é", 2),
    ],
)
def test_a_text_has_70_67_or_140_153_units_a_part(text: str, parts: int) -> None:
    assert count_parts(text, latin_single=140) == parts


def test_an_undivided_latin_text_can_be_as_long_as_gsm_has_it() -> None:
    assert [count_parts("x" * length, latin_single=160) for length in (160, 161)] == [1, 2]


@pytest.mark.parametrize("written", ["09121234567", "00989121234567", "+989121234567", "9121234567", " 09121234567 "])
def test_four_ways_to_write_a_receptor_are_one_number(written: str) -> None:
    assert parse_mobile(written) == 9121234567


@pytest.mark.parametrize(
    "wrong", ["", "0912123456", "091212345678", "989121234567", "۰۹۱۲۱۲۳۴۵۶۷", "02112345678", "0912x"]
)
def test_anything_else_is_no_receptor(wrong: str) -> None:
    assert parse_mobile(wrong) is None


@pytest.mark.parametrize("loose", ["989121234567", "۰۹۱۲۱۲۳۴۵۶۷", "٠٩١٢١٢٣٤٥٦٧"])
def test_a_lenient_gateway_takes_bare_98_and_persian_digits(loose: str) -> None:
    assert parse_mobile(loose, lenient=True) == 9121234567


@pytest.mark.parametrize("written", ["10004346", "009810004346", "+9810004346"])
def test_three_ways_to_write_a_line_are_one_line(written: str) -> None:
    assert parse_line(written) == "10004346"
