"""Inbound messages as a file."""

from __future__ import annotations

from datetime import datetime
from itertools import chain
from typing import IO, Any, Final

from sqlalchemy import Connection

from campaigns.spreadsheet_files import FileFormat, Layout, write_rows
from campaigns.store import inbound
from campaigns.store.inbound import Inbound

COLUMNS: Final = ("id", "line", "number", "text", "received_at", "campaign", "localid", "opted_out", "taken_at")
_LAYOUT: Final = Layout("inbox", COLUMNS, frozenset({"campaign"}))


def export(
    connection: Connection,
    out: IO[Any],
    file_format: str = FileFormat.CSV,
    *,
    line: str | None = None,
    campaign_id: int | None = None,
    since: datetime | None = None,
) -> int:
    """Write a line for each message, line by line and the oldest first; returns how many.

    Columns: COLUMNS; numbers and texts are whole. CSV into a file of text, or XLSX into a binary one. No cell is a
    formula to a spreadsheet. Reads a few thousand at a time: memory stays flat, and no transaction has to stay open.
    Raises: BadInput.
    """
    pages = inbound.in_pages(connection, line=line, campaign_id=campaign_id, since=since)
    return write_rows(out, _LAYOUT, map(_cells, chain.from_iterable(pages)), file_format)


def _cells(message: Inbound) -> tuple[object, ...]:
    return (message.id, message.line, message.number, message.text, message.received_at, message.campaign_id,
            message.message_id, "yes" if message.opted_out else "", message.taken_at)  # fmt: skip
