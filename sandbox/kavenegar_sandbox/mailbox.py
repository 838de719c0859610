"""The inbound messages of one line, in columns, with an index of the read and one of the unread messages by date."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from kavenegar_sandbox.columns import TextBlock

_ROW_BITS = 32  # bits of a sort key that hold the row, below the date


@dataclass(frozen=True, slots=True)
class InboundMessages:
    """New inbound messages to one line, in columns of equal length. Dates are Unix seconds."""

    line: str
    senders: Sequence[str]
    texts: Sequence[str]
    dates: Sequence[int]


class Mailbox:
    """The inbound messages of one line. A message is a row of about 60 bytes, and its text."""

    def __init__(self) -> None:
        self.messageids = array("q")
        self.dates = array("q")
        self.is_read = bytearray()
        self.return_counts = array("I")  # how many answers each message was in, lost ones included
        self.unread, self.read = DateIndex(self._sort_key), DateIndex(self._sort_key)
        self._sender_refs, self._text_refs = array("Q"), array("Q")
        self._senders, self._texts = TextBlock(), TextBlock()

    def __len__(self) -> int:
        return len(self.messageids)

    def add(self, new: InboundMessages, messageids: Iterable[int]) -> range:
        """Add new messages, all unread. Returns their rows."""
        first = len(self)
        self.messageids.extend(messageids)
        self.dates.extend(new.dates)
        self.is_read.extend(bytes(len(new.dates)))
        self.return_counts.extend([0] * len(new.dates))
        self._sender_refs.extend(map(self._senders.add, new.senders))
        self._text_refs.extend(map(self._texts.add, new.texts))
        rows = range(first, len(self))
        self.unread.add(rows)
        return rows

    def index(self, *, read: bool) -> DateIndex:
        """Return the index of the read or of the unread messages."""
        return self.read if read else self.unread

    def mark_read(self, rows: Sequence[int]) -> None:
        """Mark unread rows as read."""
        self.unread.remove(rows)
        self.read.add(rows)
        for row in rows:
            self.is_read[row] = 1

    def count_returned(self, rows: Iterable[int]) -> None:
        """Count that these rows were in one more answer."""
        for row in rows:
            self.return_counts[row] += 1

    def sender(self, row: int) -> str:
        """Return the number that a message came from."""
        return self._senders.text(self._sender_refs[row])

    def text(self, row: int) -> str:
        """Return the text of a message."""
        return self._texts.text(self._text_refs[row])

    def raw_text(self, row: int) -> bytes:
        """Return the text of a message, in UTF-8."""
        return self._texts.raw(self._text_refs[row])

    def _sort_key(self, row: int) -> int:
        """Return a number that orders rows by date, and rows of one second by arrival."""
        return self.dates[row] << _ROW_BITS | row


class DateIndex:
    """Rows of a mailbox by date, sorted at the next reading."""

    def __init__(self, sort_key: Callable[[int], int]) -> None:
        self._sort_key = sort_key
        self._rows = array("q")
        self._sorted = True

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, rows: Iterable[int]) -> None:
        """Add rows."""
        self._rows.extend(rows)
        self._sorted = False

    def remove(self, rows: Sequence[int]) -> None:
        """Remove rows. Cheap when they are close to each other."""
        if not rows:
            return
        ordered, sort_keys = self._sorted_rows(), [self._sort_key(row) for row in rows]
        low, high = self._position(min(sort_keys)), self._position(max(sort_keys))
        removed = set(rows)
        ordered[low : high + 1] = array("q", (row for row in ordered[low : high + 1] if row not in removed))

    def between(self, start: int, end: int) -> tuple[int, int]:
        """Return the positions of the messages from `start` to `end` (both included): first, and one past the last."""
        return self._position(start << _ROW_BITS), self._position((end + 1) << _ROW_BITS)

    def count(self, start: int, end: int) -> int:
        """Return how many messages are dated from second `start` to second `end`, both included."""
        low, high = self.between(start, end)
        return high - low

    def page(self, bounds: tuple[int, int], skip: int, size: int, *, newest: bool) -> list[int]:
        """At most `size` rows within the bounds after the first `skip`, from the newest or from the oldest on."""
        (low, high), ordered = bounds, self._sorted_rows()
        if newest:
            return list(ordered[max(low, high - skip - size) : max(low, high - skip)])[::-1]
        return list(ordered[min(high, low + skip) : min(high, low + skip + size)])

    def _position(self, sort_key: int) -> int:
        return bisect_left(self._sorted_rows(), sort_key, key=self._sort_key)

    def _sorted_rows(self) -> array[int]:
        if not self._sorted:
            self._rows = array("q", sorted(self._rows, key=self._sort_key))
            self._sorted = True
        return self._rows
