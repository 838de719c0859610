"""How a message goes out, beyond its text: what a request says of it, and the ledger and the listings show.

Source: kavenegar-rest, sms/send (type, hide, tag, policy), verify/lookup (type), call/maketts (repeat), table 3.

What was really sent: every accepted message, in columns, so that a million of them fit into little memory.

A message is a row: a place in arrays of plain numbers (44 bytes), its text in a shared block, and its localid in
an index. Nothing is ever taken out. Message ids are rows in disguise: a permutation with a salt, so that they look
as the service's do (wide, not in order) and those of another sandbox mean nothing here.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kavenegar_sandbox.columns import Localid, LocalidColumn, TextBlock
from kavenegar_sandbox.outcomes import OUTCOMES, WITHDRAWN

SMS, OTP, CALL = "sms", "otp", "call"  # sms/send and sms/sendarray, verify/lookup, call/maketts
NORMAL_DISPLAY = 1


@dataclass(frozen=True, slots=True)
class MessageOptions:
    """The same for many messages, so that the ledger stores each different one once."""

    kind: str = SMS
    voice: bool = False  # spoken: every call, and a one-time password by telephone
    hidden: bool = False  # its receptor is kept out of listings
    tag: str = ""
    policy: str = ""  # the flow of sending made in the panel
    display: int = NORMAL_DISPLAY
    repeat: int = 0  # how often a call that is not answered is made again


_BITS = 44
_SPAN = 1 << _BITS
_LOWEST = 1_000_000_000
_FACTOR = 0x5851F42D4C9  # odd, hence invertible
_INVERSE = pow(_FACTOR, -1, _SPAN)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The new messages of one request, in columns of equal length."""

    starts_at: float  # when they set out: now, or the date asked for (Unix seconds)
    localids: Sequence[Localid | None]
    receptors: Sequence[int]
    senders: Sequence[str]
    texts: Sequence[str]
    options: Sequence[MessageOptions]
    parts: Sequence[int]
    costs_rial: Sequence[int]
    outcomes: Sequence[int]
    delays_s: Sequence[float]


@dataclass(frozen=True, slots=True)
class Message:
    """One row, read back."""

    row: int
    messageid: int
    localid: Localid | None
    receptor: int
    sender: str
    options: MessageOptions
    starts_at: float
    parts: int
    cost_rial: int
    outcome: str
    verdict_at: float | None  # None for a message that never gets one


class Ledger:
    """The rows of one account. `salt` makes the message ids its own."""

    def __init__(self, salt: int) -> None:
        self.localids = LocalidColumn()
        self.texts = TextBlock()
        self.receptors = array("q")
        self.starts_at = array("d")
        self.parts = array("B")
        self.costs_rial = array("I")
        self.outcomes = array("B")
        self.delays_s = array("f")
        self.withdrawals = array("Q")  # rows that never set out, as they were taken back
        self.kinds: Counter[str] = Counter()
        self._text_refs = array("Q")
        self._senders = array("H")
        self._distinct_senders: list[str] = []
        self._option_refs = array("I")
        self._distinct_options: list[MessageOptions] = []
        self._option_refs_by_value: dict[MessageOptions, int] = {}
        self._shift = salt % _SPAN

    def __len__(self) -> int:
        return len(self.receptors)

    def add(self, new: Accepted) -> range:
        """Take the messages of one request in; their rows come back."""
        first = len(self)
        self.localids.append(new.localids)
        self.receptors.extend(new.receptors)
        self.starts_at.extend([new.starts_at] * len(new.receptors))
        self.parts.extend(new.parts)
        self.costs_rial.extend(new.costs_rial)
        self.outcomes.extend(new.outcomes)
        self.delays_s.extend(new.delays_s)
        self._text_refs.extend(map(self.texts.add, new.texts))
        self._senders.extend(map(self._sender_ref, new.senders))
        self._option_refs.extend(map(self._option_ref, new.options))
        self.kinds.update(options.kind for options in new.options)
        return range(first, len(self))

    def withdraw(self, row: int) -> None:
        """The message never sets out: it is cancelled from now on."""
        self.outcomes[row] = WITHDRAWN
        self.withdrawals.append(row)

    def messageid(self, row: int) -> int:
        return _LOWEST + (row * _FACTOR + self._shift) % _SPAN

    def row(self, messageid: int) -> int | None:
        """The row behind a message id, None when this ledger never gave it out."""
        offset = messageid - _LOWEST
        if not 0 <= offset < _SPAN:
            return None
        row = (offset - self._shift) * _INVERSE % _SPAN
        return row if row < len(self) else None

    def rows_to(self, receptor: int) -> Iterator[int]:
        """Every message to this number, the oldest first: one pass over all numbers, at the speed of C."""
        row = -1
        try:
            while True:
                row = self.receptors.index(receptor, row + 1)
                yield row
        except ValueError:  # no more of them
            return

    def sender(self, row: int) -> str:
        return self._distinct_senders[self._senders[row]]

    def options(self, row: int) -> MessageOptions:
        return self._distinct_options[self._option_refs[row]]

    def text(self, row: int) -> str:
        return self.texts.text(self._text_refs[row])

    def raw_text(self, row: int) -> bytes:
        return self.texts.raw(self._text_refs[row])

    def message(self, row: int) -> Message:
        outcome = OUTCOMES[self.outcomes[row]]
        last_step = outcome.steps[-1][0] if outcome.steps else None
        return Message(
            row=row,
            messageid=self.messageid(row),
            localid=self.localids[row],
            receptor=self.receptors[row],
            sender=self.sender(row),
            options=self.options(row),
            starts_at=self.starts_at[row],
            parts=self.parts[row],
            cost_rial=self.costs_rial[row],
            outcome=outcome.name,
            verdict_at=None if last_step is None else self.starts_at[row] + last_step * self.delays_s[row],
        )

    def _sender_ref(self, sender: str) -> int:
        if sender not in self._distinct_senders:
            self._distinct_senders.append(sender)
        return self._distinct_senders.index(sender)

    def _option_ref(self, options: MessageOptions) -> int:
        """Where a manner stands among the different ones."""
        place = self._option_refs_by_value.setdefault(options, len(self._distinct_options))
        if place == len(self._distinct_options):
            self._distinct_options.append(options)
        return place
