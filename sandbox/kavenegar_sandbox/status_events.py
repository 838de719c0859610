"""The events that callbacks report: changes of a message's status, and inbound messages.

Both sources start at the present. Of a message under way only its next change is kept (about 50 bytes); of inbound
messages only how far they were reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import islice

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.outcomes import OUTCOMES, WITHDRAWN
from kavenegar_sandbox.protocol import CANCELLED

_SCANNED_AT_ONCE = 2000  # new messages a scan looks at
_A_MS = 0.001  # ages are rounded to half a millisecond; floats of the clock lose a little more


@dataclass(frozen=True, slots=True)
class StatusEvent:
    """A message has a new status."""

    row: int  # in the ledger
    status: int


@dataclass(frozen=True, slots=True)
class InboundEvent:
    """A message came in."""

    line: str
    row: int  # in the line's mailbox


class StatusEvents:
    """Each change of a message's status, once, from now on. The status in the answer to a send is not a change."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._since, self._already_there = account.clock.now(), len(account.ledger)
        self._seen, self._withdrawn = 0, len(account.ledger.withdrawals)
        self._next: list[int] = []  # a heap of numbers made by _packed

    def due(self, now: float, at_most: int) -> list[StatusEvent]:
        """Return the changes due by `now` (Unix seconds), in their order, at most `at_most`."""
        self._scan_new_messages(now)
        return list(islice(self._due_events(now), at_most))

    @property
    def expected(self) -> int:
        """Return how many messages have a change still to come."""
        return len(self._next)

    def _scan_new_messages(self, now: float) -> None:
        """Schedule the first change of messages added since the last scan, a limited number at a time."""
        ledger = self._account.ledger
        rows = range(self._seen, min(len(ledger), self._seen + _SCANNED_AT_ONCE))
        for row in rows:
            self._schedule_next(row, 0 if ledger.starts_at[row] > now else 1)
        self._seen = rows.stop

    def _due_events(self, now: float) -> Iterator[StatusEvent]:
        withdrawals, ledger = self._account.ledger.withdrawals, self._account.ledger
        while self._withdrawn < len(withdrawals):
            self._withdrawn += 1
            yield StatusEvent(withdrawals[self._withdrawn - 1], CANCELLED)
        while self._next and self._next[0] < _packed(int(now * 1000) + 1, 0, 0, 0):
            row, step, status = _unpacked(heappop(self._next))
            if ledger.outcomes[row] != WITHDRAWN:
                self._schedule_next(row, step + 1)
                yield StatusEvent(row, status)

    def _schedule_next(self, row: int, step: int) -> None:
        """Schedule the first change of a message from this step of its life on, if there is one."""
        account, start = self._account, self._account.ledger.starts_at[row]
        for place, age_ms in enumerate(self._ages_ms(row)[step:], start=step):
            at = start + age_ms / 1000
            before, after = (account.true_status(row, at + moment) for moment in (-_A_MS, _A_MS))
            if before != after and (row >= self._already_there or at > self._since):
                heappush(self._next, _packed(round(at * 1000), row, place, after))
                return

    def _ages_ms(self, row: int) -> list[int]:
        """Return the ages, in milliseconds, at which the status of a message may change."""
        ledger, knobs = self._account.ledger, self._account.knobs
        steps = (delays * ledger.delays_s[row] for delays, _ in OUTCOMES[ledger.outcomes[row]].steps)
        return sorted({round(age_s * 1000) for age_s in (0, knobs.handover_s, *steps)})


class InboundEvents:
    """Each inbound message from now on, once."""

    def __init__(self, account: Account) -> None:
        self._inbox = account.inbox
        self._seen = {line: len(mailbox) for line, mailbox in account.inbox.mailboxes.items()}

    def due(self, now: float, at_most: int) -> list[InboundEvent]:  # noqa: ARG002 - both sources have one interface
        """Return the messages not yet reported, at most `at_most`."""
        return list(islice(self._new_events(), at_most))

    @property
    def expected(self) -> int:
        """Always 0: no inbound message can be foreseen."""
        return 0

    def _new_events(self) -> Iterator[InboundEvent]:
        for line, mailbox in self._inbox.mailboxes.items():
            for row in range(self._seen.get(line, 0), len(mailbox)):
                self._seen[line] = row + 1
                yield InboundEvent(line, row)


def _packed(at_ms: int, row: int, step: int, status: int) -> int:
    """Return a future change in 92 bits: when, of which message, at which step, and its new status."""
    return ((at_ms << 40 | row) << 4 | step) << 7 | status


def _unpacked(change: int) -> tuple[int, int, int]:
    """Returns (row, step, status)."""
    return change >> 11 & (1 << 40) - 1, change >> 7 & 15, change & 127
