"""Message texts end to end in one block of UTF-8; a text sent again soon after is stored once."""

from __future__ import annotations

from hashlib import sha256

_RECENT = 1024  # texts remembered for sharing: a request or a few, not a campaign of personal texts


def digest(text: bytes) -> str:
    """The first 16 hexadecimal digits of the text's SHA-256: what the ledger shows instead of a text."""
    return sha256(text).hexdigest()[:16]


class Texts:
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
