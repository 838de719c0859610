"""An ODS is read as a person sees it: every cell as shown, hidden rows left out and counted, one sheet."""

from __future__ import annotations

import io
import zipfile

import pytest

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.stages.intake import estimate
from kavenegar_campaigns.stages.intake.workbooks import MAX_PIECE
from tests.stages.recipients import sift
from tests.stages.test_intake_bounds import noise

ODS_TYPE = "application/vnd.oasis.opendocument.spreadsheet"
MANIFEST = (
    '<?xml version="1.0"?><manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
    f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{ODS_TYPE}"/></manifest:manifest>'
)
NAMESPACES = (
    " ".join(
        f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{short}:1.0"'
        for short in ("office", "table", "text", "style")
    )
    + ' xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
)
FILTERED = 'table:visibility="filter"'


def text_cell(text: str) -> str:
    return f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'


def number_cell(value: str, shown: str) -> str:
    attributes = f'office:value-type="float" office:value="{value}"'
    return f"<table:table-cell {attributes}><text:p>{shown}</text:p></table:table-cell>"


def cell(kind: str, stored: str, shown: str | None) -> str:
    """A cell as LibreOffice writes it: what it holds, and how it is shown."""
    paragraph = "" if shown is None else f"<text:p>{shown}</text:p>"
    return f'<table:table-cell office:value-type="{kind}" {stored}>{paragraph}</table:table-cell>'


def sheet(*rows: list[str] | str, name: str = "L", style: str = "") -> str:
    """A sheet, with the endless empty rows that LibreOffice writes behind the filled ones."""
    body = "".join(
        row if isinstance(row, str) else f"<table:table-row>{''.join(row)}</table:table-row>" for row in rows
    )
    return (
        f'<table:table table:name="{name}" {style}>{body}<table:table-row table:number-rows-repeated="1048000">'
        '<table:table-cell table:number-columns-repeated="16384"/></table:table-row></table:table>'
    )


def filtered(cells: list[str], attributes: str = FILTERED) -> str:
    return f"<table:table-row {attributes}>{''.join(cells)}</table:table-row>"


def book(*sheets: str, before: str = "") -> io.BytesIO:
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?>{before}<office:document-content {NAMESPACES}><office:automatic-styles>'
        '<style:style style:name="shown" style:family="table"><style:table-properties table:display="true"/>'
        '</style:style><style:style style:name="hidden" style:family="table"><style:table-properties '
        'table:display="false"/></style:style></office:automatic-styles><office:body><office:spreadsheet>'
        f"{''.join(sheets)}</office:spreadsheet></office:body></office:document-content>"
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", ODS_TYPE)
        archive.writestr("META-INF/manifest.xml", MANIFEST)
        archive.writestr("content.xml", content)
    out.seek(0)
    return out


def ods(*rows: list[str] | str) -> io.BytesIO:
    return book(sheet(*rows))


PEOPLE = [
    [text_cell("موبایل"), text_cell("نام"), text_cell("سهم")],
    [number_cell("9705550001", "9705550001"), text_cell("سارا"), number_cell("0.15", "15%")],
    [text_cell("09705550002"), text_cell("علی"), text_cell("۱۵٪")],
]


def value_of(cell_: str) -> tuple[list[str | None], list[str]]:
    """The texts and the reasons that a cell makes in a text of nothing else."""
    header = [text_cell("number"), text_cell("value")]
    messages, rejects = sift(ods(header, [text_cell("09705550001"), cell_]), "{value}")
    return [text for _, _, text in messages], [reject.reason for reject in rejects]


def test_an_ods_is_read_as_it_is_shown() -> None:
    assert sift(ods(*PEOPLE), "{نام}: {سهم}") == (
        [(2, "09705550001", "سارا: 15%"), (3, "09705550002", "علی: ۱۵٪")],
        [],
    )


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (cell("float", 'office:value="12"', "00012"), "00012"),
        (cell("float", 'office:value="1250000"', "1,250,000"), "1,250,000"),
        (cell("date", 'office:date-value="2026-11-20"', "۱۴۰۵/۰۸/۲۹"), "۱۴۰۵/۰۸/۲۹"),
        (cell("time", 'office:time-value="PT14H30M00S"', "14:30"), "14:30"),
        (cell("boolean", 'office:boolean-value="true"', "TRUE"), "TRUE"),
        (cell("currency", 'office:value="5"', "5 ریال"), "5 ریال"),
        (cell("float", 'table:formula="of:=1+1" office:value="2"', "2"), "2"),
        (cell("string", "", 'a<text:s text:c="2"/>b<text:span>c\n d</text:span><text:a>e</text:a>'), "a  bc de"),
        (cell("string", "", "line</text:p><text:p>two"), "line two"),
        (
            text_cell("a").replace("<text:p>", "<office:annotation><text:p>note</text:p></office:annotation><text:p>"),
            "a",
        ),
    ],
)
def test_a_text_holds_the_cell_as_the_sheet_shows_it(written: str, text: str) -> None:
    assert value_of(written) == ([text], [])


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (cell("float", 'office:value="6.03799123456789E15"', "6037991234567890"), "more than 15 digits"),
        (cell("float", 'office:value="603799123456789"', "6.04E+14"), "powers of ten"),
        (cell("float", 'office:value="5"', None), "does not say how the cell is shown"),
        (cell("date", 'office:date-value="2026-11-20"', None), "does not say how the cell is shown"),
        (cell("string", 'calcext:value-type="error"', "#N/A"), "shows the error #N/A"),
        (cell("float", 'office:value="0"', "Err:508"), "shows the error Err:508"),
        ('<table:table-cell table:formula="of:=1+1"/>', "no program has computed the formula"),
    ],
)
def test_a_cell_that_does_not_say_what_it_shows_is_a_reject_where_the_text_asks_for_it(
    written: str, reason: str
) -> None:
    texts, reasons = value_of(written)
    assert texts == []
    assert reason in reasons[0]


def test_a_number_is_read_from_the_stored_digits_where_the_sheet_shortens_it() -> None:
    shortened = cell("float", 'office:value="9705550001"', "9.71E+09")
    assert [number for _, number, _ in sift(ods([shortened]))[0]] == ["09705550001"]


def test_rows_that_a_filter_or_a_group_hides_get_nothing_and_are_counted() -> None:
    group = "<table:table-row-group {}><table:table-row>{}</table:table-row></table:table-row-group>"
    rows = (
        PEOPLE[0],
        filtered(PEOPLE[1]),
        PEOPLE[2],
        filtered([text_cell("09705550003")], 'table:visibility="collapse"'),
        group.format('table:display="false"', text_cell("09705550004")),
        group.format("", text_cell("09705550005")),
    )
    messages, rejects = sift(ods(*rows))
    assert [row_no for row_no, _, _ in messages] == [3, 6]
    assert [(reject.row_no, reject.kind) for reject in rejects] == [(2, "hidden"), (4, "hidden"), (5, "hidden")]
    assert estimate(ods(*rows), "سلام", include_hidden=True).messages == 5


def test_rows_and_cells_that_are_written_once_for_several_are_as_many() -> None:
    twice = f'<table:table-row table:number-rows-repeated="2">{text_cell("09705550001")}</table:table-row>'
    empty = '<table:table-row table:number-rows-repeated="3"><table:table-cell/></table:table-row>'
    same = text_cell("x").replace("<table:table-cell", '<table:table-cell table:number-columns-repeated="2"')
    merged = '<table:covered-table-cell office:value-type="string"><text:p>under</text:p></table:covered-table-cell>'
    last = [text_cell("09705550002"), same, merged, text_cell("end")]
    messages, rejects = sift(ods(twice, empty, last), "{2}{3}{5}")
    assert (messages, [reject.kind for reject in rejects]) == (
        [(6, "09705550002", "xxend")],
        ["placeholder", "placeholder"],
    )
    found = estimate(ods(twice, empty, [text_cell("09705550002")]), "سلام")
    assert (found.messages, found.duplicates, found.rows_read) == (2, 1, 3)


def test_the_one_sheet_that_is_shown_and_filled_is_meant_and_of_several_the_named_one() -> None:
    people, others = sheet(*PEOPLE, style='table:style-name="shown"'), sheet([text_cell("09705550009")], name="other")
    hidden = sheet([text_cell("09705550008")], name="old", style='table:style-name="hidden"')
    assert estimate(book(people, hidden, sheet(name="empty")), "سلام").messages == 2
    assert estimate(book(people, hidden), "سلام", sheet="old").messages == 1
    with pytest.raises(BadInput, match=r"several sheets have rows: say which.*they are L, other$"):
        estimate(book(people, others, hidden), "سلام")
    with pytest.raises(BadInput, match="there is no sheet none: the sheets are L, old"):
        estimate(book(people, hidden), "سلام", sheet="none")
    with pytest.raises(BadInput, match="the workbook is empty, but for 1 hidden sheets: name one"):
        estimate(book(hidden), "سلام")


def test_a_cell_far_to_the_right_is_named_and_a_row_that_is_far_too_long_is_refused() -> None:
    far = f'<table:table-cell table:number-columns-repeated="15999"/>{text_cell("far")}'
    found = estimate(ods(*PEOPLE, [text_cell("09705550003"), far]), "سلام")
    assert (found.messages, found.rejects) == (2, 1)
    assert "a cell stands in column WQK" in found.reasons[0]
    with pytest.raises(BadInput, match="row 2: one row or text of the workbook takes more than 1 MiB"):
        estimate(ods([text_cell("09705550003")], [text_cell(noise(2 * MAX_PIECE))]), "سلام")
    filled = f'<table:table-row table:number-rows-repeated="1048576">{text_cell("09705550003")}</table:table-row>'
    with pytest.raises(BadInput, match="row 1: the same stands in 1,048,576 rows from here on"):
        estimate(ods(filled), "سلام")
    with pytest.raises(BadInput, match="has a document type"):
        estimate(book(sheet(*PEOPLE), before='<!DOCTYPE x [<!ENTITY a "b">]>'), "سلام")


@pytest.mark.parametrize("content", [b"", b"<nothing/>", b"<office:document-content"])
def test_damage_to_an_ods_is_bad_input_at_worst(content: bytes) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", ODS_TYPE)
        archive.writestr("content.xml", content)
    out.seek(0)
    with pytest.raises(BadInput):
        estimate(out, "سلام")
