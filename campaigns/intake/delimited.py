"""CSV, row by row: any of `, ; tab | ، ؛` between cells, and never more than a row of it in memory."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Final

from campaigns.errors import BadInput
from campaigns.intake.columns import Row
from campaigns.intake.csv_records import read_records
from campaigns.intake.encodings import encoding_of, looks_like
from campaigns.intake.unreadable import UnreadableRow
from campaigns.rules.phone import is_mobile

CHUNK: Final = 64 * 1024
"""Bytes read at once."""

LONGEST_ROW: Final = 64 * 1024
"""Characters. A line that does not end within this and the rest of its chunk is no row of recipients."""

MAX_ROWS: Final = 10_000_000
"""Rows of a file, empty ones included: a minute of reading."""

DELIMITERS: Final = ",;\t|،؛"
SNIFFED_ROWS: Final = 20


def read_rows(chunks: Iterable[bytes | str]) -> Iterator[Row]:
    """The rows of a CSV file that have anything in them. Raises BadInput, with the row where one is at fault.

    A row whose quotes do not say where its cells end is an UnreadableRow, and the rows around it are read.
    """
    lines = _Lines(chunks)
    head = lines.peek()
    told = _told_delimiter(head)
    for row_no, cells in enumerate(read_records(iter(lines), told or _delimiter(head)), 1):
        lines.row = row_no
        if row_no > MAX_ROWS:
            raise BadInput(f"the file has more than {MAX_ROWS:,} rows: split it, or is it the file you meant?")
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
            raise BadInput(f"the file is not {_name(why)}: {looks_like(why.object)}", row=where) from why


def _name(why: UnicodeDecodeError) -> str:
    return "UTF-16" if why.encoding.startswith("utf-16") else "UTF-8"


def _binary(chunk: bytes | str) -> str:
    data = chunk if isinstance(chunk, bytes) else chunk.encode("utf-8", "surrogatepass")
    return f"the file is not text: {looks_like(data)}"


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
