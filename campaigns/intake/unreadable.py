"""Rows and cells whose content is not certain: they keep their place, and become a reject instead of a guess."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

ERROR_VALUES: Final = r"#(?:N/A|REF!|NAME\?|VALUE!|DIV/0!|NULL!|NUM!)"
"""What a spreadsheet shows in place of a value that it could not compute, as a pattern."""


class Unreadable(str):
    """A cell that does not say what a person sees in it. `reason` says why, and what would be right.

    Its text is the stored value where that is certain (a mobile number may be read from it), and empty elsewhere.
    """

    __slots__ = ("reason",)
    reason: str

    @classmethod
    def of(cls, reason: str, stored: str = "") -> Unreadable:
        """A cell with the reason why it is not readable."""
        cell = cls(stored)
        cell.reason = reason
        return cell


def error_cell(shown: str | None) -> Unreadable:
    """A cell in which an error stands in place of a value."""
    return Unreadable.of(f"the cell shows the error {shown}")


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


class RowAbove(UnreadableRow):
    """A row above the header: a title, a date, the name of a shop."""

    @classmethod
    def holding(cls, cells: Sequence[str], header_row: int) -> RowAbove:
        """The row with these cells, above the header in `header_row`."""
        row = cls(cells)
        row.raw = getattr(cells, "raw", "") or " | ".join(filter(None, cells))
        row.reason = (
            f"it stands above the header, which is row {header_row}: if it is a recipient, say which row is the header "
            "(header_row, or --header-row)"
        )
        return row


class HiddenRow(UnreadableRow):
    """A row that the spreadsheet does not show, with its cells."""

    @classmethod
    def holding(cls, cells: Sequence[str], reason: str) -> HiddenRow:
        """The hidden row with these cells."""
        row = cls(cells)
        row.raw, row.reason = " | ".join(filter(None, cells)), reason
        return row
