"""Who wants nothing more from a line: its block list, with the reason and the date of each number.

Every change is an event in the journal first. Source: kavenegar-rest, line/blocked.
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
    """One number on a list; since `date`, in Unix seconds."""

    number: int
    reason: int
    date: int


class Blocklists:
    """The lists of the account's lines."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lists: dict[str, dict[int, Block]] = {}

    def contains(self, line: str, number: int | None) -> bool:
        return number in self._lists.get(line, ())

    def add(self, line: str, numbers: Sequence[int], *, date: int) -> list[bool]:
        """Block numbers for the web service. For each number whether it is new; a known one stays as it is."""
        added: list[int] = []
        new = []
        for number in numbers:
            new.append(not self.contains(line, number) and number not in added)
            added += [number] if new[-1] else []
        self.block(line, added, reason=WEB_SERVICE, date=date)
        return new

    def block(self, line: str, numbers: Sequence[int], *, reason: int, date: int) -> None:
        """Block numbers for this reason, whatever it was before."""
        if numbers:
            self._journal.write(
                {"event": "blocked", "line": line, "numbers": list(numbers), "reason": reason, "date": date}
            )
            self._store(line, numbers, reason, date)

    def remove(self, line: str, numbers: Sequence[int]) -> int:
        """Take those off that the API may take off; how many there were."""
        known = self._lists.get(line, {})
        removed = [number for number in dict.fromkeys(numbers) if number in known and known[number].reason in REMOVABLE]
        if removed:
            self._journal.write({"event": "unblocked", "line": line, "numbers": removed})
            self._delete(line, removed)
        return len(removed)

    def since(self, line: str, date: int, reason: int | None) -> list[Block]:
        """The blocks from `date` on, of one reason or of all, in the order they were made."""
        return [
            block
            for block in self._lists.get(line, {}).values()
            if block.date >= date and (reason is None or block.reason == reason)
        ]

    def lists(self) -> dict[str, list[Block]]:
        """Every list whole."""
        return {line: list(blocks.values()) for line, blocks in self._lists.items()}

    def replay(self, event: Event) -> None:
        """One of EVENTS, from the journal."""
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
    """Whether an inbound text is «۱۱» or «لغو۱۱», with digits and blanks as people write them."""
    return "".join(text.translate(_LATIN_DIGITS).split()) in _OPT_OUT_WORDS
