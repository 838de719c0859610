"""ODS and XLS are read where what they hold is what a person sees, and refused with a cure where nobody can tell."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from campaigns.errors import BadInput
from campaigns.intake import estimate
from campaigns.intake.calamine_child import MAX_MEMORY, MAX_OUTPUT
from tests.stations.recipients import sift

XLS = Path(__file__).parent / "files" / "old_excel.xls"
"""A sheet of two people: one's number and amount are numbers, the other's are texts."""

ODS_TYPE = "application/vnd.oasis.opendocument.spreadsheet"
MANIFEST = (
    '<?xml version="1.0"?><manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
    f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{ODS_TYPE}"/></manifest:manifest>'
)
NAMESPACES = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{short}:1.0"' for short in ("office", "table", "text")
)


def text_cell(text: str) -> str:
    return f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'


def number_cell(value: str, shown: str) -> str:
    attributes = f'office:value-type="float" office:value="{value}"'
    return f"<table:table-cell {attributes}><text:p>{shown}</text:p></table:table-cell>"


def ods(*rows: list[str], hidden: int | None = None) -> io.BytesIO:
    """An ODS of one sheet, with the endless empty rows that LibreOffice writes behind the filled ones."""
    body = "".join(
        f"<table:table-row{' table:visibility=' + chr(34) + 'filter' + chr(34) if at == hidden else ''}>"
        f"{''.join(cells)}</table:table-row>"
        for at, cells in enumerate(rows, 1)
    )
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {NAMESPACES}><office:body><office:spreadsheet>'
        f'<table:table table:name="L">{body}<table:table-row table:number-rows-repeated="1048000">'
        '<table:table-cell table:number-columns-repeated="16384"/></table:table-row></table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", ODS_TYPE)
        archive.writestr("META-INF/manifest.xml", MANIFEST)
        archive.writestr("content.xml", content)
    out.seek(0)
    return out


PEOPLE = [
    [text_cell("موبایل"), text_cell("نام"), text_cell("سهم")],
    [number_cell("9705550001", "9705550001"), text_cell("سارا"), number_cell("0.15", "15%")],
    [text_cell("09705550002"), text_cell("علی"), text_cell("۱۵٪")],
]


def test_an_ods_is_read_and_a_value_whose_format_is_unknown_is_a_reject() -> None:
    assert [text for _, _, text in sift(ods(*PEOPLE), "سلام {نام}")[0]] == ["سلام سارا", "سلام علی"]
    messages, rejects = sift(ods(*PEOPLE), "{سهم}")
    assert messages == [(3, "09705550002", "۱۵٪")]
    assert [(reject.row_no, reject.kind) for reject in rejects] == [(2, "placeholder")]
    assert "save it as XLSX" in rejects[0].reason


def test_an_ods_that_hides_rows_asks_whether_they_are_meant() -> None:
    with pytest.raises(BadInput, match=r"which rows of the ODS a filter hides: save it as XLSX.*--include-hidden"):
        estimate(ods(*PEOPLE, hidden=2), "سلام")
    assert estimate(ods(*PEOPLE, hidden=2), "سلام", include_hidden=True).messages == 2


def test_an_xls_is_read_once_its_hidden_rows_are_meant() -> None:
    with pytest.raises(BadInput, match="which rows of the XLS a filter hides: save it as XLSX"):
        estimate(XLS, "سلام")
    found = estimate(XLS, "سلام {نام}", include_hidden=True)
    assert (found.messages, found.rejects) == (2, 0)
    amounts = estimate(XLS, "{مبلغ}", include_hidden=True)
    assert (amounts.messages, amounts.rejects) == (1, 1)
    with pytest.raises(BadInput, match="there is no sheet other: the sheets are لیست"):
        estimate(XLS, "سلام", sheet="other", include_hidden=True)


@pytest.mark.parametrize("at", [8, 600, 3000])
def test_damage_to_an_xls_is_bad_input_at_worst(at: int) -> None:
    content = XLS.read_bytes()
    with pytest.raises(BadInput, match="no XLS that can be read, or it is very large, or has a password"):
        estimate(io.BytesIO(content[:at]), "سلام", include_hidden=True)


@pytest.mark.parametrize("content", [b"", b"<nothing/>", b"<office:document-content"])
def test_damage_to_an_ods_is_bad_input_at_worst(content: bytes) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", ODS_TYPE)
        archive.writestr("content.xml", content)
    out.seek(0)
    with pytest.raises(BadInput):
        estimate(out, "سلام")


def test_a_sheet_of_more_cells_than_a_list_has_is_refused() -> None:
    far = f'<table:table-cell table:number-columns-repeated="15999"/>{text_cell("far")}'
    with pytest.raises(BadInput, match="no ODS that can be read, or it is very large"):
        estimate(ods(*PEOPLE, *[[text_cell("09705550003")]] * 330, [far]), "سلام")


@pytest.mark.parametrize(
    "greedy",
    [
        pytest.param(f"bytearray({2 * MAX_MEMORY})", id="memory"),
        pytest.param(f"os.ftruncate(1, {MAX_OUTPUT + 1})", id="output"),
    ],
)
def test_the_process_that_reads_a_workbook_may_take_so_much_and_no_more(greedy: str, tmp_path: Path) -> None:
    programs = [
        f"import os; from campaigns.intake import calamine_child; {limit}{greedy}"
        for limit in ("", "calamine_child.limit(); ")
    ]
    free, limited = (_code(program, tmp_path / "written") for program in programs)
    assert free == 0
    assert limited != 0


def _code(program: str, written: Path) -> int:
    with written.open("wb") as out:
        said = subprocess.run([sys.executable, "-c", program], stdout=out, stderr=subprocess.DEVNULL, check=False)
    return said.returncode
