"""The rows of a campaign's file that made no message, with their columns, as a file that can be mended and loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import IO, Any, Final

from sqlalchemy import Connection, text

from campaigns.rules.spreadsheet import harmless
from campaigns.spreadsheet_files import FileFormat, Layout, write_rows
from campaigns.store import campaigns

COLUMNS: Final = ("row", "rejected", "why")
"""What stands before the columns of the file."""

# What are the columns of the rows that were rejected, in the order of the file?
_NAMES: Final = text("""
    SELECT cell.name
      FROM sms.rejects AS reject, json_each_text(reject.cells) WITH ORDINALITY AS cell (name, value, place)
     WHERE reject.campaign_id = :id AND reject.cells IS NOT NULL
  GROUP BY cell.name ORDER BY min(cell.place), cell.name
""")

# Which rows were rejected, after this one?
_PAGE: Final = text("""
    SELECT row_no, kind, value, reason, cells FROM sms.rejects
     WHERE campaign_id = :id AND row_no > :after ORDER BY row_no LIMIT 5000
""")


def export(connection: Connection, campaign_id: int, out: IO[Any], file_format: str = FileFormat.CSV) -> int:
    """Write a line for every rejected row: COLUMNS, and then the cells as they stood in the file.

    Of a row whose cells were not kept (by an older version, or behind the first 100,000), the wrong value alone is
    known. CSV into a file of text, or XLSX into a binary one. No cell is a formula to a spreadsheet. Returns the lines.
    Raises: NotFound, BadInput.
    """
    campaigns.read(connection, campaign_id)
    names = list(connection.execute(_NAMES, {"id": campaign_id}).scalars()) or ["value"]
    layout = Layout("rejects", (*COLUMNS, *map(harmless, names)), frozenset({"row"}))
    rows = (
        (row_no, kind, reason, *(cells.get(name, "") for name in names))
        for row_no, kind, reason, cells in _rejects(connection, campaign_id, names[0])
    )
    return write_rows(out, layout, rows, file_format)


def _rejects(
    connection: Connection, campaign_id: int, first_name: str
) -> Iterator[tuple[int, str, str, Mapping[str, str]]]:
    after = -1
    while rows := connection.execute(_PAGE, {"id": campaign_id, "after": after}).all():
        for row in rows:
            yield row.row_no, row.kind, row.reason, {first_name: row.value} if row.cells is None else row.cells
        after = rows[-1].row_no
