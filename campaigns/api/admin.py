"""Administer an installation: read how it is, and do what only a person may decide.

The facts are those that `campaigns doctor` judges and `campaigns metrics` serves. A time is None where nothing waits.

tables      upgrade, is_behind, is_ahead: create or upgrade the schema sms; grant: the rights of a role on it
dispatcher  read_installation: its last tick, the account's credit, settings and hold; SILENT_AFTER
work        find_overdue, open_work, paused_campaigns, uncertain_by_campaign
safety      read_durability, read_gate, count_far_ahead, account_of_key, stranded_batches
metrics     read_figures
lines       list_lines, change_line, pull_line_soon, sync_line_settings
inbox       count_unacknowledged, oldest_unacknowledged
uncertain   list_uncertain: batches of which nobody knows whether they were sent; `campaigns.send_uncertain` sends them
restored    read_place, database_label, unfinished_campaigns, accept_database
epochs      renew_epoch: give new message ids after a collision
checks      probe_write: does the database take writes? transaction_time: when this transaction began
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection

from kavenegar_campaigns.api import Bind, connection_of, writing_connection
from kavenegar_campaigns.rules.states import CampaignState
from kavenegar_campaigns.stages.guards import accept_database
from kavenegar_campaigns.stages.waiting import SILENT_AFTER, way_to_resume
from kavenegar_campaigns.store import (
    callbacks,
    epochs,
    identity,
    in_one_commit,
    installation,
    ledger,
    lines,
    outcomes,
    restores,
    transaction_time,
)
from kavenegar_campaigns.store.backlog import (
    Durability,
    OpenWork,
    Overdue,
    count_far_ahead,
    find_overdue,
    open_work,
    paused_campaigns,
    probe_write,
    read_durability,
    uncertain_by_campaign,
)
from kavenegar_campaigns.store.batches import COLLISION
from kavenegar_campaigns.store.database import Database
from kavenegar_campaigns.store.epochs import MAY_HAVE_LEFT
from kavenegar_campaigns.store.gate import WEAK_COMMITS, Gate, read_gate
from kavenegar_campaigns.store.grants import Profile, grant
from kavenegar_campaigns.store.identity import Place, StrandedBatches, account_of_key, stranded_batches
from kavenegar_campaigns.store.inbound import count_unacknowledged, oldest_unacknowledged
from kavenegar_campaigns.store.installation import Installation
from kavenegar_campaigns.store.lines import Line
from kavenegar_campaigns.store.migrate import PATIENCE_S, is_ahead, is_behind, upgrade
from kavenegar_campaigns.store.outcomes import UncertainBatch
from kavenegar_campaigns.store.restores import Restored

__all__ = [
    "COLLISION",
    "MAY_HAVE_LEFT",
    "PATIENCE_S",
    "SILENT_AFTER",
    "WEAK_COMMITS",
    "Durability",
    "EpochRenewal",
    "Figures",
    "Gate",
    "Installation",
    "Line",
    "OpenWork",
    "Overdue",
    "Place",
    "Profile",
    "Restored",
    "StrandedBatches",
    "UncertainBatch",
    "accept_database",
    "account_of_key",
    "change_line",
    "count_far_ahead",
    "count_unacknowledged",
    "count_uncertain",
    "database_label",
    "find_overdue",
    "grant",
    "is_ahead",
    "is_behind",
    "list_lines",
    "list_uncertain",
    "oldest_unacknowledged",
    "open_work",
    "paused_campaigns",
    "probe_write",
    "pull_line_soon",
    "read_durability",
    "read_figures",
    "read_gate",
    "read_installation",
    "read_place",
    "renew_epoch",
    "stranded_batches",
    "sync_line_settings",
    "transaction_time",
    "uncertain_by_campaign",
    "unfinished_campaigns",
    "upgrade",
    "way_to_resume",
]

# ── how it is ──


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
    """Count the uncertain messages of all campaigns. It reads finished batches too: call it seldom."""
    return sum(uncertain_by_campaign(connection).values())


# ── the lines of the inbox ──


def list_lines(bind: Bind) -> list[Line]:
    """Read every line that is or was pulled, the disabled ones too."""
    return lines.listed(connection_of(bind))


@in_one_commit
def change_line(
    bind: Bind, line: str, *, every: timedelta | None, enabled: bool | None, otherwise: timedelta, now: datetime
) -> Line:
    """Change how often a line is pulled and whether it is, or add a line. A value of None changes nothing.

    A new line without `every` is pulled every `otherwise`. INBOX_LINES says nothing about the line from then on.
    """
    with writing_connection(bind) as connection:
        return lines.change(connection, line, every=every, enabled=enabled, otherwise=otherwise, now=now)


@in_one_commit
def pull_line_soon(bind: Bind, line: str, *, now: datetime) -> None:
    """Make a line due at once, whatever its interval. Raises: NotFound."""
    with writing_connection(bind) as connection:
        lines.make_due(connection, line, now=now)


@in_one_commit
def sync_line_settings(bind: Bind, wanted: Mapping[str, timedelta], *, now: datetime) -> None:
    """Pull the lines of the settings, each at its interval; a line that a person has changed stays as it is."""
    with writing_connection(bind) as connection:
        lines.sync_settings(connection, wanted, now=now)


# ── what only a person can decide ──


def list_uncertain(bind: Bind, *, campaign_id: int | None = None) -> Sequence[UncertainBatch]:
    """Read the batches with uncertain messages, of one campaign or of all."""
    return outcomes.uncertain_batches(connection_of(bind), campaign_id=campaign_id)


@in_one_commit
def read_place(bind: Bind) -> Place:
    """Read where the database is, compared with where it last was: at home, restored or copied, failed over, …"""
    return identity.read_place(connection_of(bind))


def database_label(bind: Bind) -> str:
    """Return the database's name, with a few digits that tell it from one of that name on another server."""
    return identity.database_label(connection_of(bind))


@in_one_commit
def unfinished_campaigns(bind: Bind) -> list[tuple[int, str, CampaignState]]:
    """Read the campaigns that are not over: id, name and state of each."""
    return restores.unfinished_campaigns(connection_of(bind))


class EpochRenewal(NamedTuple):
    """The number of the new epoch, and how many batches got ids of it."""

    epoch: int
    batches: int


def renew_epoch(database: Database) -> EpochRenewal:
    """Begin a new epoch after a collision of ids, and give ids of it to every message that has not left.

    Messages at the gateway keep their ids. Commits page by page; ended half-way, run it again. Raises: BadInput.
    """
    epoch = epochs.renew_epoch(database, now=database.now())
    moved = 0
    while page := epochs.reissue_ids(database):
        moved += page
    return EpochRenewal(epoch, moved)
