"""CSV, row by row: UTF-8, any of `, ; tab |`, and never more than a row of it in memory."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Final

from campaigns.errors import BadInput
from campaigns.intake.columns import Row
from campaigns.intake.csv_records import read_records
from campaigns.intake.unreadable import UnreadableRow
from campaigns.rules.phone import is_mobile

CHUNK: Final = 64 * 1024
"""Bytes read at once."""

LONGEST_ROW: Final = 64 * 1024
"""Characters. A line that does not end within this and the rest of its chunk is no row of recipients."""

DELIMITERS: Final = ",;\t|"
SNIFFED_ROWS: Final = 20

_SAVE_AS: Final = "save it as CSV UTF-8"


def read_rows(chunks: Iterable[bytes | str]) -> Iterator[Row]:
    """The rows of a CSV file that have anything in them. Raises BadInput, with the row where one is at fault.

    A row whose quotes do not say where its cells end is an UnreadableRow, and the rows around it are read.
    """
    lines = _Lines(chunks)
    head = lines.peek()
    told = _told_delimiter(head)
    for row_no, cells in enumerate(read_records(iter(lines), told or _delimiter(head)), 1):
        lines.row = row_no
        if (any(map(str.strip, cells)) or isinstance(cells, UnreadableRow)) and not (told and row_no == 1):
            yield row_no, cells


def too_wide(cells: Sequence[str], columns: int) -> str:
    """Why a row with more cells than there are columns is refused."""
    return (
        f"the row has {len(cells)} cells and there are {columns} columns: put a cell that holds the delimiter in quotes"
    )


class _Lines:
    """The lines of a text that comes in chunks. `row` is set by the reader: how many rows it has got out of them."""

    def __init__(self, chunks: Iterable[bytes | str]) -> None:
        self.row = 0
        self._texts = self._decoded(chunks)
        self._head = next(self._texts, "")

    def peek(self) -> str:
        """The beginning of the text, without taking it away."""
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
        """Text with every kind of line end as a line feed."""
        utf8 = codecs.getincrementaldecoder("utf-8-sig")()
        line_ends = io.IncrementalNewlineDecoder(None, translate=True)
        for chunk in chunks:
            text = chunk.removeprefix("\ufeff") if isinstance(chunk, str) else self._utf8(utf8, chunk)
            if "\0" in text:
                raise BadInput(_binary(chunk))
            yield line_ends.decode(text)
        yield line_ends.decode(self._utf8(utf8, b"", final=True), final=True)

    def _utf8(self, decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> str:
        try:
            return decoder.decode(chunk, final)
        except UnicodeDecodeError as why:
            row = self.row + 1 + why.object.count(b"\n", 0, why.start)
            where = None if row == 1 else row
            raise BadInput(f"the file is not UTF-8: {_other_encoding(why.object)}", row=where) from why


def _other_encoding(data: bytes) -> str:
    """What bytes that are not UTF-8 look like, and what to do about it."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or _in_two_bytes(data):
        return f"it looks like UTF-16 (Excel calls it Unicode text): {_SAVE_AS}"
    if data.count(0):
        return f"it holds binary data: {_SAVE_AS}"
    foreign = [letter for letter in data.decode("cp1256") if letter > "\x7f"]
    if sum("\u0600" <= letter <= "\u06ff" or letter == "\u200c" for letter in foreign) * 10 >= len(foreign) * 7:
        return f"it looks like Windows-1256 (Arabic Windows): {_SAVE_AS}"
    return f"its encoding is none we know, or it is no text at all: {_SAVE_AS}"


def _in_two_bytes(data: bytes) -> bool:
    """Whether every other byte says Latin or Arabic, as it does in UTF-16."""
    return any((high.count(0x00) + high.count(0x06)) * 10 > len(high) * 9 for high in (data[::2], data[1::2]))


def _binary(chunk: bytes | str) -> str:
    data = chunk if isinstance(chunk, bytes) else chunk.encode("utf-8", "surrogatepass")
    return f"the file is not text: {_other_encoding(data)}"


def _told_delimiter(head: str) -> str | None:
    """The delimiter a spreadsheet wrote into a first line of its own, `sep=;`."""
    line = head.partition("\n")[0].strip('" ')
    told = line.removeprefix("sep=")
    return told if told != line and len(told) == 1 and told in DELIMITERS else None


def _delimiter(head: str) -> str:
    """The delimiter that brings out the most mobile numbers, and then the most even rows; a comma if none does."""
    return max(DELIMITERS, key=lambda delimiter: _evidence(head, delimiter))


def _evidence(head: str, delimiter: str) -> tuple[int, int]:
    """In how many of the first rows a mobile number stands alone in a cell; how many rows are as wide as the first."""
    lines = io.StringIO(head, newline="\n")
    rows = [cells for cells in islice(read_records(lines, delimiter), SNIFFED_ROWS) if cells]
    numbers = sum(any(map(is_mobile, cells)) for cells in rows)
    even = sum(len(cells) == len(rows[0]) > 1 for cells in rows)
    return numbers, even
