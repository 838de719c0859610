"""One customer's account at the gateway: its key, its knobs, its credit, and what it has sent.

Every change to it is an event in the journal first; replaying the events gives the same account again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from secrets import randbits
from typing import Any

from worker.sandbox.clock import Clock
from worker.sandbox.codes import UNKNOWN
from worker.sandbox.journal import BadJournal, Event, Journal
from worker.sandbox.knobs import Knobs
from worker.sandbox.ledger import Accepted, Ledger
from worker.sandbox.lifecycle import FATES, WITHDRAWN, Destiny, status_at
from worker.sandbox.purse import Purse
from worker.sandbox.tally import Tally

_REFUNDED = frozenset(place for place, fate in enumerate(FATES) if fate.refunds) | {WITHDRAWN}


class Account:
    """Everything the methods work on. One thread, no waiting: each call sees the account whole."""

    def __init__(self, api_key: str, knobs: Knobs, credit_rial: int, journal: Journal) -> None:
        self.api_key = api_key
        self.clock = Clock()
        self.tally = Tally()
        self.purse = Purse(credit_rial)
        self._journal = journal
        self.turn_knobs(knobs)
        events = journal.events()
        self.ledger = Ledger(self._salt(events))
        for event in events:
            self._replay(event)

    def turn_knobs(self, knobs: Knobs) -> None:
        """Messages already accepted keep their fate; windows, limits and the rest hold from now on."""
        self.knobs = knobs
        self.destiny = Destiny(knobs.seed, knobs.fates, knobs.delivery_s)

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
            initial=knobs.initial_status,
        )

    def _salt(self, events: Iterator[Event]) -> int:
        """What the message ids of this account are made with: its journal's first word, or a new one."""
        opened = next(events, None)
        if opened is None:
            opened = {"event": "opened", "salt": randbits(44)}
            self._journal.write(opened)
        return int(opened["salt"])

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
            case "granted":
                self.purse.granted_rial = event["rial"]
            case "advanced":
                self.clock.advance(event["seconds"])
            case unknown:
                raise BadJournal(f"the journal tells of {unknown!r}, which this sandbox does not know")


def _folded(new: Accepted) -> dict[str, Any]:
    """Columns as they go to the journal: a text or a line that repeats is written once."""
    columns = {name: getattr(new, name) for name in Accepted.__slots__}
    return {**columns, "texts": _distinct(new.texts), "senders": _distinct(new.senders)}


def _unfolded(event: Event) -> Accepted:
    columns = {name: event[name] for name in Accepted.__slots__}
    accepted = Accepted(**columns)
    return replace(accepted, texts=_spread(*event["texts"]), senders=_spread(*event["senders"]))


def _distinct(values: Sequence[str]) -> tuple[list[str], list[int]]:
    """The different values, and for each value its place among them."""
    places: dict[str, int] = {}
    at = [places.setdefault(value, len(places)) for value in values]
    return list(places), at


def _spread(distinct: list[str], at: list[int]) -> list[str]:
    return [distinct[place] for place in at]
