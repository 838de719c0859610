"""A workbook says what a person sees in it: cells as shown, hidden rows left out and counted, one sheet."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import datetime, time
from pathlib import Path

import pytest
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet
from sqlalchemy import Engine

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.stages.intake import estimate
from tests.stages.recipients import as_workbook, make, one, sift

DAY = datetime(2026, 11, 20, 14, 30)  # noqa: DTZ001 - a cell of a spreadsheet has no time zone

COMPUTED = b'<calcPr calcId="191029"/>'


def saved(workbook: Workbook, application: str = "Microsoft Excel", *, computed: bool = True) -> io.BytesIO:
    """The workbook as `application` would have saved it: openpyxl itself asks for formulas to be computed."""
    first, out = io.BytesIO(), io.BytesIO()
    workbook.save(first)
    with zipfile.ZipFile(first) as before, zipfile.ZipFile(out, "w") as after:
        for part in before.infolist():
            content = before.read(part)
            if computed:
                content = re.sub(rb"<calcPr[^>]*/>", COMPUTED, content)
            named = f"<Application>{application}</Application>".encode()
            after.writestr(part, re.sub(rb"<Application>.*?</Application>", named, content))
    out.seek(0)
    return out


def with_value(file: io.BytesIO, formula: str, cell: str) -> io.BytesIO:
    """The workbook with `cell`, XML, in place of the cell that holds the formula."""
    out = io.BytesIO()
    with zipfile.ZipFile(file) as before, zipfile.ZipFile(out, "w") as after:
        for part in before.infolist():
            pattern = f"<c ([^>]*)><f>{re.escape(formula)}</f><v */></c>"
            after.writestr(part, re.sub(pattern, cell, before.read(part).decode()).encode())
    out.seek(0)
    return out


def sheet_of(*rows: list[object]) -> tuple[Workbook, Worksheet]:
    workbook = Workbook()
    sheet = workbook.active
    assert isinstance(sheet, Worksheet)
    for row in [["mobile", "name", "value"], *rows]:
        sheet.append(row)
    return workbook, sheet


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (0.15, "0%", "15%"),
        (12, "00000", "00012"),
        (1250000, "#,##0", "1,250,000"),
        (DAY, "yyyy/mm/dd", "2026/11/20"),
        (DAY, "[$-160429]yyyy/mm/dd;@", "1405/08/29"),
        (DAY, "[$-fa-IR,16]yyyy/mm/dd", "1405/08/29"),
        (time(14, 30), "h:mm", "14:30"),
        (True, "General", "TRUE"),
        (False, "General", "FALSE"),
        (603799123456789, "General", "603799123456789"),
    ],
)
def test_a_text_holds_the_value_as_the_sheet_shows_it(value: object, code: str, text: str) -> None:
    workbook, sheet = sheet_of([9705550001, "سارا", value])
    sheet["C2"].number_format = code
    assert sift(saved(workbook), "{value}") == ([(2, "09705550001", text)], [])


@pytest.mark.parametrize(
    ("value", "code", "reason"),
    [
        (6037991234567893, "General", "more than 15 digits"),
        (6037991234567893.0, "0", "more than 15 digits"),
        (1.5e-7, "General", "powers of ten"),
        (0.5, "# ?/?", "plain format"),
        (DAY, "d mmmm yyyy", "plain format"),
        ("#N/A", "General", "shows the error #N/A"),
    ],
)
def test_a_value_that_cannot_be_told_as_shown_is_a_reject_where_the_text_asks_for_it(
    value: object, code: str, reason: str
) -> None:
    workbook, sheet = sheet_of([9705550001, "سارا", value])
    sheet["C2"].number_format = code
    messages, rejects = sift(saved(workbook), "{name} {value}")
    assert messages == []
    assert [(reject.row_no, reject.kind) for reject in rejects] == [(2, "placeholder")]
    assert reason in rejects[0].reason
    assert "{value}: " in rejects[0].reason
    assert len(sift(saved(workbook), "{name}")[0]) == 1


def test_a_number_is_read_whatever_format_its_column_has() -> None:
    workbook, sheet = sheet_of([9705550001], [9705550002], [9705550003], [9705550004])
    for at, code in enumerate(["0.00E+00", "0000-000-0000", "#,##0", "00000000000"], 2):
        sheet.cell(at, 1).number_format = code
    assert [number for _, number, _ in sift(saved(workbook))[0]] == [f"0970555000{at}" for at in range(1, 5)]


def test_a_formula_that_nobody_computed_is_a_reject_for_a_number_as_for_a_value() -> None:
    workbook, _ = sheet_of(["09705550001", "سارا", "=1+1"], ['="0970"&"5550002"', "علی", "5"])
    messages, rejects = sift(saved(workbook), "{value}")
    assert messages == []
    assert [(reject.row_no, reject.kind) for reject in rejects] == [(2, "placeholder"), (3, "number")]
    assert all("no program has computed the formula" in reject.reason for reject in rejects)


def test_a_value_beside_a_formula_is_believed_unless_the_file_asks_to_be_computed() -> None:
    workbook, _ = sheet_of(["09705550001", "سارا", "=1+1"])
    value = r"<c \1><f>1+1</f><v>2</v></c>"
    assert sift(with_value(saved(workbook), "1+1", value), "{value}")[0] == [(2, "09705550001", "2")]
    pending = with_value(saved(workbook, computed=False), "1+1", value)
    assert [reject.kind for reject in sift(pending, "{value}")[1]] == ["placeholder"]


def test_a_formula_that_gives_an_empty_text_is_computed_and_empty() -> None:
    workbook, _ = sheet_of(["09705550001", "سارا", "=1+1"])
    empty = with_value(saved(workbook), "1+1", r'<c \1 t="str"><f>1+1</f><v></v></c>')
    assert "there is no value for {value}" in sift(empty, "{value}")[1][0].reason


def test_the_nought_that_libreoffice_keeps_of_an_uncomputed_formula_is_not_sent() -> None:
    workbook, _ = sheet_of(["09705550001", "سارا", "=1+1"])
    nought = r"<c \1><f>1+1</f><v>0</v></c>"
    kept = with_value(saved(workbook, "LibreOffice/7.6.7.2$Linux_X86_64"), "1+1", nought)
    assert "Ctrl+Shift+F9" in sift(kept, "{value}")[1][0].reason
    assert sift(with_value(saved(workbook), "1+1", nought), "{value}")[0] == [(2, "09705550001", "0")]


def filtered() -> io.BytesIO:
    workbook, sheet = sheet_of(*[[f"0970555000{at}", f"n{at}"] for at in range(1, 6)])
    sheet.auto_filter.ref = "A1:B6"
    for row in (3, 4):
        sheet.row_dimensions[row].hidden = True
    return saved(workbook)


def test_rows_that_a_filter_hides_get_nothing_and_are_counted() -> None:
    messages, rejects = sift(filtered())
    assert [row_no for row_no, _, _ in messages] == [2, 5, 6]
    assert [(reject.row_no, reject.kind) for reject in rejects] == [(3, "hidden"), (4, "hidden")]
    assert "--include-hidden" in rejects[0].reason
    found = estimate(filtered(), "سلام")
    assert (found.messages, found.rejects, found.hidden) == (3, 2, 2)


def test_hidden_rows_are_sent_to_where_they_are_meant(engine: Engine) -> None:
    assert estimate(filtered(), "سلام", include_hidden=True).messages == 5
    with engine.begin() as connection:
        make(connection, filtered(), text="سلام", include_hidden=True)
        make(connection, filtered(), text="سلام")
        counts = one(connection, "SELECT array_agg(messages ORDER BY id) AS m FROM sms.campaigns").m
        assert counts == [5, 3]
        assert one(connection, "SELECT count(*) AS n FROM sms.rejects WHERE kind = 'hidden'").n == 2


def test_a_hidden_header_is_a_header_and_a_hidden_sheet_is_not_taken_for_the_one_that_is_meant() -> None:
    workbook, sheet = sheet_of(["09705550001", "سارا"])
    sheet.row_dimensions[1].hidden = True
    old = workbook.create_sheet("old")
    old.append(["09705550002"])
    old.sheet_state = "hidden"
    assert sift(saved(workbook), "{name}")[0] == [(2, "09705550001", "سارا")]
    assert sift(saved(workbook), sheet="old")[0] == [(1, "09705550002", None)]


def test_a_blank_cell_far_away_is_nothing_and_a_value_far_away_is_named_by_its_column() -> None:
    workbook, sheet = sheet_of(["09705550001", "سارا"], ["09705550002", "علی"], ["09705550003", "مینا"])
    sheet["Z900"] = " "
    sheet["Z2"] = " "
    sheet["Z3"] = "x"
    sheet["XFD4"] = "x"
    messages, rejects = sift(saved(workbook))
    assert [row_no for row_no, _, _ in messages] == [2]
    assert [(reject.row_no, reject.kind) for reject in rejects] == [(3, "shape"), (4, "shape")]
    assert "a value stands in column Z, and the last column is C" in rejects[0].reason
    assert "column XFD" in rejects[1].reason


def test_of_several_sheets_with_rows_only_these_are_named() -> None:
    people: list[list[object]] = [["mobile"], ["09705550001"]]
    with pytest.raises(BadInput, match=r"several sheets have rows.*--sheet.*they are Sheet, Sheet2$"):
        sift(as_workbook(people, [], people))


def test_floats_and_missing_values_of_python_are_told_as_a_person_would(tmp_path: Path) -> None:
    class NAType:
        """What pandas puts where there is no value."""

    rows: list[object] = [6037991234567893.0, 2.0**60, NAType()]
    messages, rejects = sift([(f"0970555000{at}", {"v": value}) for at, value in enumerate(rows)], "{v}")
    assert [text for _, _, text in messages] == ["6037991234567893"]
    assert ["float" in reject.reason for reject in rejects] == [True, False]
