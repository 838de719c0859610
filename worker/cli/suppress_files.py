"""Files of suppressed numbers: read through the same columns and cells as a campaign's recipients, and written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

import campaigns
from campaigns import BadInput
from campaigns.intake.columns import Table, given_number
from campaigns.intake.opening import opened
from campaigns.intake.sieve import listed
from campaigns.rules.phone import mask, normalise
from campaigns.suppress.export import export
from worker import wiring
from worker.cli import files, options, words

AT_ONCE: Final = 5000
"""Numbers of one commit."""
SHOWN: Final = 20
"""Wrong rows that are told; the others are counted."""


@dataclass(slots=True)
class Read:
    """What became of a file: rows with a number, those of them that are new, and those that could not be used.

    `examples` are the first of these: the row, what stood there (covered), and what would be right.
    """

    file: str
    numbers: int = 0
    suppressed: int = 0
    rejects: int = 0
    examples: list[tuple[int, str, str]] = field(default_factory=list)


def read_in(
    file: str, *, column: str | None, sheet: str | None, include_hidden: bool, header_row: int | None, reason: str
) -> Read:
    """Suppress the numbers of a file, some thousands a commit. Raises: BadInput where not one row can be used."""
    found = Read(file)
    source = "standard input" if file == options.DASH else f"the file {Path(file).name}"[:200]
    with opened(
        options.source(file),
        number_column=column,
        sheet=sheet,
        include_hidden=include_hidden,
        header_row=header_row,
        placeholders=(),
    ) as table:
        numbers = _numbers(table, found)
        while chunk := list(islice(numbers, AT_ONCE)):
            found.numbers += len(chunk)
            with wiring.engine().begin() as connection:
                found.suppressed += campaigns.suppress(connection, chunk, reason=reason, source=source)
    if not found.numbers:
        why = listed([f"row {row}: {what}" for row, _, what in found.examples[:3]], found.rejects) or "there is no row"
        raise BadInput(f"not one row of {file} can be used. {why}")
    return found


def _numbers(table: Table, found: Read) -> Iterator[str]:
    """The numbers of a table; what is none is noted in `found`."""
    for row_no, cells in table.rows:
        given = ""
        try:
            given = given_number(cells, table.number)
            number = normalise(given)
        except BadInput as why:
            found.rejects += 1
            if len(found.examples) < SHOWN:
                found.examples.append((row_no, mask(given), str(why)))
        else:
            yield number


def say_read(found: Read) -> None:
    """The same for a person."""
    known = found.numbers - found.suppressed
    words.say(f"{found.suppressed:,} suppressed" + (f"; {known:,} were suppressed already" if known else ""))
    if found.rejects:
        words.table(("row", "not used", "why"), [(str(row), value, why) for row, value, why in found.examples])
        more = found.rejects - len(found.examples)
        words.say(f"{found.rejects:,} rows were not used" + (f", {more:,} more than are shown" if more else ""))


def write_out(out: Path) -> int:
    """Write everybody who is suppressed; how many. It reads in short transactions. Raises: BadInput."""
    return files.exported(out, export)
