"""ODS, row by row: an ODS holds each cell as a person sees it, beside its value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, Any, Final, NamedTuple
from xml.etree.ElementTree import Element

from openpyxl.xml.functions import iterparse

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules.spreadsheet import MAX_SHEET_ROWS, check_digits
from kavenegar_campaigns.stages.intake.cells import ERROR_VALUES, Unreadable, error_cell
from kavenegar_campaigns.stages.intake.columns import Row
from kavenegar_campaigns.stages.intake.workbooks import (
    DAMAGE,
    MAX_COLUMNS,
    Part,
    Parts,
    check_place,
    chosen_sheet,
    is_filled,
    row_of,
)
from kavenegar_campaigns.stages.intake.xlsx import stored_digits

_OFFICE, _TABLE, _TEXT, _STYLE = (
    f"{{urn:oasis:names:tc:opendocument:xmlns:{name}:1.0}}" for name in ("office", "table", "text", "style")
)
_CALC: Final = "{urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0}"

_CELL: Final = f"{_TABLE}table-cell"
_COVERED: Final = f"{_TABLE}covered-table-cell"  # a merged cell lies over it
_ROW: Final = f"{_TABLE}table-row"
_SHEET: Final = f"{_TABLE}table"
_GROUP: Final = f"{_TABLE}table-row-group"
_FAMILY: Final = f"{_STYLE}style"

_FIGURES: Final = frozenset({"float", "percentage", "currency"})
_WITH_VALUE: Final = _FIGURES | {"date", "time", "boolean"}
_SPACE: Final = re.compile("[ \t\r\n]+")
_POWERS: Final = re.compile(r"[0-9][.,٫]?[0-9]*[eE][+-]?[0-9]+")
_ERROR: Final = re.compile(f"{ERROR_VALUES}|Err:[0-9]+")

_MOST_SPACES: Final = 100

MAX_SAME: Final = 10_000
"""Neighbouring rows that hold the same and are written once, as ODS allows. More are filled down by mistake."""

_NOT_SHOWN: Final = "the file does not say how the cell is shown: open it in LibreOffice and save it again"
_TOO_WIDE_TO_SHOW: Final = "the sheet shows the number in powers of ten: give the column a number format, such as 0"


class Sheet(NamedTuple):
    """A sheet: its place, its name, whether it is shown, and whether it has a row that is not empty."""

    place: int
    title: str
    visible: bool
    filled: bool


class _Found(NamedTuple):
    """A row of a sheet, which stands there `times` in a row; of a sheet's beginning, a row without cells."""

    sheet: Sheet
    row_no: int
    times: int
    hidden: bool
    cells: dict[int, str]


def read_rows(file: IO[bytes], *, sheet: str | None, include_hidden: bool) -> Iterator[Row]:
    """Read the rows of a sheet that are not empty; by default those of the only visible sheet with rows.

    A row that the sheet hides (by a filter, or by hand) is a HiddenRow, unless `include_hidden`.

    Raises: BadInput for what is no ODS, for a damaged or bloated one, and if several sheets could be meant.
    """
    try:
        with Parts(file) as parts:
            chosen = chosen_sheet(_sheets(parts), sheet, lambda each: each.filled)
            for found in _walk(parts):
                if found.sheet.place == chosen.place and is_filled(found.cells.values()):
                    _check_same(found)
                    row = row_of(found.cells, hidden=found.hidden and not include_hidden)
                    for row_no in range(found.row_no, found.row_no + found.times):
                        check_place(row_no)
                        yield row_no, row
    except DAMAGE as why:
        raise BadInput(
            f"the file is no ODS that can be read ({type(why).__name__}), or has a password: save it as XLSX, without "
            "a password"
        ) from why


def _check_same(found: _Found) -> None:
    if found.times > MAX_SAME:
        raise BadInput(
            f"the same stands in {found.times:,} rows from here on: clear those that are not meant", row=found.row_no
        )


def _sheets(parts: Parts) -> list[Sheet]:
    sheets: dict[int, Sheet] = {}
    for found in _walk(parts):
        known = sheets.setdefault(found.sheet.place, found.sheet)
        if not known.filled and is_filled(found.cells.values()):
            sheets[known.place] = known._replace(filled=True)
    return list(sheets.values())


def _walk(parts: Parts) -> Iterator[_Found]:
    """Yield every sheet and its rows, in the order of the file."""
    with parts.open("content.xml") as part:
        yield from _Walk(part).rows()


class _Walk:
    """One pass through the content of an ODS; elements that were read are freed."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._around: list[Element] = []  # the elements that are open
        self._hidden_styles: set[str] = set()
        self._sheet = Sheet(-1, "", visible=True, filled=False)
        self._next_row = 1

    def rows(self) -> Iterator[_Found]:
        """Yield sheets and rows, in the order of the file."""
        for event, element in iterparse(self._part, events=("start", "end")):
            if event == "start":
                self._around.append(element)
                if element.tag == _SHEET and not self._inside_a_sheet():
                    yield self._begun(element)
                continue
            self._around.pop()
            if element.tag == _ROW and self._sheets_around() == 1:
                yield self._row(element)
            elif element.tag == _FAMILY:
                self._learn_style(element)

    def _inside_a_sheet(self) -> bool:
        return self._sheets_around() > 1

    def _sheets_around(self) -> int:
        return sum(each.tag == _SHEET for each in self._around)

    def _begun(self, table: Element) -> _Found:
        visible = table.get(f"{_TABLE}style-name") not in self._hidden_styles
        self._sheet = Sheet(self._sheet.place + 1, table.get(f"{_TABLE}name", ""), visible, filled=False)
        self._next_row = 1
        return _Found(self._sheet, 1, 0, hidden=False, cells={})

    def _row(self, row: Element) -> _Found:
        times = _repeated(row, "rows")
        hidden = row.get(f"{_TABLE}visibility", "visible") != "visible" or any(
            each.tag == _GROUP and each.get(f"{_TABLE}display") == "false" for each in self._around
        )
        found = _Found(self._sheet, self._next_row, times, hidden, _cells(row))
        self._next_row += times
        self._let_go(row, elements=len(row))
        return found

    def _learn_style(self, style: Element) -> None:
        """Remember a style that hides a sheet."""
        shape = style.find(f"{_STYLE}table-properties")
        if shape is not None and shape.get(f"{_TABLE}display") == "false":
            self._hidden_styles.add(style.get(f"{_STYLE}name", ""))
        self._let_go(style, elements=1)

    def _let_go(self, element: Element, *, elements: int) -> None:
        element.clear()
        for _ in range(len(self._around[-1])):
            del self._around[-1][0]
        self._part.next_piece(min(self._next_row, MAX_SHEET_ROWS), elements)


def _repeated(element: Element, what: str) -> int:
    return max(1, int(element.get(f"{_TABLE}number-{what}-repeated", "1")))


def _cells(row: Element) -> dict[int, str]:
    """Return the cells that are not empty, by column; of a text repeated beyond the last column, one."""
    cells: dict[int, str] = {}
    at = 0
    for element in row:
        if element.tag in {_CELL, _COVERED}:
            times = _repeated(element, "columns")
            text = _text(element) if element.tag == _CELL and len(element.attrib) + len(element) else ""
            if text or isinstance(text, Unreadable):
                cells |= dict.fromkeys(range(at, min(at + times, max(MAX_COLUMNS, at) + 1)), text)
            at += times
    return cells


def _text(cell: Element) -> str:
    """Return the text of a cell as it is shown, or an unreadable cell with the reason."""
    kind = cell.get(f"{_OFFICE}value-type")
    shown = "\n".join(_plain(paragraph) for paragraph in cell if paragraph.tag == f"{_TEXT}p")
    if cell.get(f"{_CALC}value-type") == "error" or _ERROR.fullmatch(shown):
        return error_cell(shown)
    if kind is None and not shown and cell.get(f"{_TABLE}formula"):
        return Unreadable.of("no program has computed the formula: open the file in LibreOffice and save it again")
    if kind in _FIGURES:
        return _figure(shown, float(cell.get(f"{_OFFICE}value", "nan")))
    return Unreadable.of(_NOT_SHOWN) if kind in _WITH_VALUE and not shown else shown


def _figure(shown: str, value: float) -> str:
    """Return a number as it is shown, if it is shown with all its digits."""
    try:
        check_digits(value)
    except BadInput as why:
        return Unreadable.of(str(why))
    if shown and not _POWERS.search(shown):
        return shown
    return Unreadable.of(_TOO_WIDE_TO_SHOW if shown else _NOT_SHOWN, stored_digits(value))


def _plain(element: Element) -> str:
    """Return the text in an element, without notes."""
    pieces = [_collapsed(element.text)]
    for child in element:
        pieces.append(_of_child(child))
        pieces.append(_collapsed(child.tail))
    return "".join(pieces)


def _of_child(child: Any) -> str:
    if child.tag == f"{_TEXT}s":
        return " " * min(int(child.get(f"{_TEXT}c", "1")), _MOST_SPACES)
    if child.tag in {f"{_TEXT}tab", f"{_TEXT}line-break"}:
        return "\t" if child.tag == f"{_TEXT}tab" else "\n"
    return "" if child.tag == f"{_OFFICE}annotation" else _plain(child)


def _collapsed(text: str | None) -> str:
    """Collapse white space to one space, as a spreadsheet does."""
    return _SPACE.sub(" ", text) if text else ""
