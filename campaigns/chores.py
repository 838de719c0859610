"""What comes round by the clock, whether or not there is work: looks at the account, and the ledger of its days.

A chore is claimed by putting its next time off, so that however many look, one does it. A claim that is lost with its
worker costs one round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Connection

from campaigns.house import House, Policy
from campaigns.store import blocklists, installation


@dataclass(frozen=True, slots=True)
class Chores:
    """Which chores it is time for."""

    watch: bool = False  # the account's credit and settings
    ledger: bool = False  # what left on the last days
    blocklists: Sequence[str] = ()  # of these lines; claimed by whoever synchronises them

    @property
    def summary(self) -> str:
        """What Flower shows."""
        return " ".join(chore.name for chore in fields(self) if getattr(self, chore.name)) or "quiet"


def due(house: House, *, now: datetime) -> Chores:
    """The chores whose time has come; each is the caller's alone, who rings for it."""
    return house.database(_claim, now=now, policy=house.policy)


def _claim(connection: Connection, *, now: datetime, policy: Policy) -> Chores:
    return Chores(
        watch=installation.claim_watch(connection, now=now, next_at=now + policy.watch),
        ledger=installation.claim_ledger(connection, now=now, next_at=now + policy.ledger_every),
        blocklists=blocklists.due(connection, now=now) if policy.suppress_sync else (),
    )
