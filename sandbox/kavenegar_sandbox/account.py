"""One customer's account at the gateway: its key, its knobs, its credit, and what it has sent.

Every change to it is an event in the journal first; replaying the events gives the same account again.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from secrets import randbits
from typing import Any, TypeVar

from kavenegar_sandbox import blocklists, inbox
from kavenegar_sandbox.blocklists import Blocklists
from kavenegar_sandbox.clock import Clock
from kavenegar_sandbox.codes import AT_TELECOM_TOO, UNKNOWN
from kavenegar_sandbox.inbox import Inbox
from kavenegar_sandbox.journal import BadJournal, Event, Journal
from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.ledger import Accepted, Ledger
from kavenegar_sandbox.lifecycle import FATES, WITHDRAWN, Destiny, status_at
from kavenegar_sandbox.manner import SMS, Manner
from kavenegar_sandbox.purse import Purse
from kavenegar_sandbox.tally import Tally

_REFUNDED = frozenset(place for place, fate in enumerate(FATES) if fate.refunds) | {WITHDRAWN}
_REPEATING = ("texts", "senders", "manners")  # columns the journal holds each different value of once
T = TypeVar("T", bound=Hashable)


class Account:
    """Everything the methods work on. One thread, no waiting: each call sees the account whole."""

    def __init__(self, api_key: str, knobs: Knobs, credit_rial: int, journal: Journal, *, number: int = 1) -> None:
        self.api_key = api_key
        self.number = number
        self.clock = Clock()
        self.tally = Tally()
        self.purse = Purse(credit_rial)
        self._journal = journal
        self._configured: dict[str, object] = {}
        self._turn(knobs)
        events = journal.events()
        salt = self._salt(events)
        self.ledger, self.inbox, self.blocklists = Ledger(salt), Inbox(salt, journal), Blocklists(journal)
        for event in events:
            self._replay(event)

    def turn_knobs(self, knobs: Knobs) -> None:
        """Knobs of the side door's choice, forgotten with the process; whatever they change of what the customer

        configured is the last word on it. Messages already accepted keep their fate; the rest holds from now on.
        """
        before = self.knobs
        overruled = {name: new for name in self._configured if (new := getattr(knobs, name)) != getattr(before, name)}
        if overruled:
            self._journal.write({"event": "configured", "knobs": overruled})
        self._turn(knobs)

    def configure(self, changes: Mapping[str, object]) -> None:
        """Knobs the customer turns through account/config: a restart remembers them. Raises BadKnob."""
        turned = self.knobs.turned(changes)
        self._journal.write({"event": "configured", "knobs": changes})
        self._configured.update(changes)
        self._turn(turned)

    def accept(self, new: Accepted) -> None:
        if self._journal.keeps:
            self._journal.write({"event": "accepted", **_folded(new)})
        self._book(new)

    def cancel(self, rows: Sequence[int]) -> None:
        if rows:
            self._journal.write({"event": "cancelled", "rows": rows})
            self._withdraw(rows)

    def set_credit(self, credit_rial: int) -> None:
        self.purse.set_balance(credit_rial, self.clock.now())
        self._journal.write({"event": "granted", "rial": self.purse.granted_rial})

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
            ledger.fates[row],
            ledger.delays_s[row],
            now - ledger.starts_at[row],
            handover_s=knobs.handover_s,
            initial=knobs.initial_status if ledger.manner(row).kind == SMS else AT_TELECOM_TOO,
        )

    def _salt(self, events: Iterator[Event]) -> int:
        """What the message ids of this account are made with: its journal's first word, or a new one."""
        opened = next(events, None)
        if opened is None:
            opened = {"event": "opened", "salt": randbits(44)}
            self._journal.write(opened)
        return int(opened["salt"])

    def _turn(self, knobs: Knobs) -> None:
        self.knobs = knobs
        self.destiny = Destiny(knobs.seed, knobs.drawn_fates, knobs.delivery_s)

    def _book(self, new: Accepted) -> None:
        rows = self.ledger.add(new)
        self.purse.charge(sum(new.costs_rial))
        for row, fate, delay_s, cost_rial in zip(rows, new.fates, new.delays_s, new.costs_rial, strict=True):
            if fate in _REFUNDED:
                self.purse.expect_refund(new.starts_at + delay_s, row, cost_rial)

    def _withdraw(self, rows: Iterable[int]) -> None:
        for row in rows:
            self.ledger.withdraw(row)
            self.purse.refund(row, self.ledger.costs_rial[row])

    def _replay(self, event: Event) -> None:
        match event["event"]:
            case "accepted":
                self._book(_unfolded(event))
            case "cancelled":
                self._withdraw(event["rows"])
            case "configured":
                self._configured.update(event["knobs"])
                self._turn(self.knobs.turned(event["knobs"]))
            case "granted":
                self.purse.granted_rial = event["rial"]
            case "advanced":
                self.clock.advance(event["seconds"])
            case listening if listening in inbox.EVENTS:
                self.inbox.replay(event)
            case blocking if blocking in blocklists.EVENTS:
                self.blocklists.replay(event)
            case unknown:
                raise BadJournal(f"the journal tells of {unknown!r}, which this sandbox does not know")


def _folded(new: Accepted) -> dict[str, Any]:
    """Columns as they go to the journal: a text or a line that repeats is written once."""
    columns = {name: getattr(new, name) for name in Accepted.__slots__}
    return {**columns, **{name: _distinct(columns[name]) for name in _REPEATING}}


def _unfolded(event: Event) -> Accepted:
    told = {"manners": ([{}], [0] * len(event["receptors"])), **event}  # older journals know of one manner only
    columns: dict[str, Any] = {name: told[name] for name in Accepted.__slots__}
    different, at = told["manners"]
    return Accepted(
        **{
            **columns,
            "texts": _spread(*told["texts"]),
            "senders": _spread(*told["senders"]),
            "manners": _spread([Manner(**each) for each in different], at),
        }
    )


def _distinct(values: Sequence[T]) -> tuple[list[T], list[int]]:
    """The different values, and for each value its place among them."""
    places: dict[T, int] = {}
    at = [places.setdefault(value, len(places)) for value in values]
    return list(places), at


def _spread(distinct: list[T], at: list[int]) -> list[T]:
    return [distinct[place] for place in at]
