"""Find the header, the column with the numbers, and the columns of the placeholders."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, takewhile
from typing import Final, NamedTuple

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules.phone import is_mobile
from kavenegar_campaigns.rules.text import fold_letters
from kavenegar_campaigns.stages.intake.cells import RowAbove, Unreadable, UnreadableRow

Row = tuple[int, Sequence[str]]
"""A row's number as a spreadsheet shows it (the first is 1) and its cells. Missing last cells may be left out."""

TooWide = Callable[[Sequence[str], int], str]
"""Why a row with a cell beyond the columns, of which there are so many, is refused."""


class Source(NamedTuple):
    """The rows of a file, and the sentence on one that is too wide."""

    rows: Iterator[Row]
    too_wide: TooWide


LOOK_AHEAD: Final = 100
"""Rows read before the columns are decided on: a wrong first row must not decide alone."""

NUMBER_NAMES: Final = frozenset(
    {
        *("number", "phone", "mobile", "receptor", "recipient", "cell", "cellphone", "msisdn", "tel", "telephone"),
        *("phonenumber", "mobilenumber", "cellnumber", "mobileno", "phoneno", "telno", "mobilephone"),
        *("شماره", "موبایل", "تلفن", "همراه", "شمارهموبایل", "شمارهتلفن", "شمارههمراه", "شمارهتماس", "گیرنده"),
        *("تلفنهمراه", "شمارهتلفنهمراه", "موبایلمشتری", "شمارهگیرنده"),
    }
)
"""Headers that mean the number, folded."""

_NO_HEADER: Final = "; no header was recognised among the first rows: say which row it is (header_row, or --header-row)"

_ANY_END: Final = re.compile('[,;\t|،؛"\n]')
"""Where a cell may end in a line of which nobody can tell where its cells end."""


@dataclass(frozen=True, slots=True)
class Table:
    """Recipients as rows of cells: the names of the columns, the position of the number, and the rows."""

    columns: tuple[str, ...]
    number: int
    rows: Iterator[Row] = field(repr=False)
    too_wide: TooWide = field(repr=False)
    header_row: int | None = None
    from_file: bool = True

    def positions(self, placeholders: Iterable[str]) -> tuple[int, ...]:
        """Return the positions of the columns for `placeholders`. Raises: BadInput for one that is no column."""
        return tuple(self._position(name) for name in placeholders)

    def _position(self, name: str) -> int:
        found = find(self.columns, name)
        if found is None:
            no_header = "" if self.header_row is not None else _NO_HEADER
            raise BadInput(
                f"the text asks for {{{name}}}, and there is no such column: {list_columns(self.columns)}{no_header}"
            )
        return found


def fold(name: str) -> str:
    """Normalise a header: case, spaces, punctuation, half-spaces, Arabic and Persian letters."""
    return "".join(filter(str.isalnum, fold_letters(name)))


def find(columns: Sequence[str], name: str) -> int | None:
    """Find the column called `name`, as written or else by its folded form. Raises: BadInput if several are."""
    folded = fold(name)
    same = [at for at, column in enumerate(columns) if column == name]
    alike = same or [at for at, column in enumerate(columns) if folded and fold(column) == folded]
    if len(alike) > 1:
        raise BadInput(f"{len(alike)} columns are called {name}: give each a name of its own")
    return alike[0] if alike else None


def list_columns(columns: Sequence[str]) -> str:
    """List the columns as a clause for a person; long headers are cut."""
    named = [column[:40] for column in columns if column]
    more = f" and {len(named) - 20} more" if len(named) > 20 else ""
    return f"the columns are {', '.join(named[:20])}{more}" if named else "there are no columns beside the number"


def read_table(
    source: Source, number_column: str | None, placeholders: Sequence[str], asked_header: int | None = None
) -> Table:
    """Make the table from the rows of a file. Without a header, columns are called 1, 2, 3 …

    `asked_header` is the row of the header, where it is not to be looked for. What stands above the header (a title, a
    date) belongs to no recipient: such rows are RowAbove.

    Raises: BadInput for no rows at all, where nobody can tell which column holds the numbers, and for an `asked_header`
    that is empty or not among the first rows.
    """
    rows, too_wide = source
    first = list(islice(rows, LOOK_AHEAD))
    if not first:
        raise BadInput("there are no recipients: it is empty")
    at = _asked_at(first, asked_header) if asked_header is not None else _found_at(first, number_column, placeholders)
    header_row, above = None, []
    if at is not None:
        header_row, header = first[at]
        above = [(row_no, RowAbove.holding(cells, header_row)) for row_no, cells in first[:at]]
        columns, first = _names(header), first[at + 1 :]
    else:
        columns = tuple(str(at + 1) for at in range(max(_width(cells) for _, cells in first)))
    number = number_position(columns, [cells for _, cells in first], number_column)
    return Table(columns, number, chain(above, first, rows), too_wide, header_row)


def given_number(cells: Sequence[str], at: int) -> str:
    """Return the number of a row as it is written; "" in a row that is too short.

    Raises: BadInput for a row or a cell that cannot be read.
    """
    if isinstance(cells, UnreadableRow):
        raise BadInput(cells.reason)
    return readable(cells[at] if at < len(cells) else "")


def readable(given: str) -> str:
    """Return the cell of a number, or its digits where only the format is uncertain. Raises: BadInput."""
    if not given and isinstance(given, Unreadable):
        raise BadInput(given.reason)
    return given


def number_position(columns: Sequence[str], sample: Sequence[Sequence[str]], number_column: str | None) -> int:
    """Find the column with the numbers: the one asked for, the one with a known name, or the one that holds numbers.

    Raises: BadInput naming the columns, where that leaves none or several.
    """
    if number_column is not None:
        asked = find(columns, number_column)
        if asked is None:
            raise BadInput(f"there is no column {number_column} to take the numbers from: {list_columns(columns)}")
        return asked
    named = [at for at, column in enumerate(columns) if fold(column) in NUMBER_NAMES]
    candidates = named or list(range(len(columns)))
    if len(candidates) == 1:
        return candidates[0]
    holding = _holding_numbers(candidates, sample)
    if len(holding) == 1:
        return holding[0]
    if not holding and named:
        return named[0]
    what = "several columns hold mobile numbers" if holding else "no column holds mobile numbers"
    raise BadInput(
        f"{what}: name the column that holds the numbers (number_column, or --column); {list_columns(columns)}"
    )


def _holding_numbers(candidates: Sequence[int], sample: Sequence[Sequence[str]]) -> list[int]:
    """Find the columns with a mobile number in the first row that has any."""
    for cells in sample:
        holding = [at for at in candidates if at < len(cells) and is_mobile(cells[at])]
        if holding:
            return holding
    return []


def _refuse_unreadable_header(row_no: int, cells: Sequence[str]) -> None:
    """Refuse an unreadable first row, unless it holds a mobile number and so is no header."""
    if type(cells) is UnreadableRow and not any(map(is_mobile, _ANY_END.split(cells.raw))):
        raise BadInput(f"the header cannot be read: {cells.reason}", row=row_no)


def _asked_at(rows: Sequence[Row], asked: int) -> int:
    """Return the position of row `asked`. Raises: BadInput if it is empty, or not among the first."""
    found = [at for at, (row_no, _) in enumerate(rows) if row_no == asked]
    if not found:
        raise BadInput(
            f"row {asked} cannot be the header: it is empty, or not among the first {LOOK_AHEAD} rows that are not"
        )
    row_no, header = rows[found[0]]
    if type(header) is UnreadableRow:
        raise BadInput(f"the header cannot be read: {header.reason}", row=row_no)
    return found[0]


def _found_at(rows: Sequence[Row], number_column: str | None, placeholders: Sequence[str]) -> int | None:
    _refuse_unreadable_header(*rows[0])
    return _header_at([cells for _, cells in rows], number_column, placeholders)


def _header_at(rows: Sequence[Sequence[str]], number_column: str | None, placeholders: Sequence[str]) -> int | None:
    """Return the position of the header: of the rows above the first mobile number, the one with the most known names.

    None if no row has a name that is known, or asked for.
    """
    asked_for = {fold(name) for name in (*placeholders, *filter(None, [number_column])) if not name.isdecimal()}
    known = NUMBER_NAMES | asked_for
    above = takewhile(lambda cells: not any(map(is_mobile, cells)), rows)
    score, at = max(
        ((sum(fold(cell) in known for cell in cells), -at) for at, cells in enumerate(above)), default=(0, 0)
    )
    return -at if score else None


def _names(header: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns as placeholders write them; a column without a name is called by its place."""
    return tuple(unicodedata.normalize("NFKC", cell).strip() or str(at) for at, cell in enumerate(header, 1))


def _width(cells: Sequence[str]) -> int:
    """Count the cells up to the last one that is not empty; at least one."""
    return max((at for at, cell in enumerate(cells, 1) if cell.strip()), default=1)
