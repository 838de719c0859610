"""The block lists of the lines: numbers that want no more messages, each with a reason and a date.

Every change is written to the journal first. Source: kavenegar-rest, line/blocked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kavenegar_sandbox.journal import Event, Journal

EVENTS = frozenset({"blocked", "unblocked"})
WEB_SERVICE, PANEL, OPT_OUT, OPERATOR, UNCLEAR = 0, 1, 2, 3, 10
REASONS = frozenset({WEB_SERVICE, PANEL, OPT_OUT, OPERATOR, UNCLEAR})
REMOVABLE = frozenset({WEB_SERVICE, PANEL})
_OPT_OUT_WORDS = frozenset({"11", "لغو11"})
_LATIN_DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")


@dataclass(frozen=True, slots=True)
class Block:
    """One number on a block list, since `date` (Unix seconds)."""

    number: int
    reason: int
    date: int


class Blocklists:
    """The block lists of all lines of the account."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lists: dict[str, dict[int, Block]] = {}

    def contains(self, line: str, number: int | None) -> bool:
        """Return whether the number is on the block list of the line."""
        return number in self._lists.get(line, ())

    def add(self, line: str, numbers: Sequence[int], *, date: int) -> list[bool]:
        """Block numbers through the web service. Returns for each whether it is new; a known one is left unchanged."""
        added: list[int] = []
        new = []
        for number in numbers:
            new.append(not self.contains(line, number) and number not in added)
            added += [number] if new[-1] else []
        self.block(line, added, reason=WEB_SERVICE, date=date)
        return new

    def block(self, line: str, numbers: Sequence[int], *, reason: int, date: int) -> None:
        """Block numbers for a reason, replacing an earlier one."""
        if numbers:
            self._journal.write(
                {"event": "blocked", "line": line, "numbers": list(numbers), "reason": reason, "date": date}
            )
            self._store(line, numbers, reason, date)

    def remove(self, line: str, numbers: Sequence[int]) -> int:
        """Remove the numbers that the API may remove. Returns how many were removed."""
        known = self._lists.get(line, {})
        removed = [number for number in dict.fromkeys(numbers) if number in known and known[number].reason in REMOVABLE]
        if removed:
            self._journal.write({"event": "unblocked", "line": line, "numbers": removed})
            self._delete(line, removed)
        return len(removed)

    def since(self, line: str, date: int, reason: int | None) -> list[Block]:
        """Return the blocks from `date` on, of one reason or of all (None), in the order in which they were made."""
        return [
            block
            for block in self._lists.get(line, {}).values()
            if block.date >= date and (reason is None or block.reason == reason)
        ]

    def lists(self) -> dict[str, list[Block]]:
        """Return every block list, by line."""
        return {line: list(blocks.values()) for line, blocks in self._lists.items()}

    def replay(self, event: Event) -> None:
        """Apply one of EVENTS from the journal."""
        if event["event"] == "blocked":
            self._store(event["line"], event["numbers"], event["reason"], event["date"])
        else:
            self._delete(event["line"], event["numbers"])

    def _store(self, line: str, numbers: Sequence[int], reason: int, date: int) -> None:
        blocks = self._lists.setdefault(line, {})
        for number in numbers:
            blocks[number] = Block(number, reason, date)

    def _delete(self, line: str, numbers: Sequence[int]) -> None:
        for number in numbers:
            del self._lists[line][number]


def opts_out(text: str) -> bool:
    """Return whether an inbound text is an opt-out word, «۱۱» or «لغو۱۱», in any digits and with any spaces."""
    return "".join(text.translate(_LATIN_DIGITS).split()) in _OPT_OUT_WORDS
