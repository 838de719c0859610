"""Rows and cells whose content is not certain: they keep their place, and become a reject instead of a guess."""

from __future__ import annotations


class UnreadableRow(tuple[str, ...]):
    """A row whose cells cannot be told apart, as a row without cells.

    `raw` is the line as it stands in the file; `reason` says what is wrong with it and what would be right.
    """

    raw: str
    reason: str

    @classmethod
    def of(cls, raw: str, reason: str) -> UnreadableRow:
        """The row that stands in the file as `raw`."""
        row = cls()
        row.raw, row.reason = raw, reason
        return row
