"""Files of suppressed numbers: read through the same columns and cells as a campaign's recipients, and written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

import campaigns
from campaigns import BadInput
from campaigns.api.suppression import export_suppressed
from campaigns.rules.phone import mask_number, normalise_mobile
from campaigns.stages.intake.columns import Table, given_number
from campaigns.stages.intake.row_validator import first_reasons
from campaigns.stages.intake.sources import open_table
from worker import wiring
from worker.cli import options, output

NUMBERS_A_COMMIT: Final = 5000
"""Numbers of one commit."""
MAX_EXAMPLES: Final = 20
"""Wrong rows that are told; the others are counted."""


@dataclass(slots=True)
class ImportResult:
    """What became of a file: rows with a number, those of them that are new, and those that could not be used.

    `examples` are the first of these: the row, what stood there (covered), and what would be right.
    """

    file: str
    numbers: int = 0
    suppressed: int = 0
    rejects: int = 0
    examples: list[tuple[int, str, str]] = field(default_factory=list)


def import_file(
    file: str, *, column: str | None, sheet: str | None, include_hidden: bool, header_row: int | None, reason: str
) -> ImportResult:
    """Suppress the numbers of a file, some thousands a commit. Raises: BadInput where not one row can be used."""
    found = ImportResult(file)
    source = "standard input" if file == options.DASH else f"the file {Path(file).name}"[:200]
    with open_table(
        options.path_or_stdin(file),
        number_column=column,
        sheet=sheet,
        include_hidden=include_hidden,
        header_row=header_row,
        placeholders=(),
    ) as table:
        numbers = _valid_numbers(table, found)
        while chunk := list(islice(numbers, NUMBERS_A_COMMIT)):
            found.numbers += len(chunk)
            with wiring.engine().begin() as connection:
                found.suppressed += campaigns.suppress(connection, chunk, reason=reason, source=source)
    if not found.numbers:
        why = (
            first_reasons([f"row {row}: {what}" for row, _, what in found.examples[:3]], found.rejects)
            or "there is no row"
        )
        raise BadInput(f"not one row of {file} can be used. {why}")
    return found


def _valid_numbers(table: Table, found: ImportResult) -> Iterator[str]:
    """The numbers of a table; what is none is noted in `found`."""
    for row_no, cells in table.rows:
        given = ""
        try:
            given = given_number(cells, table.number)
            number = normalise_mobile(given)
        except BadInput as why:
            found.rejects += 1
            if len(found.examples) < MAX_EXAMPLES:
                found.examples.append((row_no, mask_number(given), str(why)))
        else:
            yield number


def print_import(found: ImportResult) -> None:
    """The same for a person."""
    known = found.numbers - found.suppressed
    output.print_lines(f"{found.suppressed:,} suppressed" + (f"; {known:,} were suppressed already" if known else ""))
    if found.rejects:
        output.print_table(("row", "not used", "why"), [(str(row), value, why) for row, value, why in found.examples])
        more = found.rejects - len(found.examples)
        output.print_lines(
            f"{found.rejects:,} rows were not used" + (f", {more:,} more than are shown" if more else "")
        )


def export_file(out: Path) -> int:
    """Write everybody who is suppressed; how many. It reads in short transactions. Raises: BadInput."""
    return options.write_export(out, export_suppressed)
