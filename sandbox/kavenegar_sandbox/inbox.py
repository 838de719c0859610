"""Inbound messages of all lines. Unread messages become read when the answer is made: the answer may be lost.

Every change is written to the journal first. Source: kavenegar-rest, sms/receive and sms/inboxpaged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kavenegar_sandbox.columns import text_digest
from kavenegar_sandbox.journal import Event, Journal
from kavenegar_sandbox.mailbox import InboundMessages, Mailbox
from kavenegar_sandbox.protocol import Row

EVENTS = frozenset({"received", "read"})
_SPAN = 1 << 61
_LOWEST = 1_000_000_000
_FACTOR = 0x0D1B54A32D192ED1  # odd, so no id is repeated


class Inbox:
    """A mailbox for each line. `salt` makes the message ids of an account its own: 62 bits wide, in no order."""

    def __init__(self, salt: int, journal: Journal) -> None:
        self.mailboxes: dict[str, Mailbox] = {}
        self._salt, self._journal = salt, journal

    def mailbox(self, line: str) -> Mailbox:
        """Return the mailbox of a line."""
        return self.mailboxes.setdefault(line, Mailbox())

    def receive(self, new: InboundMessages) -> list[int]:
        """Add inbound messages. Returns their message ids."""
        if self._journal.enabled:
            columns = {name: getattr(new, name) for name in InboundMessages.__slots__}
            self._journal.write({"event": "received", **columns})
        return self._store(new)

    def return_rows(self, line: str, rows: Sequence[int], *, unread: bool) -> list[Row]:
        """Return the rows of an answer. Unread messages are marked read, even if the client never gets the answer."""
        mailbox = self.mailbox(line)
        if unread:
            self._mark_read(line, rows, pushed=False)
        else:
            mailbox.count_returned(rows)
        return [_row(mailbox, line, row) for row in rows]

    def pushed(self, line: str, row: int) -> None:
        """Mark a message read because its receive callback was answered with 200."""
        if not self.mailbox(line).is_read[row]:
            self._mark_read(line, [row], pushed=True)

    def replay(self, event: Event) -> None:
        """Apply one of EVENTS from the journal."""
        if event["event"] == "received":
            self._store(InboundMessages(**{name: event[name] for name in InboundMessages.__slots__}))
        else:
            self._apply_read(event["line"], event["rows"], pushed=event["pushed"])

    def summary(self) -> dict[str, Any]:
        """For each line: the number of messages, of read and unread ones, and how often they were in an answer."""
        return {
            line: {
                "total": len(mailbox),
                "read": len(mailbox.read),
                "unread": len(mailbox.unread),
                "handed_out": sum(mailbox.return_counts),
                "never_handed_out": mailbox.return_counts.count(0),
                "handed_out_again": len(mailbox) - mailbox.return_counts.count(0) - mailbox.return_counts.count(1),
            }
            for line, mailbox in self.mailboxes.items()
        }

    def message_rows(self) -> Iterator[dict[str, Any]]:
        """Yield every inbound message for checkers: with a digest instead of its text."""
        for line, mailbox in list(self.mailboxes.items()):
            for row in range(len(mailbox)):
                yield {
                    "messageid": mailbox.messageids[row],
                    "line": line,
                    "sender": mailbox.sender(row),
                    "date": mailbox.dates[row],
                    "isread": mailbox.is_read[row],
                    "handed_out": mailbox.return_counts[row],
                    "text_digest": text_digest(mailbox.raw_text(row)),
                }

    def _mark_read(self, line: str, rows: Sequence[int], *, pushed: bool) -> None:
        if rows:
            self._journal.write({"event": "read", "line": line, "rows": rows, "pushed": pushed})
            self._apply_read(line, rows, pushed=pushed)

    def _apply_read(self, line: str, rows: Sequence[int], *, pushed: bool) -> None:
        mailbox = self.mailbox(line)
        mailbox.mark_read(rows)
        if not pushed:
            mailbox.count_returned(rows)

    def _store(self, new: InboundMessages) -> list[int]:
        following = sum(map(len, self.mailboxes.values()))
        ids = [
            _LOWEST + (number * _FACTOR + self._salt) % _SPAN for number in range(following, following + len(new.dates))
        ]
        self.mailbox(new.line).add(new, ids)
        return ids


def _row(mailbox: Mailbox, line: str, row: int) -> Row:
    return {
        "messageid": mailbox.messageids[row],
        "message": mailbox.text(row),
        "sender": mailbox.sender(row),
        "receptor": line,
        "date": mailbox.dates[row],
    }
