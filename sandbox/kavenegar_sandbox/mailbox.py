"""What came in on one line, in columns, with its read and its unread messages each in the order of their dates."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from kavenegar_sandbox.columns import TextBlock

_ROW_BITS = 32  # bits of a place in time that hold the row, below its date


@dataclass(frozen=True, slots=True)
class InboundMessages:
    """New messages to one line, in columns of equal length; dates in Unix seconds."""

    line: str
    senders: Sequence[str]
    texts: Sequence[str]
    dates: Sequence[int]


class Mailbox:
    """A message is a row: about 60 bytes, and its text."""

    def __init__(self) -> None:
        self.messageids = array("q")
        self.dates = array("q")
        self.is_read = bytearray()
        self.return_counts = array("I")  # how many answers a message was in, also those that were lost on the way
        self.unread, self.read = DateIndex(self._sort_key), DateIndex(self._sort_key)
        self._sender_refs, self._text_refs = array("Q"), array("Q")
        self._senders, self._texts = TextBlock(), TextBlock()

    def __len__(self) -> int:
        return len(self.messageids)

    def add(self, new: InboundMessages, messageids: Iterable[int]) -> range:
        """Take new messages in, all unread; their rows come back."""
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
        return self.read if read else self.unread

    def mark_read(self, rows: Sequence[int]) -> None:
        """Rows that were unread are read from now on."""
        self.unread.remove(rows)
        self.read.add(rows)
        for row in rows:
            self.is_read[row] = 1

    def count_returned(self, rows: Iterable[int]) -> None:
        for row in rows:
            self.return_counts[row] += 1

    def sender(self, row: int) -> str:
        return self._senders.text(self._sender_refs[row])

    def text(self, row: int) -> str:
        return self._texts.text(self._text_refs[row])

    def raw_text(self, row: int) -> bytes:
        return self._texts.raw(self._text_refs[row])

    def _sort_key(self, row: int) -> int:
        """One number that orders rows by their dates, and those of one second as they came."""
        return self.dates[row] << _ROW_BITS | row


class DateIndex:
    """Rows of a mailbox, sorted when somebody looks; some are taken out of any part of it at once."""

    def __init__(self, sort_key: Callable[[int], int]) -> None:
        self._sort_key = sort_key
        self._rows = array("q")
        self._sorted = True

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, rows: Iterable[int]) -> None:
        self._rows.extend(rows)
        self._sorted = False

    def remove(self, rows: Sequence[int]) -> None:
        """Rows that are in the pile; cheap where they lie near each other."""
        if not rows:
            return
        ordered, sort_keys = self._sorted_rows(), [self._sort_key(row) for row in rows]
        low, high = self._position(min(sort_keys)), self._position(max(sort_keys))
        removed = set(rows)
        ordered[low : high + 1] = array("q", (row for row in ordered[low : high + 1] if row not in removed))

    def between(self, start: int, end: int) -> tuple[int, int]:
        """The positions of the messages of these seconds, both counted: from the first to before the second."""
        return self._position(start << _ROW_BITS), self._position((end + 1) << _ROW_BITS)

    def count(self, start: int, end: int) -> int:
        low, high = self.between(start, end)
        return high - low

    def page(self, bounds: tuple[int, int], skip: int, size: int, *, newest: bool) -> list[int]:
        """At most `size` rows between the bounds after the first `skip`, counted from the newest or the oldest."""
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
