"""Which column is which is told by the header, by the data, or by asking back; never guessed."""

from __future__ import annotations

import io

import pytest

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.stages.intake import estimate
from tests.stages.recipients import as_csv, as_workbook, sift

PEOPLE = [("09121234567", "علی"), ("09351234567", "مریم"), ("09191234567", "زهرا")]


def test_without_a_header_columns_are_called_by_their_places() -> None:
    messages, _ = sift(io.BytesIO(as_csv([(name, number) for number, name in PEOPLE])), "سلام {1}")
    assert messages[0] == (1, "09121234567", "سلام علی")
    assert len(messages) == 3


def test_a_wrong_first_row_decides_neither_the_columns_nor_the_delimiter() -> None:
    file = io.BytesIO(as_csv([("oops",), ("سارا", "0912"), *[(name, number) for number, name in PEOPLE]], ";"))
    messages, rejects = sift(file, "سلام {1}")
    assert [row_no for row_no, _, _ in messages] == [3, 4, 5]
    assert [reject.row_no for reject in rejects] == [1, 2]


def test_the_header_is_found_below_a_title_and_what_stands_above_it_is_nobody() -> None:
    rows = [("فهرست آذر", "", ""), ("", "شماره", ""), ("", "", ""), ("ردیف", "نام", "موبایل")]
    people = [(str(at), name, number) for at, (number, name) in enumerate(PEOPLE, 1)]
    for file in (io.BytesIO(as_csv([*rows, *people])), as_workbook([list(row) for row in [*rows, *people]])):
        messages, rejects = sift(file, "سلام {نام}")
        assert [(row_no, text) for row_no, _, text in messages] == [(5, "سلام علی"), (6, "سلام مریم"), (7, "سلام زهرا")]
        assert [(reject.row_no, reject.kind, reject.value) for reject in rejects] == [
            (1, "above", "فهرست آذر"),
            (2, "above", "شماره"),
        ]
        assert "it stands above the header, which is row 4" in rejects[0].reason


def test_the_header_is_the_row_that_is_named_and_rows_above_it_are_counted() -> None:
    rows = [("09705550009", "پیش"), ("", ""), ("شماره", "لقب"), ("09705550001", "سارا")]
    for file in (io.BytesIO(as_csv(rows)), as_workbook([list(row) for row in rows])):
        found = estimate(file, "سلام {لقب}", header_row=3)
        assert (found.messages, found.rejects, found.header_row, found.first_text) == (1, 1, 3, "سلام سارا")
        assert found.reasons[0].startswith("row 1: it stands above the header, which is row 3")


@pytest.mark.parametrize("row", [2, 200])
def test_a_header_that_is_not_there_is_refused(row: int) -> None:
    file = io.BytesIO(as_csv([("موبایل",), ("",), ("09705550001",)]))
    with pytest.raises(BadInput, match=f"row {row} cannot be the header: it is empty, or not among the first 100 rows"):
        estimate(file, "سلام", header_row=row)
    with pytest.raises(BadInput, match="header_row is the row of a file"):
        estimate(["09705550001"], "سلام", header_row=row)


def test_it_is_said_where_the_header_is_and_that_none_was_recognised() -> None:
    assert estimate(io.BytesIO(as_csv([("فهرست",), ("موبایل",), ("09121234567",)])), "سلام").header_row == 2
    assert estimate(io.BytesIO(as_csv([("فهرست",), ("09121234567",)])), "سلام").header_row is None
    with pytest.raises(BadInput, match="no header was recognised among the first rows"):
        sift(io.BytesIO(as_csv([("customer",), ("09121234567",)])), "{name}")


@pytest.mark.parametrize(
    "header",
    [
        *("number", "Phone", "MOBILE", "receptor", "Cell", "msisdn", "tel", "Phone Number", "mobile_no"),
        *("شماره", "موبایل", "تلفن", "شماره موبایل", "شماره‌موبایل", "تلفن همراه", "همراه", "شماره تماس"),
    ],
)
def test_the_column_of_numbers_is_known_by_its_usual_names(header: str) -> None:
    rows = [("id", header, "other"), ("09999999999", "09121234567", "09351234567")]
    assert [number for _, number, _ in sift(io.BytesIO(as_csv(rows)))[0]] == ["09121234567"]


def test_of_two_columns_with_usual_names_the_one_that_holds_mobile_numbers_is_meant() -> None:
    rows = [("شماره", "موبایل"), ("1", "09121234567"), ("2", "09351234567")]
    assert len(sift(io.BytesIO(as_csv(rows)))[0]) == 2
    rows = [("mobile", "tel"), ("09121234567", "02188776655")]
    assert [number for _, number, _ in sift(io.BytesIO(as_csv(rows)))[0]] == ["09121234567"]


def test_a_header_without_a_usual_name_is_known_by_what_the_text_asks_for() -> None:
    rows = [("contact", "نام"), ("09121234567", "علی")]
    assert sift(io.BytesIO(as_csv(rows)), "سلام {نام}")[0] == [(2, "09121234567", "سلام علی")]


def test_a_column_may_be_named_for_the_numbers() -> None:
    rows = [("home", "work"), ("09121234567", "09351234567")]
    assert sift(io.BytesIO(as_csv(rows)), number_column="work")[0] == [(2, "09351234567", None)]
    assert sift(io.BytesIO(as_csv(rows[1:])), number_column="2")[0] == [(1, "09351234567", None)]
    mappings = [dict(zip(rows[0], rows[1], strict=True))]
    assert sift(mappings, number_column="work")[0] == [(1, "09351234567", None)]


@pytest.mark.parametrize(
    ("rows", "options", "sentence"),
    [
        ([("09121234567", "09351234567")], {}, "several columns hold mobile numbers.*the columns are 1, 2"),
        ([("mobile", "phone"), ("09121234567", "09351234567")], {}, "several columns.*mobile, phone"),
        ([("a", "b"), ("c", "d")], {}, "no column holds mobile numbers.*number_column"),
        ([("mobile", "b"), ("09121234567", "d")], {"number_column": "x"}, "no column x.*the columns are mobile, b"),
        ([("mobile", "b"), ("09121234567", "d")], {"words": "{c}"}, r"asks for \{c\}.*the columns are mobile, b"),
        ([("09121234567", "d")], {"words": "{name}"}, r"asks for \{name\}.*the columns are 1, 2"),
        ([("mobile", "a", "a"), ("09121234567", "d", "e")], {"words": "{a}"}, "2 columns are called a"),
        ([("mobile", "b"), ("09121234567", "d")], {"sheet": "x"}, "no sheet x"),
    ],
)
def test_where_nobody_can_tell_which_column_is_meant_the_columns_are_listed(
    rows: list[tuple[str, ...]], options: dict[str, str], sentence: str
) -> None:
    with pytest.raises(BadInput, match=sentence):
        sift(io.BytesIO(as_csv(rows)), **options)


def test_an_unknown_placeholder_is_found_before_the_file_is_read_any_further() -> None:
    file = io.BytesIO(as_csv([("mobile", "name"), *[("09121234567", "علی")] * 200_000]))
    with pytest.raises(BadInput, match="no such column"):
        sift(file, "{nmae}")
    assert file.tell() < 200_000


@pytest.mark.parametrize("asked", ["Name", "name", "NAME"])
def test_a_placeholder_prefers_the_column_that_is_written_the_same(asked: str) -> None:
    rows = [("mobile", "Name", "name"), ("09121234567", "big", "small")]
    if asked == "NAME":
        with pytest.raises(BadInput, match="2 columns"):
            sift(io.BytesIO(as_csv(rows)), f"{{{asked}}}")
    else:
        assert sift(io.BytesIO(as_csv(rows)), f"{{{asked}}}")[0][0][2] == ("big" if asked == "Name" else "small")


def test_a_placeholder_finds_its_column_in_the_letters_of_another_keyboard() -> None:
    rows = [("موبايل", "نام مشتري"), ("09121234567", "علی")]  # Arabic Yeh, as old keyboards write it
    assert sift(io.BytesIO(as_csv(rows)), "سلام {نام مشتری}")[0] == [(2, "09121234567", "سلام علی")]
