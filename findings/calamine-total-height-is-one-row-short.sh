#!/usr/bin/env bash
# python-calamine 0.9.1 (PyPI): `total_height` and `total_width` of a sheet are one less than its rows and columns.
#
# Guess, written down first: `height` counts the used area and `total_height` the whole sheet from its first row on, so
# the latter is never the smaller one, and of a sheet that begins at A1 both are the number of rows.
# Seen: `total_height` is the index of the last row, counted from 0. A sheet with one row has a height of 1 and a total
# height of 0, as if it were empty; `to_python()` gives the row. Of a sheet whose first cell is B3 and whose last is C5,
# `to_python(skip_empty_area=False)` gives 5 rows and `total_height` says 4.
# What it means for users: whoever asks `total_height` whether there is anything to read takes a file of one recipient for
# an empty one, and whoever bounds a loop by it leaves the last recipient out. Ask for the rows instead.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --quiet --disable-pip-version-check install python-calamine==0.9.1 openpyxl==3.1.5

"$folder/venv/bin/python" - "$folder" <<'PY'
import sys
from pathlib import Path

from openpyxl import Workbook
from python_calamine import CalamineWorkbook


def measured(cells: dict[str, str]) -> tuple[int, int, int]:
    """The heights that are told of a sheet with these cells, and the rows that are read from A1 on."""
    book, path = Workbook(), Path(sys.argv[1], "book.xlsx")
    for place, value in cells.items():
        book.active[place] = value
    book.save(path)
    sheet = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0)
    return sheet.total_height, sheet.height, len(sheet.to_python(skip_empty_area=False))


found = {
    "A1": measured({"A1": "name"}),
    "A1, A2": measured({"A1": "name", "A2": "Sara"}),
    "B3, C5": measured({"B3": "name", "C5": "Sara"}),
}
for cells, (total, height, rows) in found.items():
    print(f"{cells}: total_height {total}, height {height}, {rows} rows")
assert found == {"A1": (0, 1, 1), "A1, A2": (1, 2, 2), "B3, C5": (4, 3, 5)}, found
PY
# Output on 2026-11-29:
# A1: total_height 0, height 1, 1 rows
# A1, A2: total_height 1, height 2, 2 rows
# B3, C5: total_height 4, height 3, 5 rows
