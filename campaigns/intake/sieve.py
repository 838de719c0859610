"""The sieve every row goes through: messages come out, the rest is kept with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from campaigns.errors import BadInput
from campaigns.intake.columns import Row, Table, readable
from campaigns.intake.fingerprint import Fingerprint
from campaigns.intake.kept_cells import MAX_ROWS_KEPT, as_json, names_of, storable
from campaigns.intake.seen import SeenNumbers
from campaigns.intake.unreadable import HiddenRow, RowAbove, Unreadable, UnreadableRow
from campaigns.rules.manner import PLAIN, Manner
from campaigns.rules.phone import normalise
from campaigns.rules.text import Size, Template, fitting

Message = tuple[int, int, str, str | None]
"""(row_no, parts, number, text); the text is None where all recipients get the same."""

REJECTS_AT_ONCE: Final = 10_000
"""Wrong rows held before they have to be taken away."""

MAX_REJECTS: Final = 1_000_000
"""Wrong rows after which a file is refused, unless more of its rows are right."""

REASONS_SHOWN: Final = 5
_RAW: Final = ("the row as it stands",)
"""The name for what is kept of a row whose cells cannot be told apart."""


class Kind(StrEnum):
    """What was wrong with a row."""

    NUMBER = "number"  # it is no mobile number
    DUPLICATE = "duplicate"  # an earlier row has the same number
    PLACEHOLDER = "placeholder"  # a value the text asks for is missing
    TEXT = "text"  # the text came out too long
    HIDDEN = "hidden"  # the spreadsheet does not show it
    ABOVE = "above"  # it stands above the header
    SHAPE = "shape"  # it has more cells than there are columns, or nobody can tell where its cells end


_UNREADABLE: Final[dict[type[UnreadableRow], Kind]] = {HiddenRow: Kind.HIDDEN, RowAbove: Kind.ABOVE}


class Reject(NamedTuple):
    """A row that makes no message: what stood there, and a sentence on what would be right."""

    row_no: int
    kind: Kind
    value: str
    reason: str
    cells: str | None  # of the row, as JSON; not of every row, where there are very many


def listed(reasons: Sequence[str], whole: int) -> str:
    """The first few reasons as one sentence, and how many more there are."""
    more = [f"and {whole - len(reasons):,} more"] if whole > len(reasons) else []
    return "; ".join([*reasons, *more])


class _Wrong(Exception):
    """The everyday end of a row; never seen outside."""

    def __init__(self, kind: Kind, value: str, reason: str) -> None:
        self.kind, self.value, self.reason = kind, value, reason


@dataclass(slots=True)
class Tally:
    """What has gone through the sieve so far."""

    messages: int = 0
    duplicates: int = 0
    rejects: int = 0
    hidden: int = 0  # of the rejects: rows that the spreadsheet hides
    parts_persian: int = 0
    parts_latin: int = 0
    longest: int = 0  # UTF-16 code units of the longest text
    first_text: str = ""  # of the first message
    longest_text: str = ""
    reasons: list[str] = field(default_factory=list)  # the first few, with their rows

    @property
    def rows_read(self) -> int:
        return self.messages + self.duplicates + self.rejects

    @property
    def parts(self) -> int:
        return self.parts_persian + self.parts_latin

    def add(self, size: Size, text: str) -> None:
        self.messages += 1
        if self.messages == 1:
            self.first_text = text
        if size.units > self.longest:
            self.longest, self.longest_text = size.units, text
        if size.latin:
            self.parts_latin += size.parts
        else:
            self.parts_persian += size.parts


class Sieve:
    """Takes the rows of a table through every check, once.

    `rejects` holds what was found wrong since it was last emptied; `exhausted` tells that the table is at its end.
    """

    def __init__(
        self,
        table: Table,
        template: Template,
        *,
        sender: str,
        max_characters: int,
        manner: Manner = PLAIN,
    ) -> None:
        self.tally = Tally()
        self.rejects: list[Reject] = []
        self.exhausted = False
        self.fingerprint = Fingerprint(template, sender, manner)
        self._rows: Iterator[Row] = table.rows
        self._number = table.number
        self._names = names_of(table.columns)
        self._width = len(table.columns)
        self._too_wide = table.too_wide
        self._values_at = table.positions(template.placeholders)
        self._template = template
        self._at_most = max_characters
        self._calls = manner.calls
        self._seen = SeenNumbers()
        # What all texts have in common has to fit; of a uniform text, that is all there is to measure.
        common = self._sized(template.literal) if template.literal.strip() else None
        self._uniform = None if template.personal else common

    def messages(self, at_most: int) -> Iterator[Message]:
        """The next messages; ends early when the rejects have to be taken away first."""
        before = self.tally.messages
        for row_no, cells in self._rows:
            try:
                number, text, size = self._sift(cells)
            except _Wrong as wrong:
                self._keep(row_no, wrong, cells)
                if len(self.rejects) >= REJECTS_AT_ONCE:
                    return
            else:
                self.tally.add(size, self._template.literal if text is None else text)
                yield row_no, size.parts, number, text
                if self.tally.messages - before == at_most:
                    return
        self.exhausted = True

    def skip(self, at_most: int) -> None:
        """Take as many rows through for their tally and fingerprint alone."""
        for _ in self.messages(at_most):
            pass
        self.rejects.clear()

    def take_rejects(self) -> list[Reject]:
        """The rejects since the last time."""
        taken, self.rejects = self.rejects, []
        return taken

    def _sift(self, cells: Sequence[str]) -> tuple[str, str | None, Size]:
        if isinstance(cells, UnreadableRow):
            self.fingerprint.add(cells.raw, ())
            raise _Wrong(_UNREADABLE.get(type(cells), Kind.SHAPE), cells.raw, cells.reason)
        width = len(cells)
        given = cells[self._number] if self._number < width else ""
        values = [cells[at] if at < width else "" for at in self._values_at]
        self.fingerprint.add(given, values)
        if width > self._width and any(map(str.strip, cells[self._width :])):
            raise _Wrong(Kind.SHAPE, " | ".join(cells), self._too_wide(cells, self._width))
        number = _number(given)
        text, size = (None, self._uniform) if self._uniform else self._text(values)
        if not self._seen.add(number):
            raise _Wrong(Kind.DUPLICATE, given, "an earlier row has the same number: it gets one message")
        return number, text, size

    def _text(self, values: Sequence[str]) -> tuple[str, Size]:
        for at, value in enumerate(values):
            if isinstance(value, Unreadable):
                raise _Wrong(Kind.PLACEHOLDER, value, f"{{{self._template.placeholders[at]}}}: {value.reason}")
        try:
            text = self._template.fill(values)
        except BadInput as why:
            raise _Wrong(Kind.PLACEHOLDER, "", str(why)) from None
        try:
            return text, self._sized(text)
        except BadInput as why:
            raise _Wrong(Kind.TEXT, text, str(why)) from None

    def _sized(self, text: str) -> Size:
        """Its size as it is billed: a call is one part, however long it takes to read the text out."""
        size = fitting(text, self._at_most)
        return size._replace(parts=1) if self._calls else size

    def _keep(self, row_no: int, wrong: _Wrong, cells: Sequence[str]) -> None:
        if wrong.kind is Kind.DUPLICATE:
            self.tally.duplicates += 1
        else:
            self.tally.rejects += 1
            self.tally.hidden += wrong.kind is Kind.HIDDEN
            if self.tally.rejects - self.tally.hidden > max(MAX_REJECTS, self.tally.messages):
                raise BadInput(
                    f"more than {MAX_REJECTS:,} rows cannot be used, and fewer can: is it the file, and the column, "
                    f"that you meant? {listed(self.tally.reasons, self.tally.rejects)}"
                )
            if len(self.tally.reasons) < REASONS_SHOWN:
                self.tally.reasons.append(f"row {row_no}: {wrong.reason}")
        self.rejects.append(Reject(row_no, wrong.kind, storable(wrong.value), wrong.reason, self._kept(cells)))

    def _kept(self, cells: Sequence[str]) -> str | None:
        if self.tally.rejects + self.tally.duplicates > MAX_ROWS_KEPT:
            return None
        if isinstance(cells, UnreadableRow) and not cells:
            return as_json(_RAW, [cells.raw])
        return as_json(self._names, cells)


def _number(given: str) -> str:
    try:
        return normalise(readable(given))
    except BadInput as why:
        raise _Wrong(Kind.NUMBER, given, str(why)) from None
