"""The gateway's own time: the wall clock, and what somebody has put it forward.

The account's credit in rial: charged when messages are accepted, given back when their fate says so.

One customer's account at the gateway: its key, its knobs, its credit, and what it has sent.

Every change to it is an event in the journal first; replaying the events gives the same account again.
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


class Clock:
    """Unix seconds. It can be put forward, never back, so that 5 minutes or 48 hours pass in a test at once."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now(self) -> float:
        return time.time() + self.ahead_s

    def advance(self, seconds: float) -> None:
        self.ahead_s += seconds


class Credit:
    """Refunds fall due with the clock: they are counted when somebody looks."""

    def __init__(self, credit_rial: int) -> None:
        self.granted_rial = credit_rial
        self.charged_rial = 0
        self._refunded_rial = 0
        self._expected: list[tuple[float, int, int]] = []  # (due, row, cost), the earliest first
        self._withdrawn: set[int] = set()  # rows whose expected refund was paid early

    def balance(self, now: float) -> int:
        return self.granted_rial - self.charged_rial + self.refunded(now)

    def refunded(self, now: float) -> int:
        while self._expected and self._expected[0][0] <= now:
            _, row, cost_rial = heappop(self._expected)
            if row not in self._withdrawn:
                self._refunded_rial += cost_rial
        return self._refunded_rial

    def charge(self, cost_rial: int) -> None:
        self.charged_rial += cost_rial

    def expect_refund(self, due: float, row: int, cost_rial: int) -> None:
        heappush(self._expected, (due, row, cost_rial))

    def refund(self, row: int, cost_rial: int) -> None:
        """Give a row's cost back at once, and not a second time when its expected refund falls due."""
        self._withdrawn.add(row)
        self._refunded_rial += cost_rial

    def set_balance(self, credit_rial: int, now: float) -> None:
        self.granted_rial += credit_rial - self.balance(now)


_REFUNDED = frozenset(place for place, outcome in enumerate(OUTCOMES) if outcome.refunds) | {WITHDRAWN}


class Account:
    """Everything the methods work on. One thread, no waiting: each call sees the account whole."""

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
        """Knobs of the side door's choice, forgotten with the process; whatever they change of what the customer

        configured is the last word on it. Messages already accepted keep their fate; the rest holds from now on.
        """
        before = self.knobs
        overridden = {name: new for name in self._configured if (new := getattr(knobs, name)) != getattr(before, name)}
        if overridden:
            self._journal.write({"event": "configured", "knobs": overridden})
        self._set_knobs(knobs)

    def configure(self, changes: Mapping[str, object]) -> None:
        """Knobs the customer turns through account/config: a restart remembers them. Raises BadKnob."""
        turned = self.knobs.turned(changes)
        self._journal.write({"event": "configured", "knobs": changes})
        self._configured.update(changes)
        self._set_knobs(turned)

    def accept(self, new: Accepted) -> None:
        if self._journal.enabled:
            self._journal.write({"event": "accepted", **fold_columns(new)})
        self._record_accepted(new)

    def cancel(self, rows: Sequence[int]) -> None:
        if rows:
            self._journal.write({"event": "cancelled", "rows": rows})
            self._withdraw(rows)

    def set_credit(self, credit_rial: int) -> None:
        self.credit.set_balance(credit_rial, self.clock.now())
        self._journal.write({"event": "granted", "rial": self.credit.granted_rial})

    def advance(self, seconds: float) -> None:
        self._journal.write({"event": "advanced", "seconds": seconds})
        self.clock.advance(seconds)

    def status(self, row: int, now: float) -> int:
        """Where a message stands, for as long as `sms/status` would tell; 100 after the window."""
        age_s = now - self.ledger.starts_at[row]
        return UNKNOWN if age_s > self.knobs.status_window_s else self.true_status(row, now)

    def true_status(self, row: int, now: float) -> int:
        """Where a message stands, however old."""
        ledger, knobs = self.ledger, self.knobs
        return status_at(
            ledger.outcomes[row],
            ledger.delays_s[row],
            now - ledger.starts_at[row],
            handover_s=knobs.handover_s,
            initial=knobs.initial_status if ledger.options(row).kind == SMS else AT_TELECOM_TOO,
        )

    def _read_salt(self, events: Iterator[Event]) -> int:
        """What the message ids of this account are made with: its journal's first word, or a new one."""
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
                raise BadJournal(f"the journal tells of {unknown!r}, which this sandbox does not know")
