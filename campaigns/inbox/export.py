"""Inbound messages as a file."""

from __future__ import annotations

import csv
from datetime import datetime
from typing import IO, Final

from sqlalchemy import Connection

from campaigns.rules.spreadsheet import harmless
from campaigns.store import inbound
from campaigns.store.inbound import Inbound

COLUMNS: Final = ("id", "line", "number", "text", "received_at", "campaign", "localid", "opted_out", "taken_at")


def export(
    connection: Connection,
    out: IO[str],
    *,
    line: str | None = None,
    campaign_id: int | None = None,
    since: datetime | None = None,
) -> int:
    """Write a CSV line for each message, line by line and the oldest first; returns how many.

    Columns: COLUMNS; numbers and texts are whole. Text that a spreadsheet would run as a formula is made harmless.
    Reads a few thousand at a time: memory stays flat, and no transaction has to stay open.
    """
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    lines = 0
    for page in inbound.in_pages(connection, line=line, campaign_id=campaign_id, since=since):
        writer.writerows(map(_cells, page))
        lines += len(page)
    return lines


def _cells(message: Inbound) -> list[object]:
    row = (message.id, message.line, message.number, message.text, message.received_at, message.campaign_id,
           message.message_id, "yes" if message.opted_out else "", message.taken_at)  # fmt: skip
    return [harmless(cell) for cell in row]
