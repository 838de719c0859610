"""Everybody who is suppressed, as a CSV that `campaigns suppress import` takes back."""

from __future__ import annotations

import csv
from typing import IO, Final

from sqlalchemy import Connection

from campaigns.rules.spreadsheet import harmless
from campaigns.store import suppressions

COLUMNS: Final = ("number", "reason", "source", "since")


def export(connection: Connection, out: IO[str]) -> int:
    """Write a line for each number, in their order; how many. Reads a few thousand at a time."""
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    lines = 0
    for page in suppressions.in_pages(connection):
        writer.writerows(
            [harmless(cell) for cell in (each.number, each.reason, each.source, each.created_at)] for each in page
        )
        lines += len(page)
    return lines
