"""Whether two creations asked for the same: a digest of text, sender, manner and the rows as they were read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from campaigns.rules.manner import Manner
from campaigns.rules.text import Template

_CELL_END: Final = "\x1f"
_ROW_END: Final = "\x1e"
_ROWS_AT_ONCE: Final = 1_000
"""Hashing many rows in one call is several times cheaper than each on its own."""


class Fingerprint:
    """SHA-256 over what decides about the messages: template, sender, manner, each row's number and values as given.

    A plain SMS adds nothing for its manner, so digests made before there were others are still right.
    """

    def __init__(self, template: Template, sender: str, manner: Manner) -> None:
        self._digest = hashlib.sha256()
        self._rows: list[str] = []
        self.add(sender + manner.spelled, [repr(template.pieces), *template.placeholders])

    def add(self, number: str, values: Sequence[str]) -> None:
        """Take in one row; only the values that the text uses."""
        self._rows.append(_CELL_END.join([number, *values]))
        if len(self._rows) == _ROWS_AT_ONCE:
            self._flush()

    def digest(self) -> bytes:
        """The 32 bytes over all that was taken in."""
        self._flush()
        return self._digest.digest()

    def _flush(self) -> None:
        rows = _ROW_END.join([*self._rows, ""])
        self._digest.update(rows.encode("utf-8", "surrogatepass"))
        self._rows.clear()
