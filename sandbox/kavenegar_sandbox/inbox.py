"""The messages that came in on the account's lines. Who asks for unread ones has read them: the answer may be lost.

Every change is an event in the journal first. Source: kavenegar-rest, sms/receive and sms/inboxpaged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kavenegar_sandbox.columns import digest
from kavenegar_sandbox.journal import Event, Journal
from kavenegar_sandbox.mailbox import Arrived, Mailbox
from kavenegar_sandbox.protocol import Row

EVENTS = frozenset({"received", "read"})
_SPAN = 1 << 61
_LOWEST = 1_000_000_000
_FACTOR = 0x0D1B54A32D192ED1  # odd, hence no id comes twice


class Inbox:
    """A mailbox for each line. `salt` makes the message ids its own: 62 bits wide, and in no order."""

    def __init__(self, salt: int, journal: Journal) -> None:
        self.boxes: dict[str, Mailbox] = {}
        self._salt, self._journal = salt, journal

    def box(self, line: str) -> Mailbox:
        return self.boxes.setdefault(line, Mailbox())

    def receive(self, new: Arrived) -> list[int]:
        """The message ids of what came in."""
        if self._journal.keeps:
            columns = {name: getattr(new, name) for name in Arrived.__slots__}
            self._journal.write({"event": "received", **columns})
        return self._take_in(new)

    def hand_out(self, line: str, rows: Sequence[int], *, unread: bool) -> list[Row]:
        """The rows as an answer shows them. Unread ones are read when this returns, whoever gets the answer."""
        box = self.box(line)
        if unread:
            self._mark_read(line, rows, pushed=False)
        else:
            box.hand_out(rows)
        return [_shown(box, line, row) for row in rows]

    def pushed(self, line: str, row: int) -> None:
        """The receive callback got through: the message counts as read."""
        if not self.box(line).is_read[row]:
            self._mark_read(line, [row], pushed=True)

    def replay(self, event: Event) -> None:
        """One of EVENTS, from the journal."""
        if event["event"] == "received":
            self._take_in(Arrived(**{name: event[name] for name in Arrived.__slots__}))
        else:
            self._note_read(event["line"], event["rows"], pushed=event["pushed"])

    def summary(self) -> dict[str, Any]:
        """For each line: how many there are, read and not, and how often they were handed out."""
        return {
            line: {
                "total": len(box),
                "read": len(box.read),
                "unread": len(box.unread),
                "handed_out": sum(box.handed_out),
                "never_handed_out": box.handed_out.count(0),
                "handed_out_again": len(box) - box.handed_out.count(0) - box.handed_out.count(1),
            }
            for line, box in self.boxes.items()
        }

    def lines(self) -> Iterator[dict[str, Any]]:
        """Every message as checkers get it: no text, only its digest."""
        for line, box in list(self.boxes.items()):
            for row in range(len(box)):
                yield {
                    "messageid": box.messageids[row],
                    "line": line,
                    "sender": box.sender(row),
                    "date": box.dates[row],
                    "isread": box.is_read[row],
                    "handed_out": box.handed_out[row],
                    "text_digest": digest(box.raw_text(row)),
                }

    def _mark_read(self, line: str, rows: Sequence[int], *, pushed: bool) -> None:
        if rows:
            self._journal.write({"event": "read", "line": line, "rows": rows, "pushed": pushed})
            self._note_read(line, rows, pushed=pushed)

    def _note_read(self, line: str, rows: Sequence[int], *, pushed: bool) -> None:
        box = self.box(line)
        box.mark_read(rows)
        if not pushed:
            box.hand_out(rows)

    def _take_in(self, new: Arrived) -> list[int]:
        following = sum(map(len, self.boxes.values()))
        ids = [
            _LOWEST + (number * _FACTOR + self._salt) % _SPAN for number in range(following, following + len(new.dates))
        ]
        self.box(new.line).add(new, ids)
        return ids


def _shown(box: Mailbox, line: str, row: int) -> Row:
    return {
        "messageid": box.messageids[row],
        "message": box.text(row),
        "sender": box.sender(row),
        "receptor": line,
        "date": box.dates[row],
    }
