"""XLSX, row by row, through openpyxl's streaming reader."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import IO, Any, Final
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile, ZipFile, ZipInfo

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.workbook import Workbook

from campaigns.errors import BadInput
from campaigns.intake.cells import as_text
from campaigns.intake.columns import Row

MAX_ROWS: Final = 1_048_576
"""Rows of a sheet, as the format allows."""

MAX_RATIO: Final = 200
"""Unpacked to packed bytes of one part. A sheet of recipients reaches about 10; a zip bomb 1,000."""

MAX_UNPACKED: Final = 2 * 1024**3
"""Bytes of all parts together, unpacked."""

MAX_HELD: Final = 256 * 1024**2
"""Bytes of one part, unpacked, that has to be held in memory: any but a sheet, the table of strings before all."""

SMALL_PART: Final = 1024**2
"""Bytes. What unpacks to less is no bomb, whatever its ratio."""

_ROWS_AT_ONCE: Final = 100

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


def read_rows(file: IO[bytes], *, sheet: str | None) -> Iterator[Row]:
    """The rows of a sheet that have anything in them; the only filled sheet unless `sheet` names another.

    Raises: BadInput for what is no XLSX, for a damaged or bloated one, and if several sheets could be meant.
    """
    try:
        _refuse_bombs(file)
        with _silence():
            workbook = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        try:
            yield from _filled(_sheet(workbook, sheet))
        finally:
            workbook.close()
    except _DAMAGE as why:
        raise BadInput(f"the file is no XLSX that can be read ({type(why).__name__}): save it again as XLSX") from why


def _refuse_bombs(file: IO[bytes]) -> None:
    with ZipFile(file) as archive:
        parts = archive.infolist()
    if any(map(_is_bloated, parts)) or sum(part.file_size for part in parts) > MAX_UNPACKED:
        raise BadInput("the XLSX unpacks to far more than a list of recipients: save it as CSV UTF-8")


def _is_bloated(part: ZipInfo) -> bool:
    if part.file_size <= SMALL_PART:
        return False
    streams = part.filename.startswith("xl/worksheets/")
    return part.file_size > MAX_RATIO * part.compress_size or (part.file_size > MAX_HELD and not streams)


def _sheet(workbook: Workbook, name: str | None) -> Any:
    sheets = workbook.worksheets
    for sheet in sheets:
        sheet.reset_dimensions()  # many programs write wrong ones
    titles = ", ".join(sheet.title for sheet in sheets)
    if name is not None:
        chosen = [sheet for sheet in sheets if sheet.title == name]
        if not chosen:
            raise BadInput(f"there is no sheet {name}: the sheets are {titles}")
        return chosen[0]
    filled = [sheet for sheet in sheets if next(_filled(sheet), None)]
    if len(filled) > 1:
        raise BadInput(f"several sheets have rows: say which is meant with sheet; the sheets are {titles}")
    if not filled:
        raise BadInput("there are no recipients: the workbook is empty")
    return filled[0]


def _filled(sheet: Any) -> Iterator[Row]:
    for row_no, values in enumerate(_silently(sheet.iter_rows(values_only=True)), 1):
        if row_no > MAX_ROWS:
            raise BadInput(f"the sheet has more than {MAX_ROWS} rows, which XLSX does not allow: save it again")
        cells = [as_text(value) for value in values]
        if any(cells):
            yield row_no, cells


def _silently(rows: Iterator[Sequence[object]]) -> Iterator[Sequence[object]]:
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
