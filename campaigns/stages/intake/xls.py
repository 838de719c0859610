"""Read XLS and XLSB through calamine, which gives values, but neither their formats nor hidden rows."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final, NamedTuple
from zipfile import BadZipFile, ZipFile

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.stages.intake.cells import ERROR_VALUES, Unreadable, error_cell
from kavenegar_campaigns.stages.intake.columns import Row
from kavenegar_campaigns.stages.intake.workbooks import chosen_sheet, is_filled
from kavenegar_campaigns.stages.intake.xlsx import stored_digits

ODS: Final = "ODS"
XLS: Final = "XLS"
XLSB: Final = "XLSB"

MAX_BYTES: Final = 32 * 1024**2
"""Bytes of a file, and ten times as many unpacked: the child holds it in memory as a whole."""

_CHILD: Final = Path(__file__).with_name("calamine_child.py")
_TIMEOUT_S: Final = 60

_SAVE_AS: Final = "save it as XLSX"
_ERROR: Final = re.compile(ERROR_VALUES)


def kind_of_zip(file: IO[bytes]) -> str | None:
    """Return whether a ZIP is an ODS or an XLSB; None for any other. Rewinds the file."""
    try:
        with ZipFile(file) as archive:
            names = frozenset(archive.namelist())
    except (BadZipFile, OSError, ValueError):
        return None
    finally:
        file.seek(0)
    if "xl/workbook.bin" in names:
        return XLSB
    return ODS if {"mimetype", "content.xml"} <= names else None


def read_rows(file: IO[bytes], kind: str, *, sheet: str | None, include_hidden: bool) -> Iterator[Row]:
    """Read the rows of a sheet that are not empty; by default those of the only visible sheet with rows.

    Numbers, days and times are Unreadable cells, of which mobile numbers can be read and values cannot.

    Raises: BadInput for what cannot be read, for hidden rows unless `include_hidden`, and if several sheets could be
    meant.
    """
    _check_size(file, kind)
    if not include_hidden:
        raise BadInput(
            f"nobody can tell here which rows of the {kind} a filter hides: {_SAVE_AS}, or say that all "
            "rows are meant (include_hidden, or --include-hidden)"
        )
    with _read_by_a_child(file, kind) as lines:
        chosen = chosen_sheet(_sheets(lines), sheet, lambda each: each.filled)
        for row_no, values in _rows_of(lines, chosen):
            cells = [_text(value, kind) for value in values]
            if is_filled(cells):
                yield row_no, cells


def _check_size(file: IO[bytes], kind: str) -> None:
    size = file.seek(0, 2)
    file.seek(0)
    unpacked = 0
    if kind != XLS:
        with ZipFile(file) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
    if size > MAX_BYTES or unpacked > 10 * MAX_BYTES:
        raise BadInput(f"the {kind} is far larger than a list of recipients: {_SAVE_AS}")


@contextmanager
def _read_by_a_child(file: IO[bytes], kind: str) -> Iterator[IO[bytes]]:
    """Read the workbook in a child process. Returns a file of lines (see calamine_child). Raises: BadInput."""
    with TemporaryFile() as content, TemporaryFile() as lines:
        file.seek(0)
        shutil.copyfileobj(file, content)
        content.seek(0)
        try:
            subprocess.run(
                [sys.executable, "-P", str(_CHILD)],
                stdin=content,
                stdout=lines,
                stderr=subprocess.DEVNULL,  # it may hold anything of the file
                timeout=_TIMEOUT_S,
                check=True,
            )
        except (subprocess.SubprocessError, OSError) as why:
            raise BadInput(
                f"the file is no {kind} that can be read, or it is very large, or has a password: {_SAVE_AS}, without "
                "a password"
            ) from why
        yield lines


class _Sheet(NamedTuple):
    """A sheet that the child has read."""

    title: str
    visible: bool
    filled: bool


def _sheets(lines: IO[bytes]) -> list[_Sheet]:
    sheets: list[_Sheet] = []
    lines.seek(0)
    for line in lines:
        if line.startswith(b"{"):
            sheet = json.loads(line)
            sheets.append(_Sheet(sheet["name"], sheet["shown"], filled=False))
        else:
            sheets[-1] = sheets[-1]._replace(filled=True)
    return sheets


def _rows_of(lines: IO[bytes], sheet: _Sheet) -> Iterator[tuple[int, list[object]]]:
    """Yield the rows of one sheet as `(row number, values)`."""
    lines.seek(0)
    within = False
    for line in lines:
        if line.startswith(b"{"):
            within = json.loads(line)["name"] == sheet.title
        elif within:
            row_no, values = json.loads(line)
            yield row_no, values


def _text(value: object, kind: str) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return error_cell(value) if _ERROR.fullmatch(value) else value
    return Unreadable.of(
        f"nobody can tell here how the {kind} shows a number, a day or a time: {_SAVE_AS}, or make the column text",
        stored_digits(value),
    )
