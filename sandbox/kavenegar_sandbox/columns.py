"""Compact columns of the ledger and the inbox: texts in one block, and the caller's ids with their index."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from hashlib import sha256

from kavenegar_sandbox.parameters import BLANK, split_list

_RECENT = 1024  # texts remembered for sharing: those of the last few requests
Localid = int | str
NONE = -1
_MOST_DIGITS = 18  # digits that always fit a signed 64-bit column


def text_digest(text: bytes) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a text. The admin API shows it instead of the text."""
    return sha256(text).hexdigest()[:16]


class TextBlock:
    """Texts end to end in one block of UTF-8. A text that recurs soon is stored once.

    A text is known by a reference: its offset in the block, with its length in the lowest 16 bits.
    """

    def __init__(self) -> None:
        self._block = bytearray()
        self._recent: dict[str, int] = {}

    def add(self, text: str) -> int:
        """Store a text. Returns its reference."""
        if (known := self._recent.get(text)) is not None:
            return known
        if len(self._recent) >= _RECENT:
            self._recent.clear()
        raw = text.encode()
        reference = self._recent[text] = len(self._block) << 16 | len(raw)
        self._block += raw
        return reference

    def raw(self, reference: int) -> bytes:
        """Return the text of a reference, in UTF-8."""
        start = reference >> 16
        return bytes(self._block[start : start + (reference & 0xFFFF)])

    def text(self, reference: int) -> str:
        """Return the text of a reference."""
        return self.raw(reference).decode()


def parse_localid(raw: object) -> Localid:
    """Read a localid: an integer when it is one (450 and "450" are the same id), otherwise the trimmed string."""
    if isinstance(raw, int) and 0 <= raw < 10**_MOST_DIGITS:
        return int(raw)
    text = str(raw).strip()
    plain = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS and (text[0] != "0" or text == "0")
    return int(text) if plain else text


def parse_localids(raw: str) -> list[Localid] | None:
    """Read a comma-separated list of localids. Returns None when the parameter is not given."""
    return None if raw in BLANK else [parse_localid(each) for each in split_list(raw)]


class LocalidColumn:
    """The localid of each row (8 bytes), with an index from each localid to its newest row."""

    def __init__(self) -> None:
        self._column = array("q")  # the integer; -1: none; -2 and below: a string in `_names`
        self._names: list[str] = []
        self._newest: dict[Localid, int] = {}
        self._repeats: dict[Localid, list[int]] = {}

    def append(self, ids: Sequence[Localid | None]) -> None:
        """Append the localids of the next rows, in their order."""
        for each in ids:
            if each is not None:
                self._index(each, len(self._column))
            self._column.append(self._stored(each))

    def __getitem__(self, row: int) -> Localid | None:
        stored = self._column[row]
        if stored >= 0:
            return stored
        return None if stored == NONE else self._names[-2 - stored]

    def row(self, localid: Localid) -> int | None:
        """Return the newest row with this localid, or None."""
        return self._newest.get(localid)

    def rows(self, localid: Localid) -> list[int]:
        """Return all rows with this localid, the oldest first."""
        newest = self._newest.get(localid)
        return self._repeats.get(localid, [] if newest is None else [newest])

    @property
    def distinct(self) -> int:
        """Return how many different localids were accepted."""
        return len(self._newest)

    @property
    def repeated(self) -> Mapping[Localid, list[int]]:
        """Return the localids that were really sent more than once, with their rows."""
        return self._repeats

    def _index(self, localid: Localid, row: int) -> None:
        if (known := self._newest.get(localid)) is not None:
            self._repeats.setdefault(localid, [known]).append(row)
        self._newest[localid] = row

    def _stored(self, localid: Localid | None) -> int:
        if localid is None:
            return NONE
        if isinstance(localid, int):
            return localid
        self._names.append(localid)
        return -1 - len(self._names)
