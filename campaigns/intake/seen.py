"""Which numbers there were already, in one bit each."""

from __future__ import annotations

from typing import Final

_PAGE_BYTES: Final = 10_000_000 // 8
"""One bit for each subscriber number behind a four-digit prefix."""


class SeenNumbers:
    """A set of mobile numbers. A page of 1.25 MB for every prefix met (some 20 are in use), however many numbers."""

    def __init__(self) -> None:
        self._pages: dict[str, bytearray] = {}

    def add(self, number: str) -> bool:
        """Remember `number`, as 09121234567; False if it was there before."""
        page = self._pages.get(number[:4])
        if page is None:
            page = self._pages[number[:4]] = bytearray(_PAGE_BYTES)
        subscriber = int(number[4:])
        at, bit = subscriber >> 3, 1 << (subscriber & 7)
        if page[at] & bit:
            return False
        page[at] |= bit
        return True
