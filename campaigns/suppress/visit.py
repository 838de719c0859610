"""One line's turn: its list is pulled, what it lacks is written, and what a person lifted is removed.

Every answer is kept in a commit that also moves the lease on, and no transaction is open while the gateway is asked: a
worker that dies costs one page, which is asked for again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeVar

from sqlalchemy import Connection

from campaigns.errors import RecipientRefused
from campaigns.house import House
from campaigns.kavenegar import methods
from campaigns.kavenegar.methods import Method
from campaigns.kavenegar.pace import Lane
from campaigns.kavenegar.records.blocklist import BlockedNumber, is_last
from campaigns.rules.phone import is_mobile, normalise
from campaigns.store import blocking, blocklists
from campaigns.store.blocklists import Blocked, Turn

log = logging.getLogger(__name__)
T = TypeVar("T")

BEFORE_ALL: Final = datetime(2009, 1, 1, tzinfo=UTC)
"""Earlier than any entry of a list can be. Without a date the gateway tells of today only."""
SLOT_WITHIN_S: Final = 10.0
"""How long a call waits for its slot; the lease outlasts that and the call."""


class OverForNow(Exception):
    """A turn ends before all is done: its calls are used up, or somebody else has the line by now."""


@dataclass(frozen=True, slots=True)
class Synced:
    """What became of one line.

    `seen` entries of its list, `suppressed` numbers that were not before; `written` to it and `removed` from it.
    `whole` tells that nothing is left to do, `trouble` is a sentence.
    """

    line: str
    seen: int = 0
    suppressed: int = 0
    written: int = 0
    removed: int = 0
    whole: bool = False
    trouble: str = ""

    @property
    def summary(self) -> str:
        """What Flower shows."""
        counts = {name: getattr(self, name) for name in ("seen", "suppressed", "written", "removed")}
        told = " ".join(f"{name} {count}" for name, count in counts.items() if count)
        return self.trouble or told or ("nothing new" if self.whole else "not due")


class Visit:
    """What is done with one turn; `calls_left` None means as many as it takes."""

    def __init__(self, house: House, turn: Turn, *, calls_left: int | None) -> None:
        self.trouble = ""
        self._house = house
        self._turn = turn
        self._calls_left = calls_left
        self._counts = {"seen": 0, "suppressed": 0, "written": 0, "removed": 0}
        self._whole = False

    @property
    def synced(self) -> Synced:
        """What became of it so far."""
        return Synced(self._turn.line, **self._counts, whole=self._whole, trouble=self.trouble)

    def run(self) -> None:
        """Do all there is to do. Raises: OverForNow, Postpone, Refused."""
        if self._turn.page is not None:
            self._pull(self._turn.page)
        self._in_chunks(blocking.lacks, methods.BLOCKED_ADD, self._write)
        self._in_chunks(blocking.holds, methods.BLOCKED_REMOVE, self._remove)
        self._whole = True
        refused = self._house.database(blocking.refused, now=self._house.now())
        if refused:
            self.trouble = f"the gateway refuses {refused} of the numbers (411): they are left as they are on its lists"

    def _pull(self, page: int) -> None:
        turn, last = self._turn, False
        start = int((turn.since or BEFORE_ALL).timestamp())
        while not last:
            self._take_slot()
            answer = self._house.gateway.blocked_list(turn.line, start=start, page=page)
            last, page = is_last(answer, page, methods.BLOCKED_LIST.answers), page + 1
            entries = [_entry(each) for each in answer.numbers if is_mobile(each.number)]
            self._counts["suppressed"] += self._keep(partial(_see, turn, entries, None if last else page))
            self._counts["seen"] += len(entries)

    def _in_chunks(
        self, which: Callable[..., list[str]], method: Method, tell: Callable[[Sequence[str]], None]
    ) -> None:
        """`tell` the gateway of all `which` numbers, as many at once as the method takes."""
        after, chunk = "", partial(which, line=self._turn.line, most=method.at_most)
        while numbers := self._house.database(chunk, after=after, now=self._house.now()):
            self._tell(numbers, tell)
            after = numbers[-1]

    def _tell(self, numbers: Sequence[str], tell: Callable[[Sequence[str]], None]) -> None:
        """The same for one chunk: halved where the gateway refuses a number of it, until that one stands alone."""
        self._take_slot()
        try:
            tell(numbers)
        except RecipientRefused as why:
            if len(numbers) == 1:
                log.warning("block list number refused", extra={"line": self._turn.line, "code": why.code})
                self._keep(partial(_refused, numbers[0]))
            else:
                middle = len(numbers) // 2
                self._tell(numbers[:middle], tell)
                self._tell(numbers[middle:], tell)

    def _write(self, numbers: Sequence[str]) -> None:
        answered = self._house.gateway.blocked_add(self._turn.line, numbers)
        taken = [normalise(row.receptor) for row in answered if row.blocked and is_mobile(row.receptor)]
        self._keep(partial(_added, self._turn.line, taken))
        self._counts["written"] += len(taken)

    def _remove(self, numbers: Sequence[str]) -> None:
        self._house.gateway.blocked_remove(self._turn.line, numbers)
        self._keep(partial(_removed, self._turn.line, numbers))
        self._counts["removed"] += len(numbers)

    def _take_slot(self) -> None:
        """For the call that follows. Raises: OverForNow, Postpone."""
        if self._calls_left is not None:
            if self._calls_left == 0:
                raise OverForNow
            self._calls_left -= 1
        self._house.gateway.admit(Lane.HOUSEKEEPING, max_wait_s=SLOT_WITHIN_S)

    def _keep(self, write: Callable[[Connection, datetime], T]) -> T:
        """What `write` gives, written down while the turn is still ours. Raises: OverForNow."""
        return self._house.database(_held, self._turn, write, now=self._house.now(), lease=self._house.policy.lease)


def _held(
    connection: Connection, turn: Turn, write: Callable[[Connection, datetime], T], *, now: datetime, lease: timedelta
) -> T:
    if not blocklists.stay(connection, turn, lease_ends=now + lease):
        raise OverForNow
    return write(connection, now)


def _see(turn: Turn, entries: Sequence[Blocked], next_page: int | None, connection: Connection, now: datetime) -> int:
    """Keep one page; how many numbers are new to us."""
    new = blocklists.see(connection, turn, entries, now=now)
    if next_page is None:
        blocklists.complete(connection, turn)
    else:
        blocklists.turn_page(connection, turn, page=next_page)
    return new


def _added(line: str, numbers: Sequence[str], connection: Connection, now: datetime) -> None:
    blocking.added(connection, line, numbers, now=now)


def _removed(line: str, numbers: Sequence[str], connection: Connection, now: datetime) -> None:
    blocking.removed(connection, line, numbers, now=now)


def _refused(number: str, connection: Connection, now: datetime) -> None:
    blocking.refuse(connection, number, now=now)


def _entry(row: BlockedNumber) -> Blocked:
    """A row as we keep it. A date of 0 is none."""
    blocked_at = datetime.fromtimestamp(row.date, UTC) if row.date > 0 else None
    return Blocked(normalise(row.number), row.blockreason, blocked_at)
