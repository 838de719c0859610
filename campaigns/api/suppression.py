"""Suppress numbers and lift them by hand, read why a number is suppressed, import a file of numbers and export all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from typing import IO, Any, Final

from sqlalchemy import Connection, Engine

from kavenegar_campaigns.api import Bind, reading_connection, writing_connection
from kavenegar_campaigns.api.boundary import public
from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.rules.arguments import checked
from kavenegar_campaigns.rules.phone import mask_number, normalise_mobile
from kavenegar_campaigns.rules.suppression import MAX_REASON_LENGTH, SuppressionReason
from kavenegar_campaigns.stages.exports import FileFormat, Layout, write_rows
from kavenegar_campaigns.stages.intake import Recipients
from kavenegar_campaigns.stages.intake.columns import Table, given_number
from kavenegar_campaigns.stages.intake.row_validator import first_reasons
from kavenegar_campaigns.stages.intake.sources import open_table
from kavenegar_campaigns.store import blocklists, database_now, suppressions
from kavenegar_campaigns.store.suppressions import Suppression

__all__ = [
    "SUPPRESSED_COLUMNS",
    "ImportResult",
    "Suppression",
    "export_suppressed",
    "find_suppression",
    "import_suppressed",
    "known_lines",
    "newest_suppressions",
    "suppress",
    "suppressed",
    "unsuppress",
]

# ── by hand ──


@public
@checked
def suppress(
    bind: Bind, numbers: Iterable[str], *, reason: str = SuppressionReason.MANUAL, source: str = "a program"
) -> int:
    """Suppress numbers: campaigns send nothing more to them, running ones from their next batch on.

    Numbers come in any spelling. `reason` is a `SuppressionReason` or words of your own, `source` says where it
    comes from; each has 1 to 200 printable characters and stands in reports. A number that is suppressed already keeps
    its reason. One-time passwords are sent all the same. Returns how many numbers are new.

    Raises: BadInput for what is no mobile number, and for a wrong reason or source; nothing was suppressed then.
    """
    words = {"reason": reason.strip(), "source": source.strip()}
    for name, said in words.items():
        if not 0 < len(said) <= MAX_REASON_LENGTH or not said.replace("\u200c", "").isprintable():
            raise BadInput(f"the {name} has to be of 1 to {MAX_REASON_LENGTH} printable characters")
    with writing_connection(bind) as connection:
        return suppressions.add(connection, [*map(normalise_mobile, numbers)], now=database_now(connection), **words)


@public
@checked
def unsuppress(bind: Bind, numbers: Iterable[str]) -> int:
    """Lift numbers from the suppression list: campaigns send to them again. Returns how many were suppressed.

    Entries that the API may remove are then taken off the gateway's block lists as well; the gateway goes on blocking
    the others. Raises: BadInput for what is no mobile number; nothing was lifted then.
    """
    with writing_connection(bind) as connection:
        return suppressions.lift(connection, [*map(normalise_mobile, numbers)], now=database_now(connection))


@public
@checked
def suppressed(bind: Bind, number: str) -> Suppression | None:
    """Read why a number is suppressed, and since when; None where it is not. Raises: BadInput for no mobile number."""
    found = find_suppression(bind, number)
    return found if found is not None and found.lifted_at is None else None


@public
def find_suppression(bind: Bind, number: str) -> Suppression | None:
    """Read the entry of a number, also after it was lifted; None if it never was suppressed.

    Raises: BadInput for what is no mobile number.
    """
    wanted = normalise_mobile(number)
    with reading_connection(bind) as connection:
        return suppressions.find(connection, [wanted]).get(wanted)


@public
def newest_suppressions(
    bind: Bind, *, reason: str | None = None, since: datetime | None = None, limit: int = 20
) -> Sequence[Suppression]:
    """List suppressed numbers, the newest first; only those of one reason or since a moment, if these are given."""
    with reading_connection(bind) as connection:
        return suppressions.newest(connection, reason=reason, since=since, limit=limit)


@public
def known_lines(bind: Bind) -> list[str]:
    """List every line that is pulled or has sent: the gateway's block lists of these lines are synchronised."""
    with reading_connection(bind) as connection:
        return blocklists.known_lines(connection)


# ── import: read through the same columns and cells as a campaign's recipients ──

NUMBERS_A_COMMIT: Final = 5000
"""Numbers of one commit."""
MAX_EXAMPLES: Final = 20
"""Wrong rows that are told; the others are counted."""


@dataclass(slots=True)
class ImportResult:
    """The counts of an imported file: rows with a number, new numbers, and rows that could not be used.

    `examples` are the first of these: the row, what stood there (covered), and what would be right.
    """

    file: str
    numbers: int = 0
    suppressed: int = 0
    rejects: int = 0
    examples: list[tuple[int, str, str]] = field(default_factory=list)


@public
def import_suppressed(
    engine: Engine,
    recipients: Recipients,
    *,
    file: str,
    source: str,
    reason: str = SuppressionReason.IMPORTED,
    number_column: str | None = None,
    sheet: str | None = None,
    include_hidden: bool = False,
    header_row: int | None = None,
) -> ImportResult:
    """Suppress the numbers of a file, some thousands a commit. `file` names it in the result and in an error.

    The options are those of `create`. Rows that cannot be used stop no others.
    Raises: BadInput where not one row can be used.
    """
    found = ImportResult(file)
    with open_table(
        recipients,
        number_column=number_column,
        sheet=sheet,
        include_hidden=include_hidden,
        header_row=header_row,
        placeholders=(),
    ) as table:
        numbers = _valid_numbers(table, found)
        while chunk := list(islice(numbers, NUMBERS_A_COMMIT)):
            found.numbers += len(chunk)
            with engine.begin() as connection:
                found.suppressed += suppress(connection, chunk, reason=reason, source=source)
    if not found.numbers:
        reasons = [f"row {row}: {what}" for row, _, what in found.examples[:3]]
        why = first_reasons(reasons, found.rejects) or "there is no row"
        raise BadInput(f"not one row of {file} can be used. {why}")
    return found


def _valid_numbers(table: Table, found: ImportResult) -> Iterator[str]:
    """Yield the numbers of a table; rows without one are counted in `found`."""
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


# ── export: `campaigns suppress import` takes it back ──

SUPPRESSED_COLUMNS: Final = ("number", "reason", "source", "since")
_LAYOUT: Final = Layout("suppressed", SUPPRESSED_COLUMNS, frozenset())


@public
def export_suppressed(connection: Connection, out: IO[Any], file_format: str = FileFormat.CSV) -> int:
    """Write a line for each suppressed number, in the order of the numbers. Returns how many lines.

    It reads a few thousand at a time, so memory stays flat. Raises: BadInput for an unknown format.
    """
    everybody = chain.from_iterable(suppressions.in_pages(connection))
    rows = ((each.number, each.reason, each.source, each.created_at) for each in everybody)
    return write_rows(out, _LAYOUT, rows, file_format)
