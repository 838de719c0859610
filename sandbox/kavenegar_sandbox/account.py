"""One customer's account at the gateway: its key, clock, knobs, credit, ledger, inbox and block lists.

Every change is written to the journal before it is applied. Replaying the journal rebuilds the account.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from secrets import randbits

from kavenegar_sandbox import blocklists, inbox
from kavenegar_sandbox.blocklists import Blocklists
from kavenegar_sandbox.counters import Counters
from kavenegar_sandbox.inbox import Inbox
from kavenegar_sandbox.journal import BadJournal, Event, Journal, fold_columns, unfold_columns
from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.ledger import SMS, Accepted, Ledger
from kavenegar_sandbox.outcomes import OUTCOMES, WITHDRAWN, OutcomeModel, status_at
from kavenegar_sandbox.protocol import AT_TELECOM_TOO, UNKNOWN

_REFUNDED = frozenset(place for place, outcome in enumerate(OUTCOMES) if outcome.refunds) | {WITHDRAWN}


class Clock:
    """The time of the gateway in Unix seconds: the wall clock plus the seconds it was advanced. It never goes back."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now(self) -> float:
        """Return the gateway's time, in Unix seconds."""
        return time.time() + self.ahead_s

    def advance(self, seconds: float) -> None:
        """Advance the clock by this many seconds."""
        self.ahead_s += seconds


class Credit:
    """The credit of the account in rial. Refunds are booked when they fall due by the clock, at the next reading."""

    def __init__(self, credit_rial: int) -> None:
        self.granted_rial = credit_rial
        self.charged_rial = 0
        self._refunded_rial = 0
        self._expected: list[tuple[float, int, int]] = []  # a heap of (due in Unix seconds, row, cost in rial)
        self._withdrawn: set[int] = set()  # rows refunded before their expected refund fell due

    def balance(self, now: float) -> int:
        """Return the credit at `now`, in rial."""
        return self.granted_rial - self.charged_rial + self.refunded(now)

    def refunded(self, now: float) -> int:
        """Return the sum of all refunds due by `now`, in rial."""
        while self._expected and self._expected[0][0] <= now:
            _, row, cost_rial = heappop(self._expected)
            if row not in self._withdrawn:
                self._refunded_rial += cost_rial
        return self._refunded_rial

    def charge(self, cost_rial: int) -> None:
        """Subtract the cost of accepted messages."""
        self.charged_rial += cost_rial

    def expect_refund(self, due: float, row: int, cost_rial: int) -> None:
        """Refund this cost of a ledger row when its outcome falls due (Unix seconds)."""
        heappush(self._expected, (due, row, cost_rial))

    def refund(self, row: int, cost_rial: int) -> None:
        """Refund the cost of a ledger row at once. Its expected refund is not booked a second time."""
        self._withdrawn.add(row)
        self._refunded_rial += cost_rial

    def set_balance(self, credit_rial: int, now: float) -> None:
        """Grant or withdraw as much as makes the balance at `now` this many rial."""
        self.granted_rial += credit_rial - self.balance(now)


class Account:
    """The state that the methods work on. Only one thread changes it, so each call sees a consistent account."""

    def __init__(self, api_key: str, knobs: Knobs, credit_rial: int, journal: Journal, *, number: int = 1) -> None:
        self.api_key = api_key
        self.number = number
        self.clock = Clock()
        self.counters = Counters()
        self.credit = Credit(credit_rial)
        self._journal = journal
        self._configured: dict[str, object] = {}
        self._set_knobs(knobs)
        events = journal.events()
        salt = self._read_salt(events)
        self.ledger, self.inbox, self.blocklists = Ledger(salt), Inbox(salt, journal), Blocklists(journal)
        for event in events:
            self._replay(event)

    def turn_knobs(self, knobs: Knobs) -> None:
        """Use new knobs from now on; messages already accepted keep their outcome.

        Knobs of the admin API are forgotten at a restart, except where they override a setting that the customer
        configured through account/config: the journal remembers that.
        """
        before = self.knobs
        overridden = {name: new for name in self._configured if (new := getattr(knobs, name)) != getattr(before, name)}
        if overridden:
            self._journal.write({"event": "configured", "knobs": overridden})
        self._set_knobs(knobs)

    def configure(self, changes: Mapping[str, object]) -> None:
        """Change knobs on behalf of the customer (account/config). The journal remembers them. Raises BadKnob."""
        turned = self.knobs.turned(changes)
        self._journal.write({"event": "configured", "knobs": changes})
        self._configured.update(changes)
        self._set_knobs(turned)

    def accept(self, new: Accepted) -> None:
        """Add new messages to the ledger and charge their cost."""
        if self._journal.enabled:
            self._journal.write({"event": "accepted", **fold_columns(new)})
        self._record_accepted(new)

    def cancel(self, rows: Sequence[int]) -> None:
        """Cancel messages that have not started (ledger rows), and refund their cost."""
        if rows:
            self._journal.write({"event": "cancelled", "rows": rows})
            self._withdraw(rows)

    def set_credit(self, credit_rial: int) -> None:
        """Set the credit, in rial."""
        self.credit.set_balance(credit_rial, self.clock.now())
        self._journal.write({"event": "granted", "rial": self.credit.granted_rial})

    def advance(self, seconds: float) -> None:
        """Advance the clock by this many seconds."""
        self._journal.write({"event": "advanced", "seconds": seconds})
        self.clock.advance(seconds)

    def status(self, row: int, now: float) -> int:
        """Return the status of a message as sms/status shows it: 100 after the window of `status_window_s`."""
        age_s = now - self.ledger.starts_at[row]
        return UNKNOWN if age_s > self.knobs.status_window_s else self.true_status(row, now)

    def true_status(self, row: int, now: float) -> int:
        """Return the status of a message, whatever its age."""
        ledger, knobs = self.ledger, self.knobs
        return status_at(
            ledger.outcomes[row],
            ledger.delays_s[row],
            now - ledger.starts_at[row],
            handover_s=knobs.handover_s,
            initial=knobs.initial_status if ledger.options(row).kind == SMS else AT_TELECOM_TOO,
        )

    def _read_salt(self, events: Iterator[Event]) -> int:
        """Return the salt for message ids: from the first event of the journal, or a new random one."""
        opened = next(events, None)
        if opened is None:
            opened = {"event": "opened", "salt": randbits(44)}
            self._journal.write(opened)
        return int(opened["salt"])

    def _set_knobs(self, knobs: Knobs) -> None:
        self.knobs = knobs
        self.outcome_model = OutcomeModel(knobs.seed, knobs.drawn_outcomes, knobs.delivery_s)

    def _record_accepted(self, new: Accepted) -> None:
        rows = self.ledger.add(new)
        self.credit.charge(sum(new.costs_rial))
        for row, outcome, delay_s, cost_rial in zip(rows, new.outcomes, new.delays_s, new.costs_rial, strict=True):
            if outcome in _REFUNDED:
                self.credit.expect_refund(new.starts_at + delay_s, row, cost_rial)

    def _withdraw(self, rows: Iterable[int]) -> None:
        for row in rows:
            self.ledger.withdraw(row)
            self.credit.refund(row, self.ledger.costs_rial[row])

    def _replay(self, event: Event) -> None:
        match event["event"]:
            case "accepted":
                self._record_accepted(unfold_columns(event))
            case "cancelled":
                self._withdraw(event["rows"])
            case "configured":
                self._configured.update(event["knobs"])
                self._set_knobs(self.knobs.turned(event["knobs"]))
            case "granted":
                self.credit.granted_rial = event["rial"]
            case "advanced":
                self.clock.advance(event["seconds"])
            case listening if listening in inbox.EVENTS:
                self.inbox.replay(event)
            case blocking if blocking in blocklists.EVENTS:
                self.blocklists.replay(event)
            case unknown:
                raise BadJournal(f"the journal holds an event {unknown!r}, which this sandbox does not know")
