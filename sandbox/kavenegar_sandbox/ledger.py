"""The ledger: every accepted message, in columns, so that a million messages fit into little memory.

A message is a row: entries in arrays of numbers (44 bytes), its text in a shared block, its localid in an index. Rows
are never removed. A message id is a permutation of the row number with a salt: ids are wide and unordered like those of
the service, and an id of another sandbox is unknown here.
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
_BITS = 44
_SPAN = 1 << _BITS
_LOWEST = 1_000_000_000
_FACTOR = 0x5851F42D4C9  # odd, so it has an inverse
_INVERSE = pow(_FACTOR, -1, _SPAN)


@dataclass(frozen=True, slots=True)
class MessageOptions:
    """How a message is sent, beyond its text. The ledger stores each distinct value once.

    Source: kavenegar-rest, sms/send (type, hide, tag, policy), verify/lookup (type), call/maketts (repeat), table 3.
    """

    kind: str = SMS
    voice: bool = False  # a voice call: every call, and some one-time passwords
    hidden: bool = False  # the receptor is masked in lists, or the message omitted
    tag: str = ""
    policy: str = ""  # the sending policy defined in the panel
    display: int = NORMAL_DISPLAY
    repeat: int = 0  # how often an unanswered call is repeated


@dataclass(frozen=True, slots=True)
class Accepted:
    """The new messages of one request, in columns of equal length."""

    starts_at: float  # Unix seconds: now, or the requested date
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
    """One ledger row, read back."""

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
    verdict_at: float | None  # Unix seconds; None for an outcome without a final status


class Ledger:
    """The rows of one account. `salt` makes its message ids different from those of other accounts."""

    def __init__(self, salt: int) -> None:
        self.localids = LocalidColumn()
        self.texts = TextBlock()
        self.receptors = array("q")
        self.starts_at = array("d")
        self.parts = array("B")
        self.costs_rial = array("I")
        self.outcomes = array("B")
        self.delays_s = array("f")
        self.withdrawals = array("Q")  # rows cancelled before their start, in that order
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
        """Add the messages of one request. Returns their rows."""
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
        """Mark a message cancelled: it is never sent."""
        self.outcomes[row] = WITHDRAWN
        self.withdrawals.append(row)

    def messageid(self, row: int) -> int:
        """Return the message id of a row."""
        return _LOWEST + (row * _FACTOR + self._shift) % _SPAN

    def row(self, messageid: int) -> int | None:
        """Return the row of a message id, or None when this ledger never issued the id."""
        offset = messageid - _LOWEST
        if not 0 <= offset < _SPAN:
            return None
        row = (offset - self._shift) * _INVERSE % _SPAN
        return row if row < len(self) else None

    def rows_to(self, receptor: int) -> Iterator[int]:
        """Yield the rows of all messages to a receptor, the oldest first. Scans the whole column, at the speed of C."""
        row = -1
        try:
            while True:
                row = self.receptors.index(receptor, row + 1)
                yield row
        except ValueError:  # no further message
            return

    def sender(self, row: int) -> str:
        """Return the line that a message was sent from."""
        return self._distinct_senders[self._senders[row]]

    def options(self, row: int) -> MessageOptions:
        """Return the options of a message."""
        return self._distinct_options[self._option_refs[row]]

    def text(self, row: int) -> str:
        """Return the text of a message."""
        return self.texts.text(self._text_refs[row])

    def raw_text(self, row: int) -> bytes:
        """Return the text of a message, in UTF-8."""
        return self.texts.raw(self._text_refs[row])

    def message(self, row: int) -> Message:
        """One message with all its fields."""
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
        """Return the index of these options among the distinct ones."""
        place = self._option_refs_by_value.setdefault(options, len(self._distinct_options))
        if place == len(self._distinct_options):
            self._distinct_options.append(options)
        return place
