"""What reading one file may cost is bounded before it is read, whatever the file says of itself."""

from __future__ import annotations

import base64
import io
import random
import tracemalloc
import zipfile

import openpyxl
import pytest
from openpyxl.xml.functions import iterparse

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.stages.intake import estimate, ods, xlsx_parser
from kavenegar_campaigns.stages.intake.csv_rows import MAX_ROWS
from kavenegar_campaigns.stages.intake.row_validator import MAX_REJECTS
from kavenegar_campaigns.stages.intake.workbooks import DAMAGE, MAX_ELEMENTS, MAX_PIECE, MAX_UNPACKED, MAX_WHOLE, Parts
from tests.stages.recipients import as_workbook, sift
from tests.stages.test_intake_odd_files import Endless

SHEET = "xl/worksheets/sheet1.xml"
STRINGS = "xl/sharedStrings.xml"
NAMESPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
SAYS_STRINGS = (
    '<Override PartName="/xl/sharedStrings.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>'
)


def noise(size: int) -> str:
    """Text that hardly packs: a part that packs well is refused as a bomb."""
    return base64.b64encode(random.Random(size).randbytes(size * 3 // 4)).decode()


def sheet(*rows: str, before: str = "", behind: str = "") -> str:
    return f"{before}<worksheet {NAMESPACE}><sheetData>{''.join(rows)}</sheetData>{behind}</worksheet>"


def row(number: str, *others: str) -> str:
    return f'<row><c t="inlineStr"><is><t>{number}</t></is></c>{"".join(others)}</row>'


def strings(*texts: str) -> str:
    return f"<sst {NAMESPACE}>{''.join(f'<si><t>{text}</t></si>' for text in texts)}</sst>"


def workbook(parts: dict[str, str], *, sheets: int = 1) -> io.BytesIO:
    """A workbook with these parts in place of its own, or beside them."""
    out = io.BytesIO()
    rows: list[list[object]] = [["09705550001"]]
    with zipfile.ZipFile(as_workbook(*[rows] * sheets)) as plain, zipfile.ZipFile(out, "w", 8) as archive:
        for name in {*plain.namelist(), *parts}:
            content = parts.get(name) or plain.read(name).decode()
            if name == "[Content_Types].xml" and STRINGS in parts:
                content = content.replace("</Types>", SAYS_STRINGS)
            archive.writestr(name, content)
    out.seek(0)
    return out


@pytest.mark.parametrize(
    "parts",
    [
        {SHEET: sheet(row("09705550001"), row(noise(2 * MAX_PIECE)))},
        {SHEET: sheet(row("09705550001"), row("1", *(f"<c><v>{at}</v></c>" for at in range(MAX_PIECE // 16))))},
        {SHEET: sheet(row("09705550001")), STRINGS: strings("1", noise(2 * MAX_PIECE))},
    ],
    ids=["one cell", "very many cells", "one string"],
)
def test_a_row_or_a_text_that_is_far_too_long_is_refused_before_it_is_held(parts: dict[str, str]) -> None:
    with pytest.raises(BadInput, match=r"row \d: one row or text of the workbook takes more than 1 MiB"):
        estimate(workbook(parts), "سلام")


def test_a_part_that_packs_much_better_than_a_list_is_refused_unopened() -> None:
    empty = "<c/>" * 8_000
    rows = (row(f"0970555{at:04}", f"<!--{noise(150).replace('-', '')}-->", empty) for at in range(100))
    with pytest.raises(BadInput, match="unpacks to far more"):
        estimate(workbook({SHEET: sheet(*rows)}), "سلام")


def test_rows_that_reach_the_last_column_are_read_as_the_few_cells_they_are() -> None:
    rows = [row(f"0970555{at:04}", f'<c r="XFD{at + 1}" s="1"/>') for at in range(3_000)]
    assert estimate(workbook({SHEET: sheet(*rows)}), "سلام").messages == 3_000


def test_empty_cells_keep_the_place_of_the_cells_behind_them() -> None:
    cells = ('<c r="B1"/>', "<c/>", '<c t="inlineStr"><is><t>name</t></is></c>')
    rows = [row("mobile", *cells), row("09705550001", "<c/><c/>", "<c><v>7</v></c>")]
    assert sift(workbook({SHEET: sheet(*rows)}), "{name}")[0] == [(2, "09705550001", "7")]


def test_a_document_type_is_refused_in_whichever_part_it_stands() -> None:
    doctype = '<!DOCTYPE x [<!ENTITY all "09705550001">]>'
    for parts in (
        {SHEET: sheet(row("&all;"), before=doctype)},
        {SHEET: sheet(row("09705550001")), STRINGS: doctype + strings("&all;")},
        {SHEET: sheet(row("09705550001"), before=f"<!--{noise(70_000).replace('-', '')}-->{doctype}")},
    ):
        with pytest.raises(BadInput, match="has a document type"):
            estimate(workbook(parts), "سلام")


def test_the_parser_behind_that_check_takes_no_entity_either_and_what_it_says_counts_as_damage() -> None:
    """Openpyxl takes defusedxml where it is installed; XLSX and ODS are both read with the parser that openpyxl has."""
    assert openpyxl.DEFUSEDXML, "defusedxml is not installed, or OPENPYXL_DEFUSEDXML turns it off"
    bomb = io.BytesIO(b'<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><x>&b;</x>')
    for parser in (xlsx_parser, ods):
        assert parser.iterparse is iterparse
    with pytest.raises(DAMAGE):
        list(iterparse(bomb))


def test_what_stands_behind_the_rows_is_not_read() -> None:
    behind = f"<mergeCells>{noise(2 * MAX_PIECE)}</mergeCells>"
    assert estimate(workbook({SHEET: sheet(row("09705550001"), behind=behind)}), "سلام").messages == 1


def test_a_long_text_that_many_cells_refer_to_is_held_once_and_makes_a_reject() -> None:
    wide = '<c t="s"><v>0</v></c>' * 900
    rows = [row(f"0970555{at:04}", wide) for at in range(40)]
    file = workbook({SHEET: sheet(row("09705559999"), *rows), STRINGS: strings(noise(30_000))})
    tracemalloc.start()
    try:
        found = estimate(file, "سلام")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (found.messages, found.rejects) == (1, 40)
    assert "the row holds more than 64 KiB of text" in found.reasons[0]
    assert peak < 100_000_000


def test_a_string_that_is_not_there_is_no_other_one() -> None:
    cell = '<row><c t="s"><v>-1</v></c></row>'
    with pytest.raises(BadInput, match="no XLSX that can be read"):
        estimate(workbook({SHEET: sheet(row("09705550001"), cell), STRINGS: strings("09705550002")}), "سلام")


def test_a_part_that_has_to_be_held_whole_is_a_small_one() -> None:
    with pytest.raises(BadInput, match="unpacks to far more"):
        estimate(workbook({"xl/styles.xml": f"<styleSheet {NAMESPACE}>{noise(MAX_WHOLE)}</styleSheet>"}), "سلام")


def test_a_file_is_unpacked_up_to_a_size_and_read_up_to_a_number_of_cells_however_many_sheets_share_them() -> None:
    with Parts(workbook({})) as parts:
        parts.take(MAX_UNPACKED - 1_000)
        with pytest.raises(BadInput, match="unpacks to far more"):
            [parts.open(SHEET).close() for _ in range(1_000)]
        parts.count(MAX_ELEMENTS)
        with pytest.raises(BadInput, match="more than 20,000,000 cells: delete the columns"):
            parts.count(1)


def test_a_file_of_lines_without_an_end_is_refused() -> None:
    stream = Endless(b"09705550001\n", b"\n")
    with pytest.raises(BadInput, match="more than 10,000,000 rows"):
        estimate(stream, "سلام")
    assert stream.taken < 2 * MAX_ROWS


def test_a_file_of_which_a_million_rows_are_wrong_and_fewer_are_right_is_refused() -> None:
    stream = Endless(b"09705550001,a\n", b",\n,b\n")
    with pytest.raises(BadInput, match=r"more than 1,000,000 rows cannot be used.*that you meant\? row 3: "):
        estimate(stream, "سلام")
    assert stream.taken < 8 * MAX_REJECTS
