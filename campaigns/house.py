"""What every station needs to work: the database, the gateway behind the shared pace, and the times we keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from campaigns.kavenegar.client import DEADLINE_S
from campaigns.kavenegar.gateway import Gateway
from campaigns.kavenegar.throttle import Throttle
from campaigns.rules import optout, suppression, windows
from campaigns.rules.polling import AGES, next_poll, thinned
from campaigns.store.database import Database


@dataclass(frozen=True, slots=True)
class Policy:
    """The times and options that the stages keep to. The defaults stand here alone: `worker.settings` takes them."""

    lease: timedelta = timedelta(seconds=120)  # longer than a request may last, waits and retries included
    deadline: timedelta = timedelta(seconds=DEADLINE_S)  # how long one request may last
    unknown_grace: timedelta = timedelta(seconds=90)  # longer than the gateway may still act on an aborted request
    localid_window: timedelta = windows.LOCALID_WINDOW
    status_window: timedelta = windows.STATUS_WINDOW
    status_polls: Sequence[timedelta] = AGES
    reenqueue_after: timedelta = timedelta(seconds=10)  # a ring that nobody answered by then is a lost one
    horizon: timedelta = timedelta(seconds=3)  # how far ahead of the pace the dispatcher rings: a wait and a tick
    closing_margin: timedelta = timedelta(minutes=15)  # polls of windows that end so soon go ahead of all but otp
    hold_recheck: timedelta = timedelta(seconds=60)  # between two looks at an account on hold
    watch: timedelta = timedelta(minutes=5)  # between two looks at the account's credit and settings
    credit_low_rial: int = 1_000_000  # a credit below this is told about
    ledger_every: timedelta = timedelta(hours=1)  # between two counts of the last days
    opt_out_words: Sequence[str] = optout.WORDS
    opt_out_anywhere: bool = False  # whether such a word counts within a sentence, too
    suppress_after: int = suppression.AFTER  # verdicts in a row that did not reach a number; 0: it is never suppressed
    suppress_sync: timedelta = timedelta(hours=1)  # between two looks at the gateway's block lists; 0: never
    inbox_turn: timedelta = timedelta(seconds=20)  # how long one worker pulls a line before others have their turn
    inbox_reconcile: timedelta = timedelta(hours=1)  # between two looks through a line's last two days
    inbox_lookback: timedelta = timedelta(days=60)  # how far back a loss is searched on a line never known complete
    hand_over: bool = False  # whether somebody is to be told of inbound messages
    account_shared: bool = False  # whether other software sends on the account
    select_allowed: bool = False  # whether the gateway lets our address read whole messages (sms/select)
    callbacks: bool = False  # whether the gateway may tell us by itself
    trust_callbacks: bool = False  # what it tells so is true; else it is a reason to ask
    callback_batch_window: timedelta = timedelta(seconds=20)  # callbacks of such a span are asked about together
    callback_timeout: timedelta = timedelta(minutes=10)  # callbacks that stay away for so long are not leaned on

    @property
    def polls_leaning(self) -> Sequence[timedelta]:
        """The ages at which a batch is asked about while callbacks bring the verdicts."""
        return thinned(self.status_polls, window=self.status_window)

    @property
    def quiet(self) -> timedelta:
        """How long after the last claim that could be made a request of it may still act at the gateway."""
        return self.lease + self.unknown_grace

    def closing_before(self, now: datetime) -> datetime:
        """Return the end of the windows that close soon: within `closing_margin`, or a quarter of a short window."""
        return now + min(self.closing_margin, self.status_window / 4)


@dataclass(frozen=True, slots=True)
class House:
    """One a process."""

    database: Database
    gateway: Gateway
    pace: Throttle  # the one the gateway keeps to
    clock: Callable[[], datetime]  # the database's: leases of many machines compare only on one clock
    policy: Policy = field(default_factory=Policy)

    @property
    def account(self) -> str:
        """The label of the key that the gateway is called with; it does not tell the key. See `store.accounts`."""
        return self.gateway.account

    def now(self) -> datetime:
        """The time, for everything that is due or leased."""
        return self.clock()

    def next_poll(
        self, accepted_at: datetime, now: datetime, closes_at: datetime, *, leaning: bool = False
    ) -> datetime:
        """When a batch accepted (or leaving the gateway) at `accepted_at` is asked about next.

        `leaning`: callbacks bring the verdicts, so less often.
        """
        ages = self.policy.polls_leaning if leaning else self.policy.status_polls
        return next_poll(accepted_at, now, ages=ages, closes_at=closes_at)
