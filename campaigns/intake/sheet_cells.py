"""The cells of an XLSX sheet as a person sees them, or as cells that say why that cannot be told."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Final, NamedTuple, cast
from zipfile import ZipFile

from openpyxl.styles.numbers import BUILTIN_FORMATS, BUILTIN_FORMATS_MAX_SIZE

from campaigns.errors import BadInput
from campaigns.intake.unreadable import Unreadable, error_cell
from campaigns.intake.xlsx_parser import Reader, RowParser, Sheet
from campaigns.rules import format_codes, shown_dates, shown_numbers

_PASTE: Final = "or copy the column and paste it as values"
_NOT_COMPUTED: Final = (
    f"no program has computed the formula: open the file in a spreadsheet and save it again, {_PASTE}"
)
_ZERO: Final = (
    "the formula's value is 0, which stands there also where nothing was computed: in LibreOffice press "
    f"Ctrl+Shift+F9 and save again as XLSX; if it is 0 indeed, {_PASTE.removeprefix('or ')}"
)


class Formulas(NamedTuple):
    """How far the values that stand beside formulas can be relied upon."""

    pending: bool  # the file asks to be computed when it is opened: no value was made from what now stands in it
    zero_kept: bool  # its program keeps the 0 that another one had written in place of a value

    def doubt(self, value: object, kind: str) -> str | None:
        """Why a formula's value is no value; None if it is one. An empty text is one, an empty number is none."""
        if self.pending or (value is None and kind != "str"):
            return _NOT_COMPUTED
        return _ZERO if self.zero_kept and kind == "n" and value == 0 else None


def formulas_of(archive: ZipFile) -> Formulas:
    """What the parts of a workbook say about its formulas."""
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
    """The rows of a sheet."""
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
    """The code of the number format by a cell's style."""

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
    """A cell as it is shown; None for one that holds nothing."""
    value = cell["value"]
    if cell["formula"] and (why := formulas.doubt(value, cell["stored"])):
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
    """The digits of a whole number, from which a mobile number may be read whatever its format."""
    whole = isinstance(value, (int, float)) and abs(value) < shown_numbers.BEYOND_DIGITS and value == int(value)
    return str(int(cast("float", value))) if whole else ""


def shown(value: float | datetime | date | time | timedelta, code: str) -> str:
    """A number, day or time in the format `code`. Raises: BadInput for what cannot be shown with certainty."""
    if isinstance(value, (int, float)):
        if code in {"General", "@"}:
            return shown_numbers.general(value)
        return shown_numbers.formatted(value, code, format_codes.parse(code))
    return shown_dates.formatted(value, code, format_codes.parse(code))
