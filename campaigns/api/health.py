"""Read how an installation is: the facts that `campaigns doctor` judges, and the figures that Prometheus is told.

Every function takes a connection and reads only. A time is None where nothing waits.

dispatcher  read_installation: its last tick, the account's credit, settings and hold; SILENT_AFTER
work        find_overdue, open_work, paused_campaigns, uncertain_by_campaign
safety      read_durability, read_gate, count_far_ahead, account_of_key, stranded_batches
inbox       count_unacknowledged, oldest_unacknowledged
metrics     read_figures
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from campaigns.api import Bind, connection_of
from campaigns.stages.waiting import SILENT_AFTER, way_to_resume
from campaigns.store import callbacks, in_one_commit, installation, ledger
from campaigns.store.backlog import (
    Durability,
    OpenWork,
    Overdue,
    count_far_ahead,
    find_overdue,
    open_work,
    paused_campaigns,
    read_durability,
    uncertain_by_campaign,
)
from campaigns.store.gate import WEAK_COMMITS, Gate, read_gate
from campaigns.store.identity import Place, StrandedBatches, account_of_key, stranded_batches
from campaigns.store.inbound import count_unacknowledged, oldest_unacknowledged
from campaigns.store.installation import Installation

__all__ = [
    "SILENT_AFTER",
    "WEAK_COMMITS",
    "Durability",
    "Figures",
    "Gate",
    "Installation",
    "OpenWork",
    "Overdue",
    "Place",
    "StrandedBatches",
    "account_of_key",
    "count_far_ahead",
    "count_unacknowledged",
    "count_uncertain",
    "find_overdue",
    "oldest_unacknowledged",
    "open_work",
    "paused_campaigns",
    "read_durability",
    "read_figures",
    "read_gate",
    "read_installation",
    "stranded_batches",
    "uncertain_by_campaign",
    "way_to_resume",
]


@in_one_commit
def read_installation(bind: Bind) -> Installation:
    """Read the dispatcher's last tick, and the account's credit, settings and hold as they were last seen."""
    return installation.read(connection_of(bind))


# ── the figures for Prometheus ──

MAX_BACKLOG_COUNTED: Final = 100_000
"""Callbacks are counted so far and no further: so many are too many, however many they are."""

LEDGER_DAYS: Final = 3
"""Days that the gateway can be asked about; their unexplained messages are summed."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of an installation `at` a moment; `uncertain` and `unexplained` count messages."""

    work: OpenWork
    installation: Installation
    uncertain: int
    callback_backlog: int
    gate: Gate
    unexplained: int
    at: datetime

    def since(self, moment: datetime | None) -> float:
        """Seconds since a moment; 0 where there is none."""
        return 0.0 if moment is None else max(0.0, (self.at - moment).total_seconds())


def read_figures(connection: Connection, *, now: datetime, uncertain: int) -> Figures:
    """Read all figures but `uncertain`, which is given. The cost does not grow with the messages that are stored."""
    return Figures(
        work=open_work(connection, now=now),
        installation=installation.read(connection),
        uncertain=uncertain,
        callback_backlog=callbacks.count_pending(connection, most=MAX_BACKLOG_COUNTED),
        gate=read_gate(connection),
        unexplained=sum(day.unexplained or 0 for day in ledger.newest_days(connection, limit=LEDGER_DAYS)),
        at=now,
    )


def count_uncertain(connection: Connection) -> int:
    """How many messages are uncertain in all campaigns. It looks at batches that are over as well: ask it seldom."""
    return sum(uncertain_by_campaign(connection).values())
