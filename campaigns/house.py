"""What every station needs to work: the database, the gateway behind the shared pace, and the times we keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from campaigns.kavenegar.gateway import Gateway
from campaigns.kavenegar.throttle import Throttle
from campaigns.rules.polling import next_poll
from campaigns.store.database import Database


@dataclass(frozen=True, slots=True)
class Policy:
    """The times we keep. Each is a setting; the defaults stand in `worker.settings`."""

    lease: timedelta = timedelta(seconds=120)  # longer than a request may last, waits and retries included
    deadline: timedelta = timedelta(seconds=30)  # how long one request may last
    settle: timedelta = timedelta(seconds=90)  # longer than the gateway may still act on an aborted request
    localid_window: timedelta = timedelta(hours=12)
    status_window: timedelta = timedelta(hours=48)
    status_polls: Sequence[timedelta] = (timedelta(minutes=5),)
    ring_again: timedelta = timedelta(seconds=10)  # a ring that nobody answered by then is a lost one
    horizon: timedelta = timedelta(seconds=3)  # how far ahead of the pace the dispatcher rings: a wait and a tick
    closing: timedelta = timedelta(minutes=15)  # polls of windows that end so soon go ahead of all but otp
    probe: timedelta = timedelta(seconds=60)  # between two looks at an account on hold
    may_select: bool = False  # whether the gateway lets our address read whole messages (sms/select)

    def closing_before(self, now: datetime) -> datetime:
        """Windows that end by then are about to close: within `closing`, or a quarter of a window that is short."""
        return now + min(self.closing, self.status_window / 4)


@dataclass(frozen=True, slots=True)
class House:
    """One a process. `owner` marks the claims of this process."""

    database: Database
    gateway: Gateway
    pace: Throttle  # the one the gateway keeps to
    clock: Callable[[], datetime]  # the database's: leases of many machines compare only on one clock
    policy: Policy = field(default_factory=Policy)
    owner: UUID = field(default_factory=uuid4)

    def now(self) -> datetime:
        """The time, for everything that is due or leased."""
        return self.clock()

    def next_poll(self, accepted_at: datetime, now: datetime, closes_at: datetime) -> datetime:
        """When a batch accepted (or leaving the gateway) at `accepted_at` is asked about next."""
        return next_poll(accepted_at, now, ages=self.policy.status_polls, closes_at=closes_at)
