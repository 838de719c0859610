"""Open recipients (a path, an open file or an iterable) as a table of rows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Final, Protocol, TypedDict, cast

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.extras import require
from kavenegar_campaigns.rules.phone import is_mobile
from kavenegar_campaigns.stages.intake import columns, csv_rows
from kavenegar_campaigns.stages.intake.columns import Source, Table
from kavenegar_campaigns.stages.intake.python_rows import Item, read_items


class Readable(Protocol):
    """An open file, binary or text."""

    def read(self, size: int, /) -> bytes | str:
        """Read at most `size` bytes or characters; nothing at the end."""


Recipients = str | os.PathLike[str] | Readable | Iterable[Item]
"""A path to a CSV or a workbook (XLSX, ODS, XLS, XLSB); such a file, open (a workbook: binary, able to seek); or the
recipients themselves, any iterable of them: see `python_rows`."""

_ZIP: Final = b"PK\x03\x04"
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MARKUP: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|meta|style|table|\?xml|!--)", re.IGNORECASE)
_WORKBOOKS: Final = frozenset({".xlsx", ".xlsm"})
_OTHER_WORKBOOKS: Final = frozenset({".ods", ".xls", ".xlsb"})


class TableOptions(TypedDict, total=False):
    """How recipients are read, where that is not left to what they are."""

    number_column: str | None  # the name of the column of numbers
    sheet: str | None  # of a workbook
    include_hidden: bool  # whether rows count that the spreadsheet hides
    header_row: int | None  # the row of the file that names the columns


@contextmanager
def open_table(
    recipients: Recipients,
    placeholders: Sequence[str],
    *,
    number_column: str | None = None,
    sheet: str | None = None,
    include_hidden: bool = False,
    header_row: int | None = None,
) -> Iterator[Table]:
    """Open recipients as a table that has a column for every placeholder. Files that it opens are closed again.

    Raises: BadInput for what cannot be opened or read, and for a placeholder that is no column.
    """
    if isinstance(recipients, (str, os.PathLike)):
        path = Path(recipients)
        with _open(path) as file:
            source = _source(file, path.suffix.casefold(), sheet, include_hidden=include_hidden)
            yield _checked(columns.read_table(source, number_column, placeholders, header_row), placeholders)
    elif callable(getattr(recipients, "read", None)) and not isinstance(recipients, type):
        source = _source(cast("Readable", recipients), "", sheet, include_hidden=include_hidden)
        yield _checked(columns.read_table(source, number_column, placeholders, header_row), placeholders)
    elif header_row is not None:
        raise BadInput("header_row is the row of a file that names its columns: leave it out")
    else:
        yield _checked(read_items(recipients, number_column, placeholders), placeholders)


def _checked(table: Table, placeholders: Sequence[str]) -> Table:
    """Return the table, after a check that it has a column for every placeholder."""
    table.positions(placeholders)
    return table


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except (OSError, ValueError) as why:
        reason = (why.strerror if isinstance(why, OSError) else None) or "there can be no such path"
        speakable = len(path.name) <= 100 and path.name.isprintable() and not is_mobile(path.name)
        name = path.name if speakable else "given"
        raise BadInput(f"the file {name} cannot be opened: {reason} (a string is taken for a path)") from why


def _source(file: Readable, suffix: str, sheet: str | None, *, include_hidden: bool) -> Source:
    """Return the rows of an open file, by its name or else by its content."""
    chunks = _chunks(file)
    head = next(chunks, b"")
    magic = head[:8] if isinstance(head, bytes) else b""
    if magic == _OLE or magic.startswith(_ZIP):
        if suffix and suffix not in _WORKBOOKS | _OTHER_WORKBOOKS:
            raise BadInput(
                f"the file is a workbook (or a ZIP) by the name of a {suffix}: name it .xlsx, or save it as CSV"
            )
        return _workbook(_rewound(file), sheet, is_zip=magic != _OLE, include_hidden=include_hidden)
    if _MARKUP.match(head if isinstance(head, bytes) else head[:200].encode("utf-8", "replace")):
        raise BadInput(
            "the file is a web page or XML, whatever its name says (many panels export tables in this way): open it "
            "in a spreadsheet and save it as XLSX"
        )
    if suffix in _WORKBOOKS or suffix in {".ods", ".xlsb"}:
        raise BadInput(f"the file is no {suffix}, whatever its name says: save it again as XLSX or CSV UTF-8")
    if sheet is not None:
        raise BadInput(f"a CSV has no sheet {sheet}: leave sheet out")
    return Source(csv_rows.read_rows(chain([head], chunks)), csv_rows.too_wide)


def _workbook(file: IO[bytes], sheet: str | None, *, is_zip: bool, include_hidden: bool) -> Source:
    """Return the rows of a workbook of any kind. Raises: BadInput without the packages of the extra `xlsx`."""
    require("xlsx", "reading a workbook")
    # Openpyxl takes a while, and few need it.
    from kavenegar_campaigns.stages.intake import ods, workbooks, xls, xlsx  # noqa: PLC0415

    kind = xls.kind_of_zip(file) if is_zip else xls.XLS
    if kind in {None, xls.ODS}:
        read = xlsx.read_rows if kind is None else ods.read_rows
        return Source(read(file, sheet=sheet, include_hidden=include_hidden), workbooks.too_wide)
    rows = xls.read_rows(file, kind, sheet=sheet, include_hidden=include_hidden)
    return Source(rows, workbooks.too_wide)


def _chunks(file: Readable) -> Iterator[bytes | str]:
    try:
        while chunk := file.read(csv_rows.CHUNK):
            if not isinstance(chunk, (bytes, str)):
                raise BadInput(f"reading the file gives a {type(chunk).__name__}: give a file that gives bytes or text")
            yield chunk
    except UnicodeDecodeError as why:
        raise BadInput(f"the file is not {why.encoding}: open it as binary, or with its own encoding") from why
    except (OSError, ValueError) as why:  # a disk, a connection, a file that was closed
        raise BadInput(f"the file cannot be read: {type(why).__name__}") from why


def _rewound(file: Readable) -> IO[bytes]:
    whole = cast("IO[bytes]", file)
    try:
        whole.seek(0)
    except (AttributeError, OSError) as why:
        raise BadInput("a workbook is read from its end: give a path, or a file that can seek") from why
    return whole
