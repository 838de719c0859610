"""The context of every stage: the database, the gateway behind the shared pace, the clock, and the policy.

A process builds its `Context` once, from the parts that this module names: see `kavenegar_worker.wiring`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from kavenegar_campaigns.kavenegar.client import DEADLINE_S, Client, key_label
from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.kavenegar.paced_client import PacedClient
from kavenegar_campaigns.kavenegar.redis_client import connect_redis
from kavenegar_campaigns.rules import batches, suppression
from kavenegar_campaigns.rules.batches import AGES, next_poll, reduce_polls
from kavenegar_campaigns.store import in_one_commit
from kavenegar_campaigns.store.database import Database
from kavenegar_campaigns.store.engine import make_engine

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
    """The times and options of the stages. Only this class defines the defaults: `worker/settings` reads them."""

    lease: timedelta = timedelta(seconds=120)  # longer than a request can last, waits and retries included
    deadline: timedelta = timedelta(seconds=DEADLINE_S)  # how long one request may last
    unknown_grace: timedelta = timedelta(seconds=90)  # longer than the gateway may still act on an aborted request
    localid_window: timedelta = batches.LOCALID_WINDOW
    status_window: timedelta = batches.STATUS_WINDOW
    status_polls: Sequence[timedelta] = AGES
    reenqueue_after: timedelta = timedelta(seconds=10)  # a task that no worker took by then counts as lost
    enqueue_horizon: timedelta = timedelta(seconds=3)  # how far ahead of the pace tasks are enqueued
    closing_margin: timedelta = timedelta(minutes=15)  # polls of windows that end so soon go before all but otp
    hold_recheck: timedelta = timedelta(seconds=60)  # between two checks of an account on hold
    account_watch: timedelta = timedelta(minutes=5)  # between two checks of the account's credit and settings
    credit_low_rial: int = 1_000_000  # a credit below this causes a warning
    ledger_every: timedelta = timedelta(hours=1)  # between two counts of the last days
    opt_out_words: Sequence[str] = suppression.OPT_OUT_WORDS
    opt_out_anywhere: bool = False  # whether such a word counts within a sentence, too
    suppress_after: int = (
        suppression.UNREACHABLE_AFTER
    )  # verdicts in a row that did not reach a number; 0: it is never suppressed
    suppress_sync: timedelta = suppression.SYNC_EVERY  # between two syncs of the gateway's block lists; 0: never
    inbox_pull_time: timedelta = timedelta(seconds=20)  # the longest time that one worker pulls a line
    inbox_reconcile: timedelta = timedelta(hours=1)  # between two reconciles of a line's last two days
    inbox_lookback: timedelta = timedelta(days=60)  # how far back a line never known complete is reconciled
    deliver_inbound: bool = False  # whether inbound messages are delivered to your code
    account_shared: bool = False  # whether other software sends on the account
    select_allowed: bool = False  # whether the gateway lets our address read whole messages (sms/select)
    callbacks_expected: bool = False  # whether the gateway is set to send callbacks
    trust_callbacks: bool = False  # a callback is a fact; otherwise a reason to ask the gateway
    callback_batch_window: timedelta = timedelta(seconds=20)  # callbacks of this span are confirmed in one request
    callback_timeout: timedelta = timedelta(minutes=10)  # after this long without one, return to the full schedule

    @property
    def reduced_polls(self) -> Sequence[timedelta]:
        """Return the ages at which a batch is polled while callbacks bring the verdicts."""
        return reduce_polls(self.status_polls, window=self.status_window)

    @property
    def quiet_period(self) -> timedelta:
        """Return how long after the last possible claim its request may still act at the gateway."""
        return self.lease + self.unknown_grace

    def closing_before(self, now: datetime) -> datetime:
        """Return the end of the windows that close soon: within `closing_margin`, or a quarter of a short window."""
        return now + min(self.closing_margin, self.status_window / 4)


@dataclass(frozen=True, slots=True)
class Context:
    """The parts that the stages work with. Each process has one context."""

    database: Database
    gateway: PacedClient
    pace: Throttle  # the pace of `gateway`
    clock: Callable[[], datetime]  # the database's time: leases of many machines compare only on one clock
    policy: Policy = field(default_factory=Policy)

    @property
    def account(self) -> str:
        """Return the label of the gateway's API key; it does not show the key. See `store.identity`."""
        return self.gateway.account

    def now(self) -> datetime:
        """Return the time by which due times and leases are compared."""
        return self.clock()

    def next_poll(
        self, accepted_at: datetime, now: datetime, closes_at: datetime, *, callbacks_active: bool = False
    ) -> datetime:
        """Return the time of the next poll of a batch that was accepted at `accepted_at`, or leaves the gateway then.

        `callbacks_active`: callbacks bring the verdicts, so the reduced polling schedule applies.
        """
        ages = self.policy.reduced_polls if callbacks_active else self.policy.status_polls
        return next_poll(accepted_at, now, ages=ages, closes_at=closes_at)
