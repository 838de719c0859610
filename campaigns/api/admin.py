"""Administer an installation: its tables, the lines that are pulled, and what only a person can decide.

tables     upgrade, is_behind, is_ahead: create or upgrade the schema sms
lines      list_lines, change_line, pull_line_soon, sync_line_settings
uncertain  list_uncertain: batches of which nobody knows whether they were sent; `campaigns.send_uncertain` sends them
restored   read_place, database_label, unfinished_campaigns, accept_database
epochs     renew_epoch: give new message ids after a collision
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from campaigns.api import Bind, connection_of, writing_connection
from campaigns.rules.states import CampaignState
from campaigns.stages.guards import accept_database
from campaigns.store import epochs, identity, in_one_commit, lines, outcomes, restores
from campaigns.store.batches import COLLISION
from campaigns.store.database import Database
from campaigns.store.epochs import MAY_HAVE_LEFT
from campaigns.store.identity import Place
from campaigns.store.lines import Line
from campaigns.store.migrate import PATIENCE_S, is_ahead, is_behind, upgrade
from campaigns.store.outcomes import UncertainBatch
from campaigns.store.restores import Restored

__all__ = [
    "COLLISION",
    "MAY_HAVE_LEFT",
    "PATIENCE_S",
    "EpochRenewal",
    "Line",
    "Place",
    "Restored",
    "UncertainBatch",
    "accept_database",
    "change_line",
    "database_label",
    "is_ahead",
    "is_behind",
    "list_lines",
    "list_uncertain",
    "pull_line_soon",
    "read_place",
    "renew_epoch",
    "sync_line_settings",
    "unfinished_campaigns",
    "upgrade",
]

# ── the lines of the inbox ──


def list_lines(bind: Bind) -> list[Line]:
    """Read every line that is or was pulled, the disabled ones too."""
    return lines.listed(connection_of(bind))


@in_one_commit
def change_line(
    bind: Bind, line: str, *, every: timedelta | None, enabled: bool | None, otherwise: timedelta, now: datetime
) -> Line:
    """Change how often a line is pulled and whether it is, or add a line. What is None stays as it is.

    A new line without `every` is pulled every `otherwise`. INBOX_LINES says nothing about the line from then on.
    """
    return lines.change(writing_connection(bind), line, every=every, enabled=enabled, otherwise=otherwise, now=now)


@in_one_commit
def pull_line_soon(bind: Bind, line: str, *, now: datetime) -> None:
    """Make a line due at once, whatever its interval. Raises: NotFound."""
    lines.make_due(writing_connection(bind), line, now=now)


@in_one_commit
def sync_line_settings(bind: Bind, wanted: Mapping[str, timedelta], *, now: datetime) -> None:
    """Pull the lines of the settings, each at its interval; a line that a person has changed stays as it is."""
    lines.sync_settings(writing_connection(bind), wanted, now=now)


# ── what only a person can decide ──


def list_uncertain(bind: Bind, *, campaign_id: int | None = None) -> Sequence[UncertainBatch]:
    """Read the batches with uncertain messages, of one campaign or of all."""
    return outcomes.uncertain_batches(connection_of(bind), campaign_id=campaign_id)


@in_one_commit
def read_place(bind: Bind) -> Place:
    """Read where the database is, compared with where it last was: at home, restored or copied, failed over, …"""
    return identity.read_place(connection_of(bind))


def database_label(bind: Bind) -> str:
    """The database's name, and a few digits that tell it from one of the same name on another server."""
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

    What the gateway has keeps its ids. It commits page by page; ended half-way, it can be run again.
    """
    epoch = epochs.renew_epoch(database, now=database.now())
    moved = 0
    while page := epochs.reissue_ids(database):
        moved += page
    return EpochRenewal(epoch, moved)
