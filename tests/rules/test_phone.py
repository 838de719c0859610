"""One person has one number, however it is written."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules.phone import is_mobile, mask_number, normalise_line, normalise_mobile

SUBSCRIBER = st.from_regex(r"9[0-9]{9}", fullmatch=True)
PERSIAN = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


@st.composite
def spellings(draw: st.DrawFn) -> tuple[str, str]:
    """A number as we keep it, and one of the ways in which people write it."""
    subscriber = draw(SUBSCRIBER)
    start = draw(st.sampled_from(["0", "+98", "0098", "98", "", "+98 (0)"]))
    marks = st.sampled_from(["", "", "", " ", "-", "\u00a0", "\u200c", "\u200e", "\u202a", "\u2069", "–", "/"])
    spelled = start + "".join(digit + draw(marks) for digit in subscriber)
    alphabet = draw(st.sampled_from([{}, PERSIAN, ARABIC, FULL_WIDTH]))
    frame = draw(
        st.sampled_from(
            [
                "{}",
                " {} ",
                "\ufeff{}",
                "\t{}\r\n",
                "'{}",
                '="{}"',
                "\u202a{}\u202c",
                "{},",
                "{} ;",
                "{}،",
                "tel:{}",
                "TEL://{}",
            ]
        )
    )
    return "0" + subscriber, frame.format(spelled.translate(alphabet))


@settings(deadline=None)
@given(spellings())
def test_every_spelling_of_a_number_normalises_to_the_same(pair: tuple[str, str]) -> None:
    kept, written = pair
    assert normalise_mobile(written) == kept
    assert is_mobile(written)


@settings(deadline=None)
@given(SUBSCRIBER)
def test_a_kept_number_stays_as_it_is(subscriber: str) -> None:
    assert normalise_mobile("0" + subscriber) == "0" + subscriber


@settings(deadline=None)
@given(st.text(max_size=80) | st.text("0123456789+-. ()eE۰۹", max_size=20))
def test_whatever_is_given_comes_out_as_a_mobile_number_or_as_bad_input(value: str) -> None:
    if is_mobile(value):
        assert re.fullmatch(r"09[0-9]{9}", normalise_mobile(value))
    else:
        with pytest.raises(BadInput) as refusal:
            normalise_mobile(value)
        assert not re.search(r"09[0-9]{9}", str(refusal.value))


@pytest.mark.parametrize(
    "cell",
    ["9121234567.0", "09121234567.0", "989121234567.00", "9.121234567E9", "9.121234567e+09", "9.89121234567E+11"],
)
def test_a_number_a_spreadsheet_turned_into_a_figure_is_understood_while_no_digit_is_lost(cell: str) -> None:
    assert normalise_mobile(cell) == "09121234567"


@pytest.mark.parametrize(
    "cell", ["9,121,234,567", "989,121,234,567", "۹٬۱۲۱٬۲۳۴٬۵۶۷", "9'121'234'567", "9,121,234,567.0"]
)
def test_a_number_with_thousands_separators_is_understood(cell: str) -> None:
    assert normalise_mobile(cell) == "09121234567"


@pytest.mark.parametrize("cell", ["9.12E+09", "9.12123E+09", "9.8912E11", "9.12E9"])
def test_a_number_a_spreadsheet_shortened_is_refused_with_the_cure(cell: str) -> None:
    with pytest.raises(BadInput, match="format the column as text"):
        normalise_mobile(cell)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("02188776655", "landline"),
        ("+982188776655", "landline"),
        ("+14155552671", "not an Iranian number"),
        ("0014155552671", "not an Iranian number"),
        ("0912123456", "too few digits"),
        ("98912123456", "too few digits"),
        ("091212345678", "too many digits"),
        ("98912123456789", "too many digits"),
        ("09121234567, 09351234567", "several numbers"),
        ("09121234567;09351234567", "several numbers"),
        ("09121234567 ::: 09351234567", "joined several numbers with :::"),
        ("021 8877 6655 ::: 0912 123 4567", "joined several numbers with :::"),
        ("9,121,234,56", "no mobile number"),
        ("09121234567-09351234567", "several numbers"),
        ("0912 abc 4567", "letters"),
        ("علی", "letters"),
        ("912123456.7", "no mobile number"),
        ("0" * 5000, "5000 characters"),
    ],
)
def test_a_wrong_number_is_refused_with_its_reason_and_with_what_would_be_right(value: str, reason: str) -> None:
    with pytest.raises(BadInput, match=reason) as refusal:
        normalise_mobile(value)
    assert "09 and nine more digits" in str(refusal.value)


@pytest.mark.parametrize("value", ["091212345678", "09121234567x", "0912123456709351234567"])
def test_the_message_of_a_refusal_holds_no_number_one_could_call(value: str) -> None:
    with pytest.raises(BadInput) as refusal:
        normalise_mobile(value)
    assert value not in str(refusal.value)
    assert not re.search(r"[0-9]{8}", str(refusal.value))


def test_a_mask_leaves_enough_to_find_a_number_again_and_too_little_to_call_it() -> None:
    assert mask_number("09121234567") == "0912***4567"
    assert mask_number("0912123456") == "09***56"
    assert mask_number("abc") == "abc"


@pytest.mark.parametrize("line", ["+9810004346", "009810004346", "10004346", " ۱۰۰۰۴۳۴۶ ", "1000-4346"])
def test_a_line_has_one_spelling_too(line: str) -> None:
    assert normalise_line(line) == "10004346"


def test_an_international_line_keeps_its_country() -> None:
    assert normalise_line("0018018949161") == "0018018949161"


@pytest.mark.parametrize("line", ["", "12", "BRAND", "1" * 21, "+14155552671x"])
def test_what_is_no_line_is_refused(line: str) -> None:
    with pytest.raises(BadInput, match="digits alone"):
        normalise_line(line)
