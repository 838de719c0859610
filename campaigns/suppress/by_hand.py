"""Numbers that a person, or a program of theirs, suppresses or lifts: in the caller's transaction, in any spelling."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from campaigns.errors import BadInput
from campaigns.rules.phone import normalise
from campaigns.rules.suppression import LONGEST_REASON
from campaigns.store import suppressions
from campaigns.store.suppressions import Suppression


def add(connection: Connection, numbers: Iterable[str], *, reason: str, source: str, now: datetime) -> int:
    """Suppress numbers; how many are new. Raises: BadInput for what is no mobile number, and for a reason too long."""
    words = {"reason": reason.strip(), "source": source.strip()}
    for name, said in words.items():
        if not 0 < len(said) <= LONGEST_REASON or not said.replace("\u200c", "").isprintable():
            raise BadInput(f"the {name} has to be of 1 to {LONGEST_REASON} printable characters")
    return suppressions.add(connection, [*map(normalise, numbers)], now=now, **words)


def lift(connection: Connection, numbers: Iterable[str], *, now: datetime) -> int:
    """Let numbers be written to again; how many of them were suppressed. Raises: BadInput."""
    return suppressions.lift(connection, [*map(normalise, numbers)], now=now)


def read(connection: Connection, number: str) -> Suppression | None:
    """Why a number is suppressed; None where it is not. Raises: BadInput."""
    wanted = normalise(number)
    found = suppressions.about(connection, [wanted]).get(wanted)
    return found if found is not None and found.lifted_at is None else None
