"""Everybody who is suppressed, as a CSV or XLSX that `campaigns suppress import` takes back."""

from __future__ import annotations

from typing import IO, Any, Final

from sqlalchemy import Connection

from campaigns.spreadsheet_files import FileFormat, Layout, rows_into
from campaigns.store import suppressions

COLUMNS: Final = ("number", "reason", "source", "since")
_LAYOUT: Final = Layout("suppressed", COLUMNS, frozenset())


def export(connection: Connection, out: IO[Any], file_format: str = FileFormat.CSV) -> int:
    """Write a line for each number, in their order; how many. Reads a few thousand at a time. Raises: BadInput."""
    lines = 0
    with rows_into(out, _LAYOUT, file_format) as write:
        for page in suppressions.in_pages(connection):
            for each in page:
                write((each.number, each.reason, each.source, each.created_at))
            lines += len(page)
    return lines
