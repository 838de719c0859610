"""What every stage needs to work: the database, the gateway behind the shared pace, and the time limits.

A process builds its `Context` once, out of the parts that are named here: see `worker.wiring`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from campaigns.kavenegar.client import DEADLINE_S, Client, key_label
from campaigns.kavenegar.pace import Throttle, connect_redis
from campaigns.kavenegar.paced_client import PacedClient
from campaigns.rules import batches, suppression
from campaigns.rules.batches import AGES, next_poll, reduce_polls
from campaigns.store import in_one_commit
from campaigns.store.database import Database, make_engine

__all__ = [
    "Client",
    "Context",
    "Database",
    "PacedClient",
    "Policy",
    "Throttle",
    "connect_redis",
    "in_one_commit",
    "key_label",
    "make_engine",
]


@dataclass(frozen=True, slots=True)
class Policy:
    """The times and options that the stages keep to. The defaults stand here alone: `worker.settings` takes them."""

    lease: timedelta = timedelta(seconds=120)  # longer than a request may last, waits and retries included
    deadline: timedelta = timedelta(seconds=DEADLINE_S)  # how long one request may last
    unknown_grace: timedelta = timedelta(seconds=90)  # longer than the gateway may still act on an aborted request
    localid_window: timedelta = batches.LOCALID_WINDOW
    status_window: timedelta = batches.STATUS_WINDOW
    status_polls: Sequence[timedelta] = AGES
    reenqueue_after: timedelta = timedelta(seconds=10)  # a task that nobody took by then is taken for lost
    enqueue_horizon: timedelta = timedelta(seconds=3)  # how far ahead of the pace tasks are enqueued
    closing_margin: timedelta = timedelta(minutes=15)  # polls of windows that end so soon go ahead of all but otp
    hold_recheck: timedelta = timedelta(seconds=60)  # between two looks at an account on hold
    account_watch: timedelta = timedelta(minutes=5)  # between two looks at the account's credit and settings
    credit_low_rial: int = 1_000_000  # a credit below this is warned about
    ledger_every: timedelta = timedelta(hours=1)  # between two counts of the last days
    opt_out_words: Sequence[str] = suppression.OPT_OUT_WORDS
    opt_out_anywhere: bool = False  # whether such a word counts within a sentence, too
    suppress_after: int = (
        suppression.UNREACHABLE_AFTER
    )  # verdicts in a row that did not reach a number; 0: it is never suppressed
    suppress_sync: timedelta = suppression.SYNC_EVERY  # between two looks at the gateway's block lists; 0: never
    inbox_pull_time: timedelta = timedelta(seconds=20)  # how long one worker pulls a line at most
    inbox_reconcile: timedelta = timedelta(hours=1)  # between two looks through a line's last two days
    inbox_lookback: timedelta = timedelta(days=60)  # how far back a loss is searched on a line never known complete
    deliver_inbound: bool = False  # whether inbound messages are delivered to the user's code
    account_shared: bool = False  # whether other software sends on the account
    select_allowed: bool = False  # whether the gateway lets our address read whole messages (sms/select)
    callbacks_expected: bool = False  # whether the gateway is told to call back
    trust_callbacks: bool = False  # a callback is a fact; else it is a reason to ask
    callback_batch_window: timedelta = timedelta(seconds=20)  # callbacks of this span are confirmed in one question
    callback_timeout: timedelta = timedelta(minutes=10)  # after this long without one, poll in full

    @property
    def reduced_polls(self) -> Sequence[timedelta]:
        """The ages at which a batch is asked about while callbacks bring the verdicts."""
        return reduce_polls(self.status_polls, window=self.status_window)

    @property
    def quiet_period(self) -> timedelta:
        """How long after the last claim that could be made a request of it may still act at the gateway."""
        return self.lease + self.unknown_grace

    def closing_before(self, now: datetime) -> datetime:
        """Return the end of the windows that close soon: within `closing_margin`, or a quarter of a short window."""
        return now + min(self.closing_margin, self.status_window / 4)


@dataclass(frozen=True, slots=True)
class Context:
    """One a process."""

    database: Database
    gateway: PacedClient
    pace: Throttle  # the one the gateway keeps to
    clock: Callable[[], datetime]  # the database's: leases of many machines compare only on one clock
    policy: Policy = field(default_factory=Policy)

    @property
    def account(self) -> str:
        """The label of the key that the gateway is called with; it does not show the key. See `store.accounts`."""
        return self.gateway.account

    def now(self) -> datetime:
        """The time, for everything that is due or leased."""
        return self.clock()

    def next_poll(
        self, accepted_at: datetime, now: datetime, closes_at: datetime, *, callbacks_active: bool = False
    ) -> datetime:
        """When a batch accepted (or leaving the gateway) at `accepted_at` is asked about next.

        `callbacks_active`: callbacks bring the verdicts, so less often.
        """
        ages = self.policy.reduced_polls if callbacks_active else self.policy.status_polls
        return next_poll(accepted_at, now, ages=ages, closes_at=closes_at)
