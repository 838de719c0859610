"""A ZIP of XML parts (XLSX, ODS) of which only so much is ever unpacked, whatever the file says."""

from __future__ import annotations

import struct
import zlib
from typing import IO, Any, Final, NoReturn, Self
from xml.etree.ElementTree import ParseError
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile, ZipInfo

from openpyxl.utils.exceptions import InvalidFileException

from campaigns.errors import BadInput

MAX_RATIO: Final = 50
"""Unpacked to packed bytes of one part. A sheet of recipients reaches about 10, one of empty rows 25; a bomb 1,000."""

SMALL_PART: Final = 1024**2
"""Bytes. What unpacks to less is no bomb, whatever its ratio."""

MAX_UNPACKED: Final = 1024**3
"""Bytes that are unpacked of a file in all. A part that is read several times counts as often."""

MAX_WHOLE: Final = 2 * 1024**2
"""Bytes of a part that is read at once, as all are but the sheets and the table of strings."""

MAX_PIECE: Final = 1024**2
"""Bytes of one row or one string. A row of 16,384 styled empty cells has 400 KB."""

MAX_ELEMENTS: Final = 20_000_000
"""Cells, empty ones included, and strings that are read of a file in all: some minutes."""

_PROLOGUE: Final = 64 * 1024
"""Bytes within which the first element of a part begins."""

# All that openpyxl, zipfile and the XML parser let out over a damaged file.
DAMAGE: Final = (
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


class Parts(ZipFile):
    """A ZIP that is read, and whose parts are bounded. Raises: BadInput where one is far too large."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self._left, self._elements = MAX_UNPACKED, MAX_ELEMENTS
        for part in self.infolist():
            if part.file_size > max(SMALL_PART, MAX_RATIO * part.compress_size):
                self.close()
                _refuse()

    def open(self, name: str | ZipInfo, *_: Any, **__: Any) -> Part:  # type: ignore[override]
        """A part to be read in pieces. Raises: BadInput for one that defines entities, which may unpack to anything."""
        return Part(self, super().open(name))

    def take(self, size: int) -> None:
        """Note that so many bytes were unpacked. Raises: BadInput once there are too many."""
        self._left -= size
        if self._left < 0:
            _refuse()

    def count(self, elements: int) -> None:
        """Note that so many cells or strings were read. Raises: BadInput once there are too many."""
        self._elements -= elements
        if self._elements < 0:
            raise BadInput(
                f"the workbook has more than {MAX_ELEMENTS:,} cells: delete the columns and sheets that are not "
                "needed, or save it as CSV UTF-8"
            )


class Part:
    """A part of a ZIP that is being read. `next_piece` is to be called after each row or string."""

    def __init__(self, parts: Parts, content: IO[bytes]) -> None:
        self._parts, self._content = parts, content
        self._piece, self._row = 0, 1
        self._first = content.read(_PROLOGUE)
        parts.take(len(self._first))
        _refuse_entities(self._first)

    def read(self, size: int = -1) -> bytes:
        """The next bytes; all of them where `size` is left out. Raises: BadInput where they are too many."""
        if size < 0:
            return self._whole()
        data, self._first = self._first[:size], self._first[size:]
        if not data:
            data = self._content.read(size)
            self._parts.take(len(data))
        self._piece += len(data)
        if self._piece > MAX_PIECE:
            raise BadInput(
                f"one row or text of the workbook takes more than {MAX_PIECE // 1024**2} MiB: this is no list of "
                "recipients",
                row=self._row,
            )
        return data

    def next_piece(self, row: int, elements: int) -> None:
        """A row (or a string) of so many elements has ended, and `row` is the next one. Raises: BadInput."""
        self._piece, self._row = 0, row
        self._parts.count(elements)

    def close(self) -> None:
        """Let the part go."""
        self._content.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _whole(self) -> bytes:
        data, self._first = self._first + self._content.read(MAX_WHOLE + 1), b""
        if len(data) > MAX_WHOLE:
            _refuse()
        return data


def _refuse() -> NoReturn:
    raise BadInput("the workbook unpacks to far more than a list of recipients: save it as CSV UTF-8")


def _refuse_entities(beginning: bytes) -> None:
    """Refuse a document type, in which entities are defined. No program writes one into a workbook."""
    parser = expat.ParserCreate()
    found = []
    parser.StartDoctypeDeclHandler = lambda *_: found.append("doctype")
    parser.StartElementHandler = lambda *_: found.append("element")
    try:
        parser.Parse(beginning)
    except expat.ExpatError:
        return  # whoever reads it says what it is
    if found[:1] == ["doctype"] or (not found and len(beginning) == _PROLOGUE):
        raise BadInput("a part of the workbook has a document type, as no spreadsheet writes one: save it again")
