"""Message texts end to end in one block of UTF-8; a text sent again soon after is stored once.

The caller's own ids: which message has which, and which were sent more than once.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from hashlib import sha256

from kavenegar_sandbox.parameters import BLANK, split_list

_RECENT = 1024  # texts remembered for sharing: a request or a few, not a campaign of personal texts


def text_digest(text: bytes) -> str:
    """The first 16 hexadecimal digits of the text's SHA-256: what the ledger shows instead of a text."""
    return sha256(text).hexdigest()[:16]


class TextBlock:
    """A text is known by a reference: its offset in the block, and its length in the lowest 16 bits."""

    def __init__(self) -> None:
        self._block = bytearray()
        self._recent: dict[str, int] = {}

    def add(self, text: str) -> int:
        if (known := self._recent.get(text)) is not None:
            return known
        if len(self._recent) >= _RECENT:
            self._recent.clear()
        raw = text.encode()
        reference = self._recent[text] = len(self._block) << 16 | len(raw)
        self._block += raw
        return reference

    def raw(self, reference: int) -> bytes:
        start = reference >> 16
        return bytes(self._block[start : start + (reference & 0xFFFF)])

    def text(self, reference: int) -> str:
        return self.raw(reference).decode()


Localid = int | str
NONE = -1
_MOST_DIGITS = 18  # digits that surely fit a signed 64-bit column


def parse_localid(raw: object) -> Localid:
    """A whole number where it is one, so that 450 and "450" are the same id; any other string as it is."""
    if isinstance(raw, int) and 0 <= raw < 10**_MOST_DIGITS:
        return int(raw)
    text = str(raw).strip()
    plain = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS and (text[0] != "0" or text == "0")
    return int(text) if plain else text


def parse_localids(raw: str) -> list[Localid] | None:
    """The ids of a comma list, None where none are given."""
    return None if raw in BLANK else [parse_localid(each) for each in split_list(raw)]


class LocalidColumn:
    """One column of 8 bytes a message, and an index to the newest message of each id."""

    def __init__(self) -> None:
        self._column = array("q")  # the id; -1 for none; -2 and below: a name in `_names`
        self._names: list[str] = []
        self._newest: dict[Localid, int] = {}
        self._repeats: dict[Localid, list[int]] = {}

    def append(self, ids: Sequence[Localid | None]) -> None:
        """The ids of the next messages, in their order."""
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
        """The newest message with this id."""
        return self._newest.get(localid)

    def rows(self, localid: Localid) -> list[int]:
        """Every message with this id, the oldest first."""
        newest = self._newest.get(localid)
        return self._repeats.get(localid, [] if newest is None else [newest])

    @property
    def distinct(self) -> int:
        return len(self._newest)

    @property
    def repeated(self) -> Mapping[Localid, list[int]]:
        """The ids that were really sent more than once, with their messages."""
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
