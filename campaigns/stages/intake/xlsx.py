"""Read an XLSX row by row through openpyxl's streaming reader, with its cells as a person sees them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import IO, Any, Final, NamedTuple, cast
from zipfile import ZipFile

from openpyxl.styles.numbers import BUILTIN_FORMATS, BUILTIN_FORMATS_MAX_SIZE

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules import dates, spreadsheet
from kavenegar_campaigns.stages.intake.cells import Unreadable, error_cell
from kavenegar_campaigns.stages.intake.columns import Row
from kavenegar_campaigns.stages.intake.workbooks import DAMAGE, check_place, chosen_sheet, is_filled, row_of
from kavenegar_campaigns.stages.intake.xlsx_parser import Reader, RowParser, Sheet

# ── cells as a person sees them, or with the reason why they cannot be read ──

_PASTE: Final = "or copy the column and paste it as values"
_NOT_COMPUTED: Final = (
    f"no program has computed the formula: open the file in a spreadsheet and save it again, {_PASTE}"
)
_ZERO: Final = (
    "the formula's value is 0, which stands there also where nothing was computed: in LibreOffice press "
    f"Ctrl+Shift+F9 and save again as XLSX; if it is 0 indeed, {_PASTE.removeprefix('or ')}"
)


class Formulas(NamedTuple):
    """Whether the stored values of formulas can be trusted."""

    pending: bool  # the file asks to be computed when it is opened: no value was made from what now stands in it
    zero_kept: bool  # its program keeps the 0 that another one had written in place of a value

    def objection(self, value: object, kind: str) -> str | None:
        """Say why a formula's stored value is none; None if it is one. An empty text is one, an empty number not."""
        if self.pending or (value is None and kind != "str"):
            return _NOT_COMPUTED
        return _ZERO if self.zero_kept and kind == "n" and value == 0 else None


def formulas_of(archive: ZipFile) -> Formulas:
    """Read what a workbook says about its formulas."""
    return Formulas(
        pending=re.search(
            rb"<(?:\w+:)?calcPr\b[^>]*\bfullCalcOnLoad=[\"'](?:1|true)", _part(archive, "xl/workbook.xml")
        )
        is not None,
        zero_kept=re.search(
            rb"<Application>\s*(?:LibreOffice|OpenOffice|Collabora)", _part(archive, "docProps/app.xml")
        )
        is not None,
    )


def _part(archive: ZipFile, name: str) -> bytes:
    return archive.read(name) if name in archive.namelist() else b""


class SheetRow(NamedTuple):
    """A row of a sheet: its number, whether the spreadsheet hides it, and the cells that hold anything, by column."""

    row_no: int
    hidden: bool
    cells: Mapping[int, str]


def read_sheet(reader: Reader, sheet: Sheet, formulas: Formulas) -> Iterator[SheetRow]:
    """Read the rows of a sheet."""
    formats = _Formats(reader.wb)
    with reader.parts.open(sheet.part) as part:
        parser = RowParser(part, reader.strings, reader.wb)
        for row_no, cells in parser.rows():
            shape = parser.row_dimensions.pop(str(row_no), {})
            shown: dict[int, str] = {}
            for cell in cells:
                text = _text(cell, formats[cell["style_id"]], formulas)
                if text or isinstance(text, Unreadable):
                    shown[cell["column"] - 1] = text
            yield SheetRow(row_no, _is_hidden(shape), shown)


class _Formats(dict[int, str]):
    """The codes of number formats by the styles of cells."""

    def __init__(self, book: Any) -> None:
        self._book = book

    def __missing__(self, style: int) -> str:
        number = self._book._cell_styles[style].numFmtId  # noqa: SLF001 - as openpyxl's own cells look it up
        own = number - BUILTIN_FORMATS_MAX_SIZE
        code: str = self._book._number_formats[own] if own >= 0 else BUILTIN_FORMATS.get(number, "General")  # noqa: SLF001
        self[style] = code
        return code


def _is_hidden(shape: Mapping[str, str]) -> bool:
    return shape.get("hidden") in {"1", "true"} or shape.get("ht") in {"0", "0.0"}


def _text(cell: Mapping[str, Any], code: str, formulas: Formulas) -> str | None:
    """Return the text of a cell as it is shown; None for an empty one."""
    value = cell["value"]
    if cell["formula"] and (why := formulas.objection(value, cell["stored"])):
        return Unreadable.of(why)
    if value is None or isinstance(value, str):
        return error_cell(value) if cell["data_type"] == "e" else value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    try:
        return shown(value, code).strip()
    except BadInput as why:
        return Unreadable.of(str(why), stored_digits(value))


def stored_digits(value: object) -> str:
    """Return the digits of a whole number, from which a mobile number may be read whatever its format."""
    whole = isinstance(value, (int, float)) and abs(value) < spreadsheet.FIRST_INEXACT and value == int(value)
    return str(int(cast("float", value))) if whole else ""


def shown(value: float | datetime | date | time | timedelta, code: str) -> str:
    """Format a number, day or time with the format `code`. Raises: BadInput if the result is not certain."""
    if isinstance(value, (int, float)):
        if code in {"General", "@"}:
            return spreadsheet.format_general(value)
        return spreadsheet.format_number(value, code, spreadsheet.parse_format(code))
    return dates.format_date(value, code, spreadsheet.parse_format(code))


_ROWS_AT_ONCE: Final = 100


def read_rows(file: IO[bytes], *, sheet: str | None, include_hidden: bool) -> Iterator[Row]:
    """Read the rows of a sheet that are not empty; by default those of the only visible sheet with rows.

    A row that the sheet hides (by a filter, or by hand) is a HiddenRow, unless `include_hidden`.

    Raises: BadInput for what is no XLSX, for a damaged or bloated one, and if several sheets could be meant.
    """
    try:
        with _silence():
            reader = Reader(file)
        with reader.parts:
            with _silence():
                reader.read()
            book = _Book(reader, include_hidden)
            yield from book.rows(book.sheet(sheet))
    except DAMAGE as why:
        raise BadInput(f"the file is no XLSX that can be read ({type(why).__name__}): save it again as XLSX") from why


class _Book:
    """A workbook that is open: its sheets, and their rows."""

    def __init__(self, reader: Reader, include_hidden: bool) -> None:
        self._reader, self._include_hidden = reader, include_hidden
        self._formulas = formulas_of(reader.parts)

    def sheet(self, name: str | None) -> Sheet:
        """Return the sheet called `name`, or the only visible one that has rows. Raises: BadInput."""
        return chosen_sheet(self._reader.sheets, name, lambda sheet: next(self.rows(sheet), None) is not None)

    def rows(self, sheet: Sheet) -> Iterator[Row]:
        """Read the rows of a sheet that are not empty."""
        for row_no, hidden, cells in _silently(read_sheet(self._reader, sheet, self._formulas)):
            check_place(row_no)
            if is_filled(cells.values()):
                yield row_no, row_of(cells, hidden=hidden and not self._include_hidden)


def _silently(rows: Iterator[SheetRow]) -> Iterator[SheetRow]:
    while True:
        with _silence():
            some = list(islice(rows, _ROWS_AT_ONCE))
        if not some:
            return
        yield from some


@contextmanager
def _silence() -> Iterator[None]:
    """Suppress openpyxl's warnings: about styles, and about odd cells, whose values it quotes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
