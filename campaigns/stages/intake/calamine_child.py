"""A process of its own that reads an XLS or XLSB from standard input and writes its rows as lines of JSON.

It runs in a process of its own because a damaged file can make calamine ask for any amount of memory, and Rust ends the
process that does not get it. Every sheet is a line `{"name", "shown"}`, followed by a line `[row number, [values]]` for
each of its rows. Days and times are null in place of a value, and an empty text is an empty cell.
"""

from __future__ import annotations

import io
import json
import sys
from typing import Final

MAX_MEMORY: Final = 1024**3
"""Bytes that the program may have."""

MAX_OUTPUT: Final = 512 * 1024**2
"""Bytes that the program may write: a text that a million cells share is written a million times."""

MAX_CELLS: Final = 5_000_000
"""Cells of a sheet, those without a value included."""


def main() -> None:
    """Read the workbook and write its rows. Any error ends the process with an exit code other than 0."""
    limit()
    from python_calamine import CalamineWorkbook, SheetVisibleEnum  # noqa: PLC0415 - within the limit

    workbook = CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
    for each in workbook.sheets_metadata:
        _write({"name": each.name, "shown": each.visible == SheetVisibleEnum.Visible})
        sheet = workbook.get_sheet_by_name(each.name)
        if sheet.end is None:
            continue
        if (sheet.end[0] + 1) * (sheet.end[1] + 1) > MAX_CELLS:
            sys.exit(3)
        for row_no, values in enumerate(sheet.to_python(skip_empty_area=False), 1):
            if any(value != "" for value in values):
                _write([row_no, [value if isinstance(value, (str, int, float)) else None for value in values]])


def limit() -> None:
    """Set the limits of this process, where the system has any."""
    try:
        import resource  # noqa: PLC0415 - Windows has none
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_OUTPUT, MAX_OUTPUT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _write(line: object) -> None:
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
