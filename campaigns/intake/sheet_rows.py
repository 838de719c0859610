"""What holds for the sheets of every kind of workbook: which one is meant, how far it goes, which rows are hidden."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

from openpyxl.utils import get_column_letter

from campaigns.errors import BadInput
from campaigns.intake.delimited import LONGEST_ROW
from campaigns.intake.unreadable import HiddenRow, Unreadable, UnreadableRow
from campaigns.rules.spreadsheet import SHEET_ROWS

MAX_COLUMNS: Final = 1_000
"""Columns of a sheet that are read. A row with a cell further to the right is refused."""

_HIDDEN: Final = (
    "the sheet hides the row (a filter, or by hand), so it gets nothing: show it, or say that hidden rows are meant "
    "(include_hidden, or --include-hidden)"
)
_TOO_FAR: Final = f"recipients stand in the first {MAX_COLUMNS:,} columns: clear the cell"
_TOO_LONG: Final = f"the row holds more than {LONGEST_ROW // 1024} KiB of text: clear what is not meant"


class Named(Protocol):
    """A sheet, as far as its choice depends on it."""

    @property
    def title(self) -> str:
        """Its name."""

    @property
    def visible(self) -> bool:
        """Whether the spreadsheet shows it."""


AnySheet = TypeVar("AnySheet", bound=Named)


def chosen_sheet(sheets: Sequence[AnySheet], name: str | None, has_rows: Callable[[AnySheet], bool]) -> AnySheet:
    """The sheet called `name`, or the only visible one that has rows. Raises: BadInput."""
    titles = ", ".join(sheet.title for sheet in sheets)
    if name is not None:
        named = [sheet for sheet in sheets if sheet.title == name]
        if not named:
            raise BadInput(f"there is no sheet {name}: the sheets are {titles}")
        return named[0]
    visible = [sheet for sheet in sheets if sheet.visible]
    filled = [sheet for sheet in visible if has_rows(sheet)]
    if len(filled) > 1:
        with_rows = ", ".join(sheet.title for sheet in filled)
        raise BadInput(f"several sheets have rows: say which is meant (sheet, or --sheet); they are {with_rows}")
    if not filled:
        hidden = len(sheets) - len(visible)
        but = f", but for {hidden} hidden sheets: name one (sheet, or --sheet); there are {titles}" if hidden else ""
        raise BadInput(f"there are no recipients: the workbook is empty{but}")
    return filled[0]


def is_filled(cells: Iterable[str]) -> bool:
    """Whether a row has anything in it."""
    return any(cell.strip() or isinstance(cell, Unreadable) for cell in cells)


def check_place(row_no: int) -> None:
    """Refuse a row beyond the last that a sheet may have. Raises: BadInput."""
    if row_no > SHEET_ROWS:
        raise BadInput(f"the sheet has more than {SHEET_ROWS} rows, which no list of recipients has: save it again")


def row_of(cells: Mapping[int, str], *, hidden: bool) -> Sequence[str]:
    """The cells of a row in their order, from the cells by column. One that cannot be taken says why."""
    last = max(cells)
    if last >= MAX_COLUMNS:
        return UnreadableRow.of("", f"a cell stands in column {get_column_letter(last + 1)}: {_TOO_FAR}")
    if sum(map(len, cells.values())) > LONGEST_ROW:
        return UnreadableRow.of("", _TOO_LONG)
    row = [cells.get(at, "") for at in range(last + 1)]
    return HiddenRow.holding(row, _HIDDEN) if hidden else row


def too_wide(cells: Sequence[str], columns: int) -> str:
    """Why a row with a value beyond the columns is refused."""
    at = next(at for at, cell in enumerate(cells[columns:], columns + 1) if cell.strip())
    last = get_column_letter(columns)
    return (
        f"a value stands in column {get_column_letter(at)}, and the last column is {last}: name the column in the "
        "header, or clear the cell"
    )
