"""XLSX, row by row, through openpyxl's streaming reader."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import IO, Final

from campaigns.errors import BadInput
from campaigns.intake.columns import Row
from campaigns.intake.sheet_cells import SheetRow, formulas_of, read_sheet
from campaigns.intake.sheet_rows import check_place, chosen_sheet, is_filled, row_of
from campaigns.intake.xlsx_parser import Reader, Sheet
from campaigns.intake.zip_parts import DAMAGE

_ROWS_AT_ONCE: Final = 100


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
    except DAMAGE as why:
        raise BadInput(f"the file is no XLSX that can be read ({type(why).__name__}): save it again as XLSX") from why


class _Book:
    """A workbook that is open: its sheets, and their rows."""

    def __init__(self, reader: Reader, include_hidden: bool) -> None:
        self._reader, self._include_hidden = reader, include_hidden
        self._formulas = formulas_of(reader.parts)

    def sheet(self, name: str | None) -> Sheet:
        """The sheet called `name`, or the only visible one that has rows. Raises: BadInput."""
        return chosen_sheet(self._reader.sheets, name, lambda sheet: next(self.rows(sheet), None) is not None)

    def rows(self, sheet: Sheet) -> Iterator[Row]:
        """The rows of a sheet that have anything in them."""
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
    """Without openpyxl's remarks: on styles it does not keep, and on odd cells, of which it quotes the value."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
