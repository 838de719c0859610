"""Suppress numbers and lift them by hand, read why a number is suppressed, and export all of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import chain
from typing import IO, Any, Final

from sqlalchemy import Connection

from campaigns.api import Bind, connection_of, database_now, writing_connection
from campaigns.errors import BadInput
from campaigns.rules.phone import normalise_mobile
from campaigns.rules.suppression import MAX_REASON_LENGTH, SuppressionReason
from campaigns.stages.exports import FileFormat, Layout, write_rows
from campaigns.store import suppressions
from campaigns.store.suppressions import Suppression

# ── by hand ──


def add_numbers(connection: Connection, numbers: Iterable[str], *, reason: str, source: str, now: datetime) -> int:
    """Suppress numbers; how many are new. Raises: BadInput for what is no mobile number, and for a reason too long."""
    words = {"reason": reason.strip(), "source": source.strip()}
    for name, said in words.items():
        if not 0 < len(said) <= MAX_REASON_LENGTH or not said.replace("\u200c", "").isprintable():
            raise BadInput(f"the {name} has to be of 1 to {MAX_REASON_LENGTH} printable characters")
    return suppressions.add(connection, [*map(normalise_mobile, numbers)], now=now, **words)


def lift_numbers(connection: Connection, numbers: Iterable[str], *, now: datetime) -> int:
    """Let numbers be written to again; how many of them were suppressed. Raises: BadInput."""
    return suppressions.lift(connection, [*map(normalise_mobile, numbers)], now=now)


def read_suppression(connection: Connection, number: str) -> Suppression | None:
    """Why a number is suppressed; None where it is not. Raises: BadInput."""
    wanted = normalise_mobile(number)
    found = suppressions.find(connection, [wanted]).get(wanted)
    return found if found is not None and found.lifted_at is None else None


def suppress(
    bind: Bind, numbers: Iterable[str], *, reason: str = SuppressionReason.BY_HAND, source: str = "a program"
) -> int:
    """Send nothing more to these numbers; how many are new. Running campaigns leave them out from their next batch on.

    Numbers come in any spelling. `reason` is a `SuppressionReason` or words of your own, `source` says where it
    comes from: both stand in reports. A number that is suppressed already keeps its reason. One-time passwords are
    sent all the same.
    Raises: BadInput, and nothing was suppressed.
    """
    connection = writing_connection(bind)
    return add_numbers(connection, numbers, reason=reason, source=source, now=database_now(connection))


def unsuppress(bind: Bind, numbers: Iterable[str]) -> int:
    """Let these numbers get messages again; how many were suppressed. Raises: BadInput, and nothing was lifted.

    What the API may remove is then taken off the gateway's block lists as well; the rest the gateway goes on blocking.
    """
    connection = writing_connection(bind)
    return lift_numbers(connection, numbers, now=database_now(connection))


def suppressed(bind: Bind, number: str) -> Suppression | None:
    """Why a number gets nothing, and since when; None where it is not suppressed. Raises: BadInput."""
    return read_suppression(connection_of(bind), number)


# ── export: `campaigns suppress import` takes it back ──

SUPPRESSED_COLUMNS: Final = ("number", "reason", "source", "since")
_LAYOUT: Final = Layout("suppressed", SUPPRESSED_COLUMNS, frozenset())


def export_suppressed(connection: Connection, out: IO[Any], file_format: str = FileFormat.CSV) -> int:
    """Write a line for each number, in their order; how many. Reads a few thousand at a time. Raises: BadInput."""
    everybody = chain.from_iterable(suppressions.in_pages(connection))
    rows = ((each.number, each.reason, each.source, each.created_at) for each in everybody)
    return write_rows(out, _LAYOUT, rows, file_format)
