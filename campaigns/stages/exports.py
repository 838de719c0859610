"""Exports as files that a spreadsheet opens: CSV, and XLSX through openpyxl's streaming writer."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.extras import require
from kavenegar_campaigns.rules.arguments import shown
from kavenegar_campaigns.rules.spreadsheet import MAX_SHEET_ROWS, cell_text, escape_formula

if TYPE_CHECKING:
    from openpyxl.cell import Cell
    from openpyxl.workbook import Workbook

_OTHER_SPREADSHEETS: Final = frozenset({".xls", ".xlsm", ".xlsb", ".xlt", ".xltx", ".ods", ".fods", ".numbers"})
_NOT_IN_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_TEXT_FORMAT: Final = "@"

WriteRow = Callable[[Sequence[object]], None]


class FileFormat(StrEnum):
    """A format that exports are written in."""

    CSV = "csv"
    XLSX = "xlsx"


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of an export. Cells of the columns in `figures` are numbers in a workbook, all others are text.

    Telephone numbers and ids are text: a spreadsheet keeps 15 digits of a number, and drops zeros at its beginning.
    """

    title: str
    columns: Sequence[str]
    figures: frozenset[str]


def format_of(path: Path) -> FileFormat:
    """Return the format for the ending of a file's name; CSV without an ending. Raises: BadInput."""
    ending = path.suffix.casefold()
    if ending in {"", ".csv"} or (path.exists() and not path.is_file()):
        return FileFormat.CSV
    if ending == ".xlsx":
        return FileFormat.XLSX
    right = "name it .xlsx for a workbook, or .csv"
    if ending in _OTHER_SPREADSHEETS:
        raise BadInput(f"{path.name}: workbooks are written as XLSX, and not as {ending}: {right}")
    raise BadInput(f"{path.name}: no file that ends in {ending} is written: {right}")


def open_new(path: Path, file_format: FileFormat) -> IO[Any]:
    """Open a new file for `row_writer`; Excel opens the CSV as UTF-8. Raises: OSError."""
    if file_format is FileFormat.XLSX:
        return path.open("wb")
    return path.open("w", encoding="utf-8-sig", newline="")


def checked_format(given: str) -> FileFormat:
    """Return the format called `given`. Raises: BadInput."""
    try:
        return FileFormat(given)
    except ValueError:
        known = " or ".join(FileFormat)
        raise BadInput(f"an export has no format {shown(given)}: it is {known}") from None


def write_rows(
    out: IO[Any], layout: Layout, rows: Iterable[Sequence[object]], file_format: str = FileFormat.CSV
) -> int:
    """Write `rows` into `out`, below the header. Returns how many. Raises: BadInput for an unsupported format."""
    lines = 0
    with row_writer(out, layout, file_format) as write:
        for row in rows:
            write(row)
            lines += 1
    return lines


@contextmanager
def row_writer(
    out: IO[Any], layout: Layout, file_format: str = FileFormat.CSV, *, most_rows: int = MAX_SHEET_ROWS
) -> Iterator[WriteRow]:
    """Yield a function that writes a row into `out`, below the header, in constant memory.

    CSV needs an `out` that takes text. XLSX needs one that takes bytes; its rows wait in a temporary file until the
    end. Where a sheet has `most_rows`, the next rows go into a further sheet.

    Raises: BadInput for an unknown format, for an `out` that does not take it, and where the extra `xlsx` is missing.
    """
    if checked_format(file_format) is FileFormat.CSV:
        yield _csv_rows(out, layout)
        return
    if isinstance(out, io.TextIOBase):
        raise BadInput("an XLSX is no text: give a file that was opened as binary (wb)")
    require("xlsx", "writing an XLSX")
    book = _XlsxRows(layout, most_rows)
    try:
        yield book.write
    except BaseException:
        book.discard()
        raise
    book.save(out)


def _csv_rows(out: IO[str], layout: Layout) -> WriteRow:
    if isinstance(out, (io.RawIOBase, io.BufferedIOBase)):
        raise BadInput("a CSV is text: give a file that was opened as text (encoding utf-8-sig, newline '')")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(layout.columns)
    return lambda row: writer.writerow(map(escape_formula, row))


class _XlsxRows:
    """A workbook that is written row by row."""

    def __init__(self, layout: Layout, most_rows: int) -> None:
        from openpyxl import Workbook  # noqa: PLC0415 - openpyxl takes a while, and few need it

        self._layout, self._most_rows = layout, most_rows
        self._workbook: Workbook = Workbook(write_only=True)
        self._is_figure = [column in layout.figures for column in layout.columns]
        self._sheet: Any = None
        self._open_sheet()

    def write(self, row: Sequence[object]) -> None:
        """Write a row; into a further sheet where this one is full."""
        if self._rows == self._most_rows:
            self._sheet.close()
            self._open_sheet()
        self._append(
            [value if figure else cell_text(value) for value, figure in zip(row, self._is_figure, strict=True)]
        )

    def save(self, out: IO[bytes]) -> None:
        """Write the workbook into `out`."""
        self._workbook.save(out)

    def discard(self) -> None:
        """Remove the temporary files; openpyxl removes them only when it saves."""
        with suppress(OSError):
            self._workbook.save(os.devnull)

    def _open_sheet(self) -> None:
        from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415

        count = len(self._workbook.worksheets)
        self._sheet = self._workbook.create_sheet(f"{self._layout.title} {count + 1}" if count else self._layout.title)
        self._sheet.freeze_panes = "A2"
        self._cells: list[Cell] = [WriteOnlyCell(self._sheet) for _ in self._layout.columns]
        for cell, figure in zip(self._cells, self._is_figure, strict=True):
            if not figure:
                cell.number_format = _TEXT_FORMAT
        self._rows = 0
        self._append(self._layout.columns)

    def _append(self, values: Sequence[object]) -> None:
        """Write a row of text and numbers. The cells are written at once, so each row fills them anew."""
        for cell, value in zip(self._cells, values, strict=True):
            if isinstance(value, str):
                cell.value = _NOT_IN_XML.sub("\ufffd", value)
                cell.data_type = "s"  # whatever it begins with: text is never a formula
            else:
                cell.value = value  # type: ignore[assignment]  # a number, or nothing
        self._sheet.append([None if cell.value in {None, ""} else cell for cell in self._cells])
        self._rows += 1
