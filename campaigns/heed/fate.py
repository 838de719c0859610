"""What becomes of callbacks that were looked at: they are kept for another look, or have been heeded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from campaigns.rules.polling import next_look
from campaigns.store import callbacks
from campaigns.store.callbacks import Kept, Parked


def later(nothing_made_of: Sequence[Parked], now: datetime) -> list[Kept]:
    """They may have overtaken what they are about; those that were looked at often enough are not kept."""
    return [
        Kept(each.callback, again, each.message_id)
        for each in nothing_made_of
        if (again := next_look(each.seen_at, now)) is not None
    ]


def keep(connection: Connection, parked: Sequence[Parked], kept: Sequence[Kept]) -> None:
    """Those of `parked` that are not `kept` have been heeded, or never will be."""
    stay = {each.callback for each in kept}
    callbacks.keep(connection, kept)
    callbacks.forget(connection, [each.callback for each in parked if each.callback not in stay])


def came(connection: Connection, true: Sequence[Parked]) -> None:
    """Only callbacks that proved true are leaned on."""
    if true:
        callbacks.came(connection, at=max(each.seen_at for each in true))
