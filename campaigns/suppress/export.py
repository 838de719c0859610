"""Everybody who is suppressed, as a CSV or XLSX that `campaigns suppress import` takes back."""

from __future__ import annotations

from itertools import chain
from typing import IO, Any, Final

from sqlalchemy import Connection

from campaigns.spreadsheet_files import FileFormat, Layout, write_rows
from campaigns.store import suppressions

COLUMNS: Final = ("number", "reason", "source", "since")
_LAYOUT: Final = Layout("suppressed", COLUMNS, frozenset())


def export(connection: Connection, out: IO[Any], file_format: str = FileFormat.CSV) -> int:
    """Write a line for each number, in their order; how many. Reads a few thousand at a time. Raises: BadInput."""
    everybody = chain.from_iterable(suppressions.in_pages(connection))
    rows = ((each.number, each.reason, each.source, each.created_at) for each in everybody)
    return write_rows(out, _LAYOUT, rows, file_format)
