"""Validate every row once: good rows become messages, the others rejects with their reasons."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules.message_options import DEFAULT_OPTIONS, MessageOptions
from kavenegar_campaigns.rules.phone import normalise_mobile
from kavenegar_campaigns.rules.text import Size, Template, measure_sendable
from kavenegar_campaigns.stages.intake.cells import (
    MAX_ROWS_KEPT,
    HiddenRow,
    RowAbove,
    Unreadable,
    UnreadableRow,
    cell_names,
    cells_as_json,
    kept_part,
)
from kavenegar_campaigns.stages.intake.columns import Row, Table, readable

# ── the same campaign under the same key: a digest of text, sender, options and rows ──

_CELL_END: Final = "\x1f"
_ROW_END: Final = "\x1e"
_ROWS_AT_ONCE: Final = 1_000
"""Hashing many rows in one call is several times cheaper than each on its own."""


class Fingerprint:
    """SHA-256 over the content of a campaign: template, sender, options, each row's number and values as given.

    A plain SMS adds nothing for its options, so digests made before there were others are still right.
    """

    def __init__(self, template: Template, sender: str, options: MessageOptions) -> None:
        self._digest = hashlib.sha256()
        self._rows: list[str] = []
        self.add(sender + options.fingerprint, [repr(template.pieces), *template.placeholders])

    def add(self, number: str, values: Sequence[str]) -> None:
        """Add one row, with only the values that the text uses."""
        self._rows.append(_CELL_END.join([number, *values]))
        if len(self._rows) == _ROWS_AT_ONCE:
            self._flush()

    def digest(self) -> bytes:
        """Return the digest over all rows, 32 bytes."""
        self._flush()
        return self._digest.digest()

    def _flush(self) -> None:
        rows = _ROW_END.join([*self._rows, ""])
        self._digest.update(rows.encode("utf-8", "surrogatepass"))
        self._rows.clear()


# ── the same number twice: one bit for each number ──

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


Message = tuple[int, int, str, str | None]
"""(row_no, parts, number, text); the text is None where all recipients get the same."""

REJECTS_AT_ONCE: Final = 10_000
"""Wrong rows held before they have to be taken away."""

MAX_REJECTS: Final = 1_000_000
"""Wrong rows after which a file is refused, unless more of its rows are right."""

REASONS_SHOWN: Final = 5
_WHOLE_ROW: Final = ("the row as it stands",)
"""The name for what is kept of a row whose cells cannot be told apart."""


class RejectKind(StrEnum):
    """The kind of a reject."""

    NUMBER = "number"  # it is no mobile number
    DUPLICATE = "duplicate"  # an earlier row has the same number
    PLACEHOLDER = "placeholder"  # a value the text asks for is missing
    TEXT = "text"  # the text came out too long
    HIDDEN = "hidden"  # the spreadsheet does not show it
    ABOVE = "above"  # it stands above the header
    SHAPE = "shape"  # it has more cells than there are columns, or nobody can tell where its cells end


_UNREADABLE: Final[dict[type[UnreadableRow], RejectKind]] = {HiddenRow: RejectKind.HIDDEN, RowAbove: RejectKind.ABOVE}


class Reject(NamedTuple):
    """A row that makes no message: its value, and a sentence on what would be right."""

    row_no: int
    kind: RejectKind
    value: str
    reason: str
    cells: str | None  # of the row, as JSON; not of every row, where there are very many


def first_reasons(reasons: Sequence[str], whole: int) -> str:
    """Return the first few reasons as one sentence, and how many more there are."""
    more = [f"and {whole - len(reasons):,} more"] if whole > len(reasons) else []
    return "; ".join([*reasons, *more])


class _Rejected(Exception):
    """A row is rejected; never raised to a caller."""

    def __init__(self, kind: RejectKind, value: str, reason: str) -> None:
        self.kind, self.value, self.reason = kind, value, reason


@dataclass(slots=True)
class Tally:
    """The counts of rows validated so far."""

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


class RowValidator:
    """Validates the rows of a table, once.

    `rejects` holds what was found wrong since it was last emptied; `exhausted` tells that the table is at its end.
    """

    def __init__(
        self,
        table: Table,
        template: Template,
        *,
        sender: str,
        max_characters: int,
        options: MessageOptions = DEFAULT_OPTIONS,
    ) -> None:
        self.tally = Tally()
        self.rejects: list[Reject] = []
        self.exhausted = False
        self.from_file = table.from_file
        self.fingerprint = Fingerprint(template, sender, options)
        self._rows: Iterator[Row] = table.rows
        self._number = table.number
        self._names = cell_names(table.columns)
        self._width = len(table.columns)
        self._too_wide = table.too_wide
        self._values_at = table.positions(template.placeholders)
        self._template = template
        self._at_most = max_characters
        self._calls = options.is_voice
        self._seen = SeenNumbers()
        # What all texts have in common has to fit; of a uniform text, that is all there is to measure.
        common = self._sized(template.literal) if template.literal.strip() else None
        self._uniform = None if template.personal else common

    def messages(self, at_most: int) -> Iterator[Message]:
        """Yield the next messages. Ends early when the rejects have to be taken first. Raises: BadInput."""
        before = self.tally.messages
        for row_no, cells in self._rows:
            try:
                number, text, size = self._validate(cells)
            except _Rejected as wrong:
                self._reject(row_no, wrong, cells)
                if len(self.rejects) >= REJECTS_AT_ONCE:
                    return
            else:
                self.tally.add(size, self._template.literal if text is None else text)
                yield row_no, size.parts, number, text
                if self.tally.messages - before == at_most:
                    return
        self.exhausted = True

    def skip(self, at_most: int) -> None:
        """Validate as many rows for their tally and fingerprint alone. Raises: BadInput."""
        for _ in self.messages(at_most):
            pass
        self.rejects.clear()

    def take_rejects(self) -> list[Reject]:
        """Return the rejects since the last call."""
        taken, self.rejects = self.rejects, []
        return taken

    def _validate(self, cells: Sequence[str]) -> tuple[str, str | None, Size]:
        if isinstance(cells, UnreadableRow):
            self.fingerprint.add(cells.raw, ())
            raise _Rejected(_UNREADABLE.get(type(cells), RejectKind.SHAPE), cells.raw, cells.reason)
        width = len(cells)
        given = cells[self._number] if self._number < width else ""
        values = [cells[at] if at < width else "" for at in self._values_at]
        self.fingerprint.add(given, values)
        if width > self._width and any(map(str.strip, cells[self._width :])):
            raise _Rejected(RejectKind.SHAPE, " | ".join(cells), self._too_wide(cells, self._width))
        number = _number(given)
        text, size = (None, self._uniform) if self._uniform else self._text(values)
        if not self._seen.add(number):
            raise _Rejected(RejectKind.DUPLICATE, given, "an earlier row has the same number: it gets one message")
        return number, text, size

    def _text(self, values: Sequence[str]) -> tuple[str, Size]:
        for at, value in enumerate(values):
            if isinstance(value, Unreadable):
                raise _Rejected(RejectKind.PLACEHOLDER, value, f"{{{self._template.placeholders[at]}}}: {value.reason}")
        try:
            text = self._template.fill(values)
        except BadInput as why:
            raise _Rejected(RejectKind.PLACEHOLDER, "", str(why)) from None
        try:
            return text, self._sized(text)
        except BadInput as why:
            raise _Rejected(RejectKind.TEXT, text, str(why)) from None

    def _sized(self, text: str) -> Size:
        """Measure a text as it is billed: a call is one part, however long the text is."""
        size = measure_sendable(text, self._at_most)
        return size._replace(parts=1) if self._calls else size

    def _reject(self, row_no: int, wrong: _Rejected, cells: Sequence[str]) -> None:
        if wrong.kind is RejectKind.DUPLICATE:
            self.tally.duplicates += 1
        else:
            self.tally.rejects += 1
            self.tally.hidden += wrong.kind is RejectKind.HIDDEN
            if self.tally.rejects - self.tally.hidden > max(MAX_REJECTS, self.tally.messages):
                raise BadInput(
                    f"more than {MAX_REJECTS:,} rows cannot be used, and fewer can: is it the file, and the column, "
                    f"that you meant? {first_reasons(self.tally.reasons, self.tally.rejects)}"
                )
            if len(self.tally.reasons) < REASONS_SHOWN:
                self.tally.reasons.append(f"row {row_no}: {wrong.reason}")
        self.rejects.append(Reject(row_no, wrong.kind, kept_part(wrong.value), wrong.reason, self._kept(cells)))

    def _kept(self, cells: Sequence[str]) -> str | None:
        if self.tally.rejects + self.tally.duplicates > MAX_ROWS_KEPT:
            return None
        if isinstance(cells, UnreadableRow) and not cells:
            return cells_as_json(_WHOLE_ROW, [cells.raw])
        return cells_as_json(self._names, cells)


def _number(given: str) -> str:
    try:
        return normalise_mobile(readable(given))
    except BadInput as why:
        raise _Rejected(RejectKind.NUMBER, given, str(why)) from None
