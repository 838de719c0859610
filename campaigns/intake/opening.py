"""From what was handed over (a path, an open file, an iterable) to rows with named columns."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Final, Protocol, cast

from campaigns.errors import BadInput
from campaigns.intake import columns, delimited, items
from campaigns.intake.columns import Source, Table
from campaigns.rules.phone import is_mobile


class Readable(Protocol):
    """An open file, binary or text."""

    def read(self, size: int, /) -> bytes | str:
        """At most `size` bytes or characters; nothing at the end."""


Recipients = str | os.PathLike[str] | Readable | Iterable[items.Item]
"""A path to a CSV or a workbook (XLSX, ODS, XLS, XLSB); such a file, open (a workbook: binary, able to seek); or the
recipients themselves."""

_ZIP: Final = b"PK\x03\x04"
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MARKUP: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|meta|style|table|\?xml|!--)", re.IGNORECASE)
_WORKBOOKS: Final = frozenset({".xlsx", ".xlsm"})
_OTHER_WORKBOOKS: Final = frozenset({".ods", ".xls", ".xlsb"})


@contextmanager
def opened(
    recipients: Recipients,
    *,
    number_column: str | None,
    sheet: str | None,
    placeholders: Sequence[str],
    include_hidden: bool = False,
    header_row: int | None = None,
) -> Iterator[Table]:
    """The recipients as a table that has a column for every placeholder. What was opened here is closed again.

    Raises: BadInput for what cannot be opened or read, and for a placeholder that is no column.
    """
    if isinstance(recipients, (str, os.PathLike)):
        path = Path(recipients)
        with _open(path) as file:
            source = _source(file, path.suffix.casefold(), sheet, include_hidden=include_hidden)
            yield _complete(columns.read_table(source, number_column, placeholders, header_row), placeholders)
    elif hasattr(recipients, "read"):
        source = _source(cast("Readable", recipients), "", sheet, include_hidden=include_hidden)
        yield _complete(columns.read_table(source, number_column, placeholders, header_row), placeholders)
    elif header_row is not None:
        raise BadInput("header_row is the row of a file that names its columns: leave it out")
    elif isinstance(recipients, Iterable):
        yield _complete(items.read_table(recipients, number_column), placeholders)
    else:
        raise BadInput(f"recipients cannot be a {type(recipients).__name__}: give a path, an open file or an iterable")


def _complete(table: Table, placeholders: Sequence[str]) -> Table:
    """The table, once it is certain that no placeholder asks for a column it has not."""
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
    """The rows of an open file: of what it holds, where its name does not say otherwise."""
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
    return Source(delimited.read_rows(chain([head], chunks)), delimited.too_wide)


def _workbook(file: IO[bytes], sheet: str | None, *, is_zip: bool, include_hidden: bool) -> Source:
    """The rows of a workbook, of whatever kind it is."""
    # Openpyxl takes a while, and few need it.
    from campaigns.intake import ods, other_workbooks, sheet_rows, workbook  # noqa: PLC0415

    kind = other_workbooks.kind_of_zip(file) if is_zip else other_workbooks.XLS
    if kind in {None, other_workbooks.ODS}:
        read = workbook.read_rows if kind is None else ods.read_rows
        return Source(read(file, sheet=sheet, include_hidden=include_hidden), sheet_rows.too_wide)
    rows = other_workbooks.read_rows(file, kind, sheet=sheet, include_hidden=include_hidden)
    return Source(rows, sheet_rows.too_wide)


def _chunks(file: Readable) -> Iterator[bytes | str]:
    try:
        while chunk := file.read(delimited.CHUNK):
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
