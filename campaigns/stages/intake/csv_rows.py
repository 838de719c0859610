"""Read a CSV row by row: any of `, ; tab | ، ؛` between cells, and never more than one row in memory."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Final

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules.phone import is_mobile
from kavenegar_campaigns.stages.intake.cells import UnreadableRow
from kavenegar_campaigns.stages.intake.columns import NUMBER_NAMES, Row, fold

# ── records: a quote that joined several lines by mistake costs its own row, and no other ──

MAX_RECORD_LINES: Final = 50
"""Lines of one row. A quoted cell that is longer is a quote that was left open."""

MAX_RECORD_CHARACTERS: Final = 64 * 1024
"""Characters of one row that has several lines."""

QUOTE: Final = '"'

_CURE: Final = 'remove the quote, or close it in the same cell (a quote inside a quoted cell is written as "")'
_LEFT_OPEN: Final = f"a quote is left open and would swallow the rows below: {_CURE}"
_AFTER_QUOTE: Final = f"text stands behind a closing quote: {_CURE}"
_SWALLOWED: Final = f"a cell in quotes holds other rows, or a mobile number beside other things: {_CURE}"
_SECOND_QUOTE: Final = f"its quote may belong to the one that an earlier row left open: {_CURE}"


class _LeftOpen(Exception):
    """The row being read is longer than a row can be."""


class _RecordLines:
    """Lines for a csv.reader: remembers the lines of the row being read, and takes lines back to be read again."""

    def __init__(self, lines: Iterator[str], delimiter: str) -> None:
        self.taken: list[str] = []
        self._lines = lines
        self._again: deque[str] = deque()
        self._delimiter = delimiter

    def __iter__(self) -> _RecordLines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.taken.append(line)
        if len(self.taken) > 1 and self._swallows(line):
            raise _LeftOpen
        return line

    def keep_first(self) -> str:
        """Keep the first line of the row; the other lines are read again, each as the beginning of a row."""
        self._again.extendleft(reversed(self.taken[1:]))
        return self.taken[0]

    def _swallows(self, line: str) -> bool:
        """Return whether the line that continues a row is a row itself, or the row has become too long."""
        if len(self.taken) > MAX_RECORD_LINES or sum(map(len, self.taken)) > MAX_RECORD_CHARACTERS:
            return True
        return QUOTE not in line and any(map(is_mobile, line.split(self._delimiter)))


def read_records(lines: Iterator[str], delimiter: str) -> Iterator[Sequence[str]]:
    """Yield the cells of each row; an UnreadableRow for a line whose quotes do not say where its cells end.

    After such a line every following line is read for itself, so that no row disappears in another one's cell.
    """
    source, doubts = _RecordLines(lines, delimiter), _QuoteChecks(delimiter)
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
    """Return the cells of the next row, or what is wrong with it; neither at the end."""
    try:
        return next(reader, None), None
    except _LeftOpen:
        return None, _LEFT_OPEN
    except csv.Error as why:
        return None, _AFTER_QUOTE if "expected after" in str(why) else _LEFT_OPEN


class _QuoteChecks:
    """Finds the quotes that may have joined cells or rows by mistake."""

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter
        self._width = 0
        self._open = False  # a row was refused for a quote whose partner has not been met yet

    def about(self, cells: Sequence[str], lines: Sequence[str]) -> str | None:
        """Say why the cells read from `lines` may not be the intended ones; None if there is no sign of it."""
        self._width = self._width or len(cells)
        if len(lines) == 1 and QUOTE not in lines[0]:
            return None
        if self._open and lines[0].count(QUOTE) % 2:
            return _SECOND_QUOTE
        if any(_holds_numbers(cell, self._delimiter) for cell in cells):
            return _SWALLOWED
        return _SWALLOWED if len(lines) > 1 and self._are_rows(lines, max(self._width, len(cells))) else None

    def remember(self, refused: str) -> None:
        """Remember a refused line: an odd quote in it has a partner, here or further down."""
        if refused.count(QUOTE) % 2:
            self._open = not self._open

    def _are_rows(self, lines: Sequence[str], width: int) -> bool:
        """Return whether the first line and another one have all the cells of a row of their own."""
        first, *others = (line.count(self._delimiter) + 1 >= width for line in lines if line.strip())
        return first and any(others)


def _holds_numbers(cell: str, delimiter: str) -> bool:
    """Return whether a mobile number stands beside a delimiter or a line end, as it does in a row."""
    if delimiter not in cell and "\n" not in cell:
        return False
    pieces = [piece for piece in re.split(f"[\n{re.escape(delimiter)}]", cell) if piece.strip()]
    found = sum(map(is_mobile, pieces)) if len(pieces) > 1 else 0
    return found > 0 and ("\n" in cell or found < len(pieces))


# ── encodings ──

_SAVE_AS: Final = "save it as CSV UTF-8"
_CELL: Final = re.compile('[^,;\\t|\r\n"]+')
_HEADER_BYTES: Final = 4096


def encoding_of(head: bytes) -> str:
    """Return the codec for a file that begins with `head`; UTF-8 unless another one is certain."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "cp1256" if not _is_utf8(head) and _names_a_column(head[:_HEADER_BYTES]) else "utf-8-sig"


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _names_a_column(head: bytes) -> bool:
    """Return whether the bytes, as Windows-1256, hold a cell with a Persian name for the numbers."""
    if 0 in head:
        return False
    cells = map(fold, _CELL.findall(head.decode("cp1256")))
    return any(cell in NUMBER_NAMES and not cell.isascii() for cell in cells)


def looks_like(data: bytes) -> str:
    """Say which encoding bytes that are not UTF-8 look like, and what to do about it."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or _in_two_bytes(data):
        return f"it looks like UTF-16 (Excel calls it Unicode text): {_SAVE_AS}"
    if data.count(0):
        return f"it holds binary data: {_SAVE_AS}"
    foreign = [letter for letter in data.decode("cp1256") if letter > "\x7f"]
    if sum("\u0600" <= letter <= "\u06ff" or letter == "\u200c" for letter in foreign) * 10 >= len(foreign) * 7:
        return f"it looks like Windows-1256 (Arabic Windows): {_SAVE_AS}"
    return f"its encoding is none we know, or it is no text at all: {_SAVE_AS}"


def _in_two_bytes(data: bytes) -> bool:
    """Return whether every other byte is that of Latin or Arabic letters, as in UTF-16."""
    return any((high.count(0x00) + high.count(0x06)) * 10 > len(high) * 9 for high in (data[::2], data[1::2]))


CHUNK: Final = 64 * 1024
"""Bytes read at once."""

LONGEST_ROW: Final = 64 * 1024
"""Characters. A line that does not end within this and the rest of its chunk is no row of recipients."""

MAX_ROWS: Final = 10_000_000
"""Rows of a file, empty ones included: a minute of reading."""

DELIMITERS: Final = ",;\t|،؛"
SNIFFED_ROWS: Final = 20


def read_rows(chunks: Iterable[bytes | str]) -> Iterator[Row]:
    """Read the rows of a CSV file that are not empty. Raises: BadInput, with the row where one is at fault.

    A row whose quotes do not say where its cells end is an UnreadableRow, and the rows around it are read.
    """
    lines = _TextLines(chunks)
    head = lines.peek()
    declared = _declared_delimiter(head)
    for row_no, cells in enumerate(read_records(iter(lines), declared or _delimiter(head)), 1):
        lines.row = row_no
        if row_no > MAX_ROWS:
            raise BadInput(f"the file has more than {MAX_ROWS:,} rows: split it, or is it the file you meant?")
        if (any(map(str.strip, cells)) or isinstance(cells, UnreadableRow)) and not (declared and row_no == 1):
            yield row_no, cells


def too_wide(cells: Sequence[str], columns: int) -> str:
    """Say why a row with more cells than columns is refused."""
    return (
        f"the row has {len(cells)} cells and there are {columns} columns: put a cell that holds the delimiter in quotes"
    )


class _TextLines:
    """The lines of a text that comes in chunks. The reader sets `row`: how many rows it has read."""

    def __init__(self, chunks: Iterable[bytes | str]) -> None:
        self.row = 0
        self._texts = self._decoded(chunks)
        self._head = next(self._texts, "")

    def peek(self) -> str:
        """Return the beginning of the text without consuming it."""
        return self._head

    def __iter__(self) -> Iterator[str]:
        rest = ""
        for text in chain([self._head], self._texts):
            whole, newline, rest = (rest + text).rpartition("\n")
            yield from io.StringIO(whole + newline, newline="\n")
            if len(rest) >= LONGEST_ROW:
                raise BadInput(
                    f"the row goes on for more than {LONGEST_ROW // 1024} KiB: this is not a file of recipients",
                    row=self.row + 1,
                )
        if rest:
            yield rest

    def _decoded(self, chunks: Iterable[bytes | str]) -> Iterator[str]:
        """Yield the text with every kind of line end as a line feed."""
        decoder: codecs.IncrementalDecoder | None = None
        line_ends = io.IncrementalNewlineDecoder(None, translate=True)
        for chunk in chunks:
            if isinstance(chunk, str):
                text = chunk.removeprefix("\ufeff")
            else:
                decoder = decoder or codecs.getincrementaldecoder(encoding_of(chunk))()
                text = self._text(decoder, chunk)
            if "\0" in text:
                raise BadInput(_binary(chunk))
            yield line_ends.decode(text)
        yield line_ends.decode(self._text(decoder, b"", final=True) if decoder else "", final=True)

    def _text(self, decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> str:
        try:
            return decoder.decode(chunk, final)
        except UnicodeDecodeError as why:
            row = self.row + 1 + why.object.count(b"\n", 0, why.start)
            where = None if row == 1 else row
            name = "UTF-16" if why.encoding.startswith("utf-16") else "UTF-8"
            raise BadInput(f"the file is not {name}: {looks_like(why.object)}", row=where) from why


def _binary(chunk: bytes | str) -> str:
    data = chunk if isinstance(chunk, bytes) else chunk.encode("utf-8", "surrogatepass")
    return f"the file is not text: {looks_like(data)}"


def _declared_delimiter(head: str) -> str | None:
    """Return the delimiter that a spreadsheet wrote into a first line of its own, `sep=;`."""
    line = head.partition("\n")[0].strip('" ')
    declared = line.removeprefix("sep=")
    return declared if declared != line and len(declared) == 1 and declared in DELIMITERS else None


def _delimiter(head: str) -> str:
    """Return the delimiter that gives the most mobile numbers, and then the most even rows; a comma if none does."""
    return max(DELIMITERS, key=lambda delimiter: _evidence(head, delimiter))


def _evidence(head: str, delimiter: str) -> tuple[int, int]:
    """Count the first rows with a mobile number alone in a cell, and the rows that are as wide as the first."""
    records = read_records(io.StringIO(head, newline="\n"), delimiter)
    rows = [cells for cells in islice(records, SNIFFED_ROWS) if cells]
    numbers = sum(any(map(is_mobile, cells)) for cells in rows)
    even = sum(len(cells) == len(rows[0]) > 1 for cells in rows)
    return numbers, even
