"""Parts for every kind of workbook: the choice of the sheet, its limits, and a bounded ZIP reader."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import IO, Any, Final, NoReturn, Protocol, Self, TypeVar
from xml.etree.ElementTree import ParseError
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile, ZipInfo

from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules.spreadsheet import MAX_SHEET_ROWS
from kavenegar_campaigns.stages.intake.cells import HiddenRow, Unreadable, UnreadableRow
from kavenegar_campaigns.stages.intake.csv_rows import LONGEST_ROW

MAX_COLUMNS: Final = 1_000
"""Columns of a sheet that are read. A row with a cell further to the right is refused."""

_HIDDEN: Final = (
    "the sheet hides the row (a filter, or by hand), so it gets nothing: show it, or say that hidden rows are meant "
    "(include_hidden, or --include-hidden)"
)
_TOO_FAR: Final = f"recipients stand in the first {MAX_COLUMNS:,} columns: clear the cell"
_TOO_LONG: Final = f"the row holds more than {LONGEST_ROW // 1024} KiB of text: clear what is not meant"


class Named(Protocol):
    """The properties of a sheet that decide about its choice."""

    @property
    def title(self) -> str:
        """Return the name of the sheet."""

    @property
    def visible(self) -> bool:
        """Return whether the spreadsheet shows it."""


AnySheet = TypeVar("AnySheet", bound=Named)


def chosen_sheet(sheets: Sequence[AnySheet], name: str | None, has_rows: Callable[[AnySheet], bool]) -> AnySheet:
    """Return the sheet called `name`, or the only visible one that has rows. Raises: BadInput."""
    titles = ", ".join(sheet.title for sheet in sheets)
    if name is not None:
        named = [sheet for sheet in sheets if sheet.title == name]
        if not named:
            raise BadInput(f"there is no sheet {name}: the sheets are {titles}")
        return named[0]
    visible = [sheet for sheet in sheets if sheet.visible]
    filled = [sheet for sheet in visible if has_rows(sheet)]
    if len(filled) > 1:
        with_rows = ", ".join(sheet.title for sheet in filled)
        raise BadInput(f"several sheets have rows: say which is meant (sheet, or --sheet); they are {with_rows}")
    if not filled:
        hidden = len(sheets) - len(visible)
        but = f", but for {hidden} hidden sheets: name one (sheet, or --sheet); there are {titles}" if hidden else ""
        raise BadInput(f"there are no recipients: the workbook is empty{but}")
    return filled[0]


def is_filled(cells: Iterable[str]) -> bool:
    """Return whether a row is not empty."""
    return any(cell.strip() or isinstance(cell, Unreadable) for cell in cells)


def check_place(row_no: int) -> None:
    """Refuse a row beyond the last that a sheet may have. Raises: BadInput."""
    if row_no > MAX_SHEET_ROWS:
        raise BadInput(f"the sheet has more than {MAX_SHEET_ROWS} rows, which no list of recipients has: save it again")


def row_of(cells: Mapping[int, str], *, hidden: bool) -> Sequence[str]:
    """Return the cells of a row in order, from the cells by column. A cell that cannot be used says why."""
    last = max(cells)
    if last >= MAX_COLUMNS:
        return UnreadableRow.of("", f"a cell stands in column {get_column_letter(last + 1)}: {_TOO_FAR}")
    if sum(map(len, cells.values())) > LONGEST_ROW:
        return UnreadableRow.of("", _TOO_LONG)
    row = [cells.get(at, "") for at in range(last + 1)]
    return HiddenRow.holding(row, _HIDDEN) if hidden else row


def too_wide(cells: Sequence[str], columns: int) -> str:
    """Say why a row with a value beyond the columns is refused."""
    at = next(at for at, cell in enumerate(cells[columns:], columns + 1) if cell.strip())
    last = get_column_letter(columns)
    return (
        f"a value stands in column {get_column_letter(at)}, and the last column is {last}: name the column in the "
        "header, or clear the cell"
    )


# ── a ZIP of XML parts (XLSX, ODS) of which only so much is unpacked, whatever the file says ──

MAX_RATIO: Final = 50
"""Unpacked to packed bytes of one part. A sheet of recipients reaches about 10, one of empty rows 25; a bomb 1,000."""

SMALL_PART: Final = 1024**2
"""Bytes. What unpacks to less is no bomb, whatever its ratio."""

MAX_UNPACKED: Final = 1024**3
"""Bytes that are unpacked of a file in all. A part that is read several times counts as often."""

MAX_WHOLE: Final = 2 * 1024**2
"""Bytes of a part that is read at once, as all are but the sheets and the table of strings."""

MAX_PIECE: Final = 1024**2
"""Bytes of one row or one string. A row of 16,384 styled empty cells has 400 KB."""

MAX_ELEMENTS: Final = 20_000_000
"""Cells, empty ones included, and strings that are read of a file in all: some minutes."""

_PROLOGUE: Final = 64 * 1024
"""Bytes within which the first element of a part begins."""

# All that openpyxl, zipfile and the XML parser let out over a damaged file.
DAMAGE: Final = (
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


class Parts(ZipFile):
    """A ZIP reader with bounded parts. Raises: BadInput if one is far too large."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self._left, self._elements = MAX_UNPACKED, MAX_ELEMENTS
        for part in self.infolist():
            if part.file_size > max(SMALL_PART, MAX_RATIO * part.compress_size):
                self.close()
                _refuse()

    def open(self, name: str | ZipInfo, *_: Any, **__: Any) -> Part:  # type: ignore[override]
        """Open a part to be read in pieces. Raises: BadInput for one that defines entities, which can grow large."""
        return Part(self, super().open(name))

    def take(self, size: int) -> None:
        """Count unpacked bytes. Raises: BadInput if there are too many."""
        self._left -= size
        if self._left < 0:
            _refuse()

    def count(self, elements: int) -> None:
        """Count cells or strings that were read. Raises: BadInput if there are too many."""
        self._elements -= elements
        if self._elements < 0:
            raise BadInput(
                f"the workbook has more than {MAX_ELEMENTS:,} cells: delete the columns and sheets that are not "
                "needed, or save it as CSV UTF-8"
            )


class Part:
    """A part of a ZIP that is being read. `next_piece` is to be called after each row or string."""

    def __init__(self, parts: Parts, content: IO[bytes]) -> None:
        self._parts, self._content = parts, content
        self._piece, self._row = 0, 1
        self._first = content.read(_PROLOGUE)
        parts.take(len(self._first))
        _refuse_entities(self._first)

    def read(self, size: int = -1) -> bytes:
        """Read the next bytes, or all of them without `size`. Raises: BadInput if there are too many."""
        if size < 0:
            return self._whole()
        data, self._first = self._first[:size], self._first[size:]
        if not data:
            data = self._content.read(size)
            self._parts.take(len(data))
        self._piece += len(data)
        if self._piece > MAX_PIECE:
            raise BadInput(
                f"one row or text of the workbook takes more than {MAX_PIECE // 1024**2} MiB: this is no list of "
                "recipients",
                row=self._row,
            )
        return data

    def next_piece(self, row: int, elements: int) -> None:
        """Count the elements of a row or a string that has ended; `row` is the next one. Raises: BadInput."""
        self._piece, self._row = 0, row
        self._parts.count(elements)

    def close(self) -> None:
        """Close the part."""
        self._content.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _whole(self) -> bytes:
        data, self._first = self._first + self._content.read(MAX_WHOLE + 1), b""
        if len(data) > MAX_WHOLE:
            _refuse()
        return data


def _refuse() -> NoReturn:
    raise BadInput("the workbook unpacks to far more than a list of recipients: save it as CSV UTF-8")


def _refuse_entities(beginning: bytes) -> None:
    """Refuse a document type, which defines entities; no program writes one into a workbook."""
    parser = expat.ParserCreate()
    found = []
    parser.StartDoctypeDeclHandler = lambda *_: found.append("doctype")
    parser.StartElementHandler = lambda *_: found.append("element")
    try:
        parser.Parse(beginning)
    except expat.ExpatError:
        return  # whoever reads it says what it is
    if found[:1] == ["doctype"] or (not found and len(beginning) == _PROLOGUE):
        raise BadInput("a part of the workbook has a document type, as no spreadsheet writes one: save it again")
