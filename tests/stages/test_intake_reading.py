"""Recipients come in many shapes; the same people come out."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kavenegar_campaigns.errors import BadInput
from tests.stages.recipients import TEXT, as_csv, as_workbook, sift

PEOPLE = [("09121234567", "علی", "500"), ("09351234567", "مریم", "1000"), ("09191234567", "زهرا", "")]
GREETINGS = [(2, "09121234567", "سلام علی"), (3, "09351234567", "سلام مریم"), (4, "09191234567", "سلام زهرا")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "،", "؛"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_a_csv_is_read_with_any_delimiter_and_with_or_without_a_byte_order_mark(delimiter: str, bom: bytes) -> None:
    file = bom + as_csv([("mobile", "name", "amount"), *PEOPLE], delimiter)
    assert sift(io.BytesIO(file), TEXT) == (GREETINGS, [])


@pytest.mark.parametrize("encoding", ["utf-16", "cp1256"])
def test_a_csv_is_read_in_an_encoding_that_is_certain(encoding: str) -> None:
    rows = [("موبايل", "نام"), ("09121234567", "علي"), ("09351234567", "مريم")]
    for delimiter in (",", "\t"):
        file = io.BytesIO(as_csv(rows, delimiter).decode().encode(encoding))
        assert sift(file, "سلام {نام}") == ([(2, "09121234567", "سلام علي"), (3, "09351234567", "سلام مريم")], [])


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_csv_is_read_with_the_line_ends_of_any_system(line_end: str) -> None:
    file = as_csv([("mobile", "name", "amount"), *PEOPLE]).decode().replace("\r\n", line_end)
    assert sift(io.BytesIO(file.encode()), TEXT) == (GREETINGS, [])
    assert sift(io.StringIO(file, newline=""), TEXT) == (GREETINGS, [])


def test_a_workbook_is_read_like_a_csv() -> None:
    file = as_workbook([["mobile", "name", "amount"], *map(list, PEOPLE)])
    assert sift(file, TEXT) == (GREETINGS, [])


def test_a_path_is_read_by_what_the_file_holds(tmp_path: Path) -> None:
    rows = [("mobile", "name", "amount"), *PEOPLE]
    (tmp_path / "people.csv").write_bytes(as_csv(rows))
    (tmp_path / "people.xlsx").write_bytes(as_workbook([list(row) for row in rows]).getvalue())
    assert sift(tmp_path / "people.csv", TEXT) == (GREETINGS, [])
    assert sift(str(tmp_path / "people.xlsx"), TEXT) == (GREETINGS, [])


def test_an_open_file_stays_open_for_who_opened_it() -> None:
    for file in (io.BytesIO(as_csv(PEOPLE)), as_workbook([list(row) for row in PEOPLE])):
        sift(file)
        assert not file.closed


@pytest.mark.parametrize("kind", ["strings", "mappings", "pairs", "mixed"])
def test_an_iterable_holds_numbers_or_mappings_or_pairs_of_both(kind: str) -> None:
    mappings = [{"mobile": number, "name": name} for number, name, _ in PEOPLE]
    pairs = [(number, {"name": name}) for number, name, _ in PEOPLE]
    recipients = {
        "strings": [number for number, _, _ in PEOPLE],
        "mappings": mappings,
        "pairs": pairs,
        "mixed": [mappings[0], *pairs[1:]],
    }[kind]
    messages, rejects = sift(iter(recipients), "سلام" if kind == "strings" else TEXT)
    assert [number for _, number, _ in messages] == [number for number, _, _ in PEOPLE]
    assert [row_no for row_no, _, _ in messages] == [1, 2, 3]
    assert not rejects
    if kind != "strings":
        assert [text for _, _, text in messages] == ["سلام علی", "سلام مریم", "سلام زهرا"]


def test_values_of_an_iterable_are_written_as_a_person_would() -> None:
    given_values: list[object] = [
        500,
        500.0,
        0.5,
        True,
        date(2026, 1, 2),
        datetime(2026, 1, 2, tzinfo=UTC),
        datetime(2026, 1, 2, 9, 5),  # noqa: DTZ001 - a cell of a spreadsheet has no time zone
    ]
    messages, _ = sift([(f"0912123456{at}", {"v": value}) for at, value in enumerate(given_values)], "{v}")
    assert [text for _, _, text in messages] == [
        "500",
        "500",
        "0.5",
        "True",
        "2026-01-02",
        "2026-01-02",
        "2026-01-02 09:05",
    ]


def test_what_is_missing_from_an_iterable_is_rejected_and_the_rest_goes_on() -> None:
    recipients = [
        (9121234567, {"name": "علی"}),
        {"number": "09351234567"},
        {"number": None, "name": "x"},
        None,
        object(),
        ("0919", "no", "pair"),
        (b"09191234567", {"name": "x"}),
        {},
        ("09171234567", {"name": float("nan")}),
    ]
    messages, rejects = sift(recipients, TEXT)  # type: ignore[arg-type]
    assert messages == [(1, "09121234567", "سلام علی")]
    assert [(reject.row_no, reject.kind) for reject in rejects] == [
        (2, "placeholder"),
        *[(row, "number") for row in range(3, 9)],
        (9, "placeholder"),
    ]


def test_rows_are_counted_as_a_spreadsheet_shows_them() -> None:
    file = b'mobile,name\n\n09121234567,"two\nlines"\n,,\n   \n09351234567,b\n'
    messages, rejects = sift(io.BytesIO(file), TEXT)
    assert messages == [(3, "09121234567", "سلام two lines"), (6, "09351234567", "سلام b")]
    assert not rejects
    sheet = as_workbook([["mobile"], [], ["09121234567"], [None], ["09351234567"]])
    assert [row_no for row_no, _, _ in sift(sheet)[0]] == [3, 5]


def test_what_a_spreadsheet_calls_its_separator_is_believed() -> None:
    file = b"sep=;\r\nmobile;name\r\n09121234567;a,b\r\n"
    assert sift(io.BytesIO(file), TEXT)[0] == [(3, "09121234567", "سلام a,b")]


def test_wrong_rows_are_kept_with_row_kind_value_and_reason() -> None:
    file = as_csv(
        [
            ("mobile", "name"),
            ("+98 912 123 4567", "علی"),
            ("۰۹۱۲۱۲۳۴۵۶۷", "باز علی"),
            ("02188776655", "دفتر"),
            ("09351234567", ""),
            ("09361234567", "ن" * 900),
            ("09371234567", "a", "b"),
            ("09351234567", "مریم"),
        ]
    )
    messages, rejects = sift(io.BytesIO(file), TEXT)
    assert messages == [(2, "09121234567", "سلام علی"), (8, "09351234567", "سلام مریم")]
    assert [(reject.row_no, reject.kind) for reject in rejects] == [
        (3, "duplicate"),
        (4, "number"),
        (5, "placeholder"),
        (6, "text"),
        (7, "shape"),
    ]
    found = {reject.kind.value: reject for reject in rejects}
    assert found["duplicate"].value == "۰۹۱۲۱۲۳۴۵۶۷"
    assert found["number"].value == "02188776655"
    assert "landline" in found["number"].reason
    assert "{name}" in found["placeholder"].reason
    assert found["text"].reason == "the text has 905 characters: 900 are allowed"
    assert len(found["text"].value) == 200
    assert "3 cells" in found["shape"].reason


def test_cells_of_a_sheet_that_are_figures_are_numbers_all_the_same() -> None:
    sheet = as_workbook([["mobile", "amount"], [9121234567, 1500], [989351234567.0, 0.5], ["۰۹۱۹۱۲۳۴۵۶۷", None]])
    messages, rejects = sift(sheet, "{amount}")
    assert messages == [(2, "09121234567", "1500"), (3, "09351234567", "0.5")]
    assert [reject.kind for reject in rejects] == ["placeholder"]


def test_the_one_filled_sheet_is_meant_and_of_several_the_named_one() -> None:
    people: list[list[object]] = [["mobile"], ["09121234567"]]
    assert len(sift(as_workbook(people, [], []))[0]) == 1
    assert len(sift(as_workbook([], people))[0]) == 1
    with pytest.raises(BadInput, match=r"several sheets.*Sheet1"):
        sift(as_workbook(people, [["mobile"], ["09351234567"]]))
    assert sift(as_workbook(people, [["mobile"], ["09351234567"]]), sheet="Sheet1")[0] == [(2, "09351234567", None)]
    with pytest.raises(BadInput, match="no sheet Other"):
        sift(as_workbook(people), sheet="Other")


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.from_regex(r"09[0-9]{9}", fullmatch=True), st.text("abc ,;\t|\"'\nعلی\u200c", max_size=12)),
        min_size=1,
        max_size=30,
        unique_by=lambda pair: pair[0],
    ),
    st.sampled_from(",;\t|"),
)
def test_whatever_a_csv_writer_writes_is_read_back(people: list[tuple[str, str]], delimiter: str) -> None:
    assume(not any(delimiter in line for _, name in people for line in name.split("\n")[1:]))  # it may be two rows
    file = as_csv([("mobile", "name"), *people], delimiter)
    messages, rejects = sift(io.BytesIO(file), "{name}")
    assert [number for _, number, _ in messages] == [number for number, name in people if name.strip()]
    assert len(messages) + len(rejects) == len(people)
