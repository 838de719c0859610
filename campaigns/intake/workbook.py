"""XLSX, row by row, through openpyxl's streaming reader."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import IO, Final
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException

from campaigns.errors import BadInput
from campaigns.intake.columns import Row
from campaigns.intake.delimited import LONGEST_ROW
from campaigns.intake.sheet_cells import SheetRow, formulas_of, read_sheet
from campaigns.intake.unreadable import HiddenRow, Unreadable, UnreadableRow
from campaigns.intake.xlsx_parser import Reader, Sheet

MAX_ROWS: Final = 1_048_576
"""Rows of a sheet, as the format allows."""

MAX_COLUMNS: Final = 1_000
"""Columns of a sheet that are read. A row with a cell further to the right is refused."""

_ROWS_AT_ONCE: Final = 100

_HIDDEN: Final = (
    "the sheet hides the row (a filter, or by hand), so it gets nothing: show it, or say that hidden rows are meant "
    "(include_hidden, or --include-hidden)"
)
_TOO_FAR: Final = f"recipients stand in the first {MAX_COLUMNS:,} columns: clear the cell"

# All that openpyxl, zipfile and the XML parser let out over a damaged file.
_DAMAGE: Final = (
    BadZipFile,
    InvalidFileException,
    ParseError,
    zlib.error,
    struct.error,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    EOFError,
    OSError,
    RuntimeError,  # an encrypted part; NotImplementedError: an unknown compression
    AssertionError,
    RecursionError,
)


def read_rows(file: IO[bytes], *, sheet: str | None, include_hidden: bool) -> Iterator[Row]:
    """The rows of a sheet that have anything in them; the only visible one that is filled unless `sheet` names another.

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
    except _DAMAGE as why:
        raise BadInput(f"the file is no XLSX that can be read ({type(why).__name__}): save it again as XLSX") from why


def too_wide(cells: Sequence[str], columns: int) -> str:
    """Why a row with a value beyond the columns is refused."""
    at = next(at for at, cell in enumerate(cells[columns:], columns + 1) if cell.strip())
    last = get_column_letter(columns)
    return (
        f"a value stands in column {get_column_letter(at)}, and the last column is {last}: name the column in the "
        "header, or clear the cell"
    )


class _Book:
    """A workbook that is open: its sheets, and their rows."""

    def __init__(self, reader: Reader, include_hidden: bool) -> None:
        self._reader, self._include_hidden = reader, include_hidden
        self._formulas = formulas_of(reader.parts)

    def sheet(self, name: str | None) -> Sheet:
        """The sheet called `name`, or the only visible one that has rows. Raises: BadInput."""
        sheets = self._reader.sheets
        titles = ", ".join(sheet.title for sheet in sheets)
        if name is not None:
            chosen = [sheet for sheet in sheets if sheet.title == name]
            if not chosen:
                raise BadInput(f"there is no sheet {name}: the sheets are {titles}")
            return chosen[0]
        visible = [sheet for sheet in sheets if sheet.visible]
        filled = [sheet for sheet in visible if next(self.rows(sheet), None)]
        if len(filled) > 1:
            with_rows = ", ".join(sheet.title for sheet in filled)
            raise BadInput(f"several sheets have rows: say which is meant (sheet, or --sheet); they are {with_rows}")
        if not filled:
            hidden = len(sheets) - len(visible)
            raise BadInput(
                "there are no recipients: the workbook is empty"
                + (
                    f", but for {hidden} hidden sheets: name one (sheet, or --sheet); there are {titles}"
                    if hidden
                    else ""
                )
            )
        return filled[0]

    def rows(self, sheet: Sheet) -> Iterator[Row]:
        """The rows of a sheet that have anything in them."""
        for row_no, hidden, cells in _silently(read_sheet(self._reader, sheet, self._formulas)):
            if row_no > MAX_ROWS:
                raise BadInput(f"the sheet has more than {MAX_ROWS} rows, which XLSX does not allow: save it again")
            if any(cell.strip() or isinstance(cell, Unreadable) for cell in cells.values()):
                yield row_no, self._row(cells, hidden)

    def _row(self, cells: Mapping[int, str], hidden: bool) -> Sequence[str]:
        last = max(cells)
        if last >= MAX_COLUMNS:
            return UnreadableRow.of("", f"a cell stands in column {get_column_letter(last + 1)}: {_TOO_FAR}")
        if sum(map(len, cells.values())) > LONGEST_ROW:
            return UnreadableRow.of(
                "", f"the row holds more than {LONGEST_ROW // 1024} KiB of text: clear what is not meant"
            )
        row = [cells.get(at, "") for at in range(last + 1)]
        return HiddenRow.holding(row, _HIDDEN) if hidden and not self._include_hidden else row


def _silently(rows: Iterator[SheetRow]) -> Iterator[SheetRow]:
    while True:
        with _silence():
            some = list(islice(rows, _ROWS_AT_ONCE))
        if not some:
            return
        yield from some


@contextmanager
def _silence() -> Iterator[None]:
    """Without openpyxl's remarks: on styles it does not keep, and on odd cells, of which it quotes the value."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
