"""The rows of a CSV text. A quote that may have joined several lines by mistake costs its own row, and no other."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from campaigns.intake.unreadable import UnreadableRow
from campaigns.rules.phone import is_mobile

MAX_LINES: Final = 50
"""Lines of one row. A quoted cell that is longer is a quote that was left open."""

MAX_CHARACTERS: Final = 64 * 1024
"""Characters of one row that has several lines."""

QUOTE: Final = '"'

_CURE: Final = 'remove the quote, or close it in the same cell (a quote inside a quoted cell is written as "")'
_LEFT_OPEN: Final = f"a quote is left open and would swallow the rows below: {_CURE}"
_AFTER_QUOTE: Final = f"text stands behind a closing quote: {_CURE}"
_SWALLOWED: Final = f"a cell in quotes holds other rows, or a mobile number beside other things: {_CURE}"
_SECOND_QUOTE: Final = f"its quote may belong to the one that an earlier row left open: {_CURE}"


class _LeftOpen(Exception):
    """The row being read has gone on for longer than a row can."""


class _Lines:
    """Lines for a csv.reader: remembers the lines of the row being read, and takes lines back to be read again."""

    def __init__(self, lines: Iterator[str], delimiter: str) -> None:
        self.taken: list[str] = []
        self._lines = lines
        self._again: deque[str] = deque()
        self._delimiter = delimiter

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.taken.append(line)
        if len(self.taken) > 1 and self._swallows(line):
            raise _LeftOpen
        return line

    def keep_first(self) -> str:
        """The first line of the row; the others are read again, each as the beginning of a row."""
        self._again.extendleft(reversed(self.taken[1:]))
        return self.taken[0]

    def _swallows(self, line: str) -> bool:
        """Whether the line that continues a row is a row itself, or the row has become too long."""
        if len(self.taken) > MAX_LINES or sum(map(len, self.taken)) > MAX_CHARACTERS:
            return True
        return QUOTE not in line and any(map(is_mobile, line.split(self._delimiter)))


def read_records(lines: Iterator[str], delimiter: str) -> Iterator[Sequence[str]]:
    """The cells of each row; an UnreadableRow for a line whose quotes do not say where its cells end.

    After such a line every following line is read for itself, so that no row disappears in another one's cell.
    """
    source, doubts = _Lines(lines, delimiter), _Doubts(delimiter)
    reader = csv.reader(source, delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        source.taken.clear()
        cells, fault = _next(reader)
        if cells is not None:
            fault = doubts.about(cells, source.taken)
        if fault is not None:
            raw = source.keep_first()
            doubts.remember(raw)
            yield UnreadableRow.of(raw.rstrip("\n"), fault)
        elif cells is not None:
            yield cells
        else:
            return


def _next(reader: Iterator[list[str]]) -> tuple[list[str] | None, str | None]:
    """The cells of the next row, or what is wrong with it; neither at the end."""
    try:
        return next(reader, None), None
    except _LeftOpen:
        return None, _LEFT_OPEN
    except csv.Error as why:
        return None, _AFTER_QUOTE if "expected after" in str(why) else _LEFT_OPEN


class _Doubts:
    """Finds the quotes that may have joined cells or rows by mistake."""

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter
        self._width = 0
        self._open = False  # a row was refused for a quote whose partner has not been met yet

    def about(self, cells: Sequence[str], lines: Sequence[str]) -> str | None:
        """Why the cells read from `lines` may not be what the file's author meant; None if nothing speaks for it."""
        self._width = self._width or len(cells)
        if len(lines) == 1 and QUOTE not in lines[0]:
            return None
        if self._open and lines[0].count(QUOTE) % 2:
            return _SECOND_QUOTE
        if any(_holds_numbers(cell, self._delimiter) for cell in cells):
            return _SWALLOWED
        return _SWALLOWED if len(lines) > 1 and self._are_rows(lines, max(self._width, len(cells))) else None

    def remember(self, refused: str) -> None:
        """Take note of a line that was refused: an odd quote in it has a partner, here or further down."""
        if refused.count(QUOTE) % 2:
            self._open = not self._open

    def _are_rows(self, lines: Sequence[str], width: int) -> bool:
        """Whether the first line and another one have all the cells of a row of their own."""
        first, *others = (line.count(self._delimiter) + 1 >= width for line in lines if line.strip())
        return first and any(others)


def _holds_numbers(cell: str, delimiter: str) -> bool:
    """Whether a mobile number stands in a cell behind or before a delimiter or a line end, as it does in a row."""
    if delimiter not in cell and "\n" not in cell:
        return False
    pieces = [piece for piece in re.split(f"[\n{re.escape(delimiter)}]", cell) if piece.strip()]
    found = sum(map(is_mobile, pieces)) if len(pieces) > 1 else 0
    return found > 0 and ("\n" in cell or found < len(pieces))
