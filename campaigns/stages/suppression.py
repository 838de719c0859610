"""Synchronise the gateway's block lists with our suppressions, line by line, and ask them about one number.

Numbers that a line cannot reach come from the gateway with their reason. Numbers that we suppressed are written to
its lists, and numbers that a person lifted are removed where the API allows it. A number that is no longer on a list
of the gateway stays suppressed here: only a person lifts a number.

Every answer is kept in a commit that also renews the lease, and no transaction is open while the gateway is asked: a
worker that dies costs one page, which is asked for again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeVar
from uuid import uuid4

from sqlalchemy import Connection

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.errors import CampaignRefused, Postpone, RecipientRefused, Refused
from kavenegar_campaigns.kavenegar import methods
from kavenegar_campaigns.kavenegar.account import BlockedNumber, is_last_page
from kavenegar_campaigns.kavenegar.codes import RECEPTOR_NOT_VALID
from kavenegar_campaigns.kavenegar.methods import Method
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_campaigns.rules.phone import is_mobile, normalise_mobile
from kavenegar_campaigns.rules.suppression import SYNC_EVERY
from kavenegar_campaigns.store import blocklists, in_one_commit, installation, suppressions
from kavenegar_campaigns.store.blocklists import ListedNumber, ListSync

# ── one line: pull its list, write what it lacks, remove what a person lifted ──

log = logging.getLogger(__name__)
T = TypeVar("T")

BEFORE_ALL: Final = datetime(2009, 1, 1, tzinfo=UTC)
"""Earlier than any entry of a list can be. Without a date the gateway tells of today only."""
SLOT_WITHIN_S: Final = 10.0
"""How long a call waits for its slot; the lease outlasts that and the call."""


class SyncInterrupted(Exception):
    """The synchronisation stops early: its calls are used up, or another worker holds the line."""


@dataclass(frozen=True, slots=True)
class Synced:
    """The result for one line.

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
        """Return the text for Flower."""
        counts = {name: getattr(self, name) for name in ("seen", "suppressed", "written", "removed")}
        done = " ".join(f"{name} {count}" for name, count in counts.items() if count)
        return self.trouble or done or ("nothing new" if self.whole else "not due")


class BlocklistSync:
    """Synchronise one claimed line; `calls_left` None means as many calls as it takes."""

    def __init__(self, context: Context, claim: ListSync, *, calls_left: int | None) -> None:
        self.trouble = ""
        self._context = context
        self._claim = claim
        self._calls_left = calls_left
        self._counts = {"seen": 0, "suppressed": 0, "written": 0, "removed": 0}
        self._whole = False

    @property
    def synced(self) -> Synced:
        """Return the result so far."""
        return Synced(self._claim.line, **self._counts, whole=self._whole, trouble=self.trouble)

    def run(self) -> None:
        """Pull the list, write what it lacks, remove what was lifted. Raises: SyncInterrupted, Postpone, Refused."""
        if self._claim.page is not None:
            self._pull(self._claim.page)
        self._in_chunks(blocklists.numbers_to_block, methods.BLOCKED_ADD, self._write)
        self._in_chunks(blocklists.numbers_to_unblock, methods.BLOCKED_REMOVE, self._remove)
        self._whole = True
        refused = suppressions.count_refused(self._context.database, now=self._context.now())
        if refused:
            self.trouble = (
                f"the gateway refuses {refused} of the numbers ({RECEPTOR_NOT_VALID}): they are left as they are on "
                "its lists"
            )

    def _pull(self, page: int) -> None:
        claim, last = self._claim, False
        start = int((claim.since or BEFORE_ALL).timestamp())
        while not last:
            self._take_slot()
            answer = self._context.gateway.blocked_list(claim.line, start=start, page=page)
            last, page = is_last_page(answer, page, methods.BLOCKED_LIST.max_answer_rows), page + 1
            entries = [_entry(each) for each in answer.numbers if is_mobile(each.number)]
            self._counts["suppressed"] += self._record(partial(_store_page, claim, entries, None if last else page))
            self._counts["seen"] += len(entries)

    def _in_chunks(
        self, which: Callable[..., list[str]], method: Method, send: Callable[[Sequence[str]], None]
    ) -> None:
        """Call `send` for all numbers of `which`, as many at once as the method takes."""
        after, chunk = "", partial(which, line=self._claim.line, most=method.max_rows)
        while numbers := self._context.database(chunk, after=after, now=self._context.now()):
            self._send_in_halves(numbers, send)
            after = numbers[-1]

    def _send_in_halves(self, numbers: Sequence[str], send: Callable[[Sequence[str]], None]) -> None:
        """Send one chunk; halve it where the gateway refuses a number of it, until that number stands alone."""
        self._take_slot()
        try:
            send(numbers)
        except RecipientRefused as why:
            if len(numbers) == 1:
                log.warning("block list number refused", extra={"line": self._claim.line, "code": why.code})
                self._record(partial(_refused, numbers[0]))
            else:
                middle = len(numbers) // 2
                self._send_in_halves(numbers[:middle], send)
                self._send_in_halves(numbers[middle:], send)

    def _write(self, numbers: Sequence[str]) -> None:
        answered = self._context.gateway.blocked_add(self._claim.line, numbers)
        taken = [normalise_mobile(row.receptor) for row in answered if row.is_blocked and is_mobile(row.receptor)]
        self._record(partial(_added, self._claim.line, taken))
        self._counts["written"] += len(taken)

    def _remove(self, numbers: Sequence[str]) -> None:
        self._context.gateway.blocked_remove(self._claim.line, numbers)
        self._record(partial(_removed, self._claim.line, numbers))
        self._counts["removed"] += len(numbers)

    def _take_slot(self) -> None:
        """Take a slot of the pace for the call that follows. Raises: SyncInterrupted, Postpone."""
        if self._calls_left is not None:
            if self._calls_left == 0:
                raise SyncInterrupted
            self._calls_left -= 1
        self._context.gateway.acquire_slot(Lane.HOUSEKEEPING, max_wait_s=SLOT_WITHIN_S)

    def _record(self, write: Callable[[Connection, datetime], T]) -> T:
        """Run `write` in a commit that also renews the lease; returns what it returns. Raises: SyncInterrupted."""
        return _write_while_leased(
            self._context.database, self._claim, write, now=self._context.now(), lease=self._context.policy.lease
        )


@in_one_commit
def _write_while_leased(
    connection: Connection,
    claim: ListSync,
    write: Callable[[Connection, datetime], T],
    *,
    now: datetime,
    lease: timedelta,
) -> T:
    if not blocklists.renew(connection, claim, lease_ends=now + lease):
        raise SyncInterrupted
    return write(connection, now)


def _store_page(
    claim: ListSync, entries: Sequence[ListedNumber], next_page: int | None, connection: Connection, now: datetime
) -> int:
    """Store one page. Returns how many numbers are new to us."""
    new = blocklists.record_page(connection, claim, entries, now=now)
    if next_page is None:
        blocklists.complete(connection, claim)
    else:
        blocklists.next_page(connection, claim, page=next_page)
    return new


def _added(line: str, numbers: Sequence[str], connection: Connection, now: datetime) -> None:
    blocklists.record_blocked(connection, line, numbers, now=now)


def _removed(line: str, numbers: Sequence[str], connection: Connection, now: datetime) -> None:
    blocklists.record_unblocked(connection, line, numbers, now=now)


def _refused(number: str, connection: Connection, now: datetime) -> None:
    suppressions.record_refused(connection, number, now=now)


def _entry(row: BlockedNumber) -> ListedNumber:
    """Return a row as we store it. A date of 0 is none."""
    blocked_at = datetime.fromtimestamp(row.date, UTC) if row.date > 0 else None
    return ListedNumber(normalise_mobile(row.number), row.blockreason, blocked_at)


# ── lines that are due, and one number at this moment ──

MAX_CALLS: Final = 100
"""Calls of one scheduled run. What is left of a long list is for the next one, a few seconds later."""


@dataclass(frozen=True, slots=True)
class BlockStatus:
    """Whether the gateway blocks a number on a line; `blocked` is None if the line cannot be queried."""

    line: str
    blocked: bool | None
    trouble: str = ""


def check_number(context: Context, number: str, lines: Sequence[str]) -> list[BlockStatus]:
    """Check on which lines' block lists a number is now. Raises: BadInput, Postpone, Refused."""
    return [_check_on_line(context, normalise_mobile(number), line) for line in lines]


def _check_on_line(context: Context, number: str, line: str) -> BlockStatus:
    try:
        answered = context.gateway.blocked_exists(line, [number])
    except CampaignRefused as why:  # 412: the line is not ours
        return BlockStatus(line, None, str(why))
    if not answered:
        return BlockStatus(line, None, "the gateway did not say")
    return BlockStatus(line, any(row.is_blocked for row in answered))


def sync_due_line(context: Context, line: str) -> Synced:
    """Synchronise a line that is due, as far as one run goes. Running twice is harmless: the claim decides."""
    return _sync_line(context, line, at_once=False, most_calls=MAX_CALLS)[0]


def sync_lines(context: Context, lines: Sequence[str]) -> list[Synced]:
    """Synchronise the block lists of these lines completely, both ways.

    A line that the gateway refuses (412: it is not ours) does not stop the others. Where the gateway cannot be reached,
    or refuses the account, the rest is left out. What was interrupted goes on where it stopped.
    """
    done: list[Synced] = []
    for line in lines:
        found, go_on = _sync_line(context, line, at_once=True)
        done.append(found)
        if not go_on:
            break
    return done


def _sync_line(context: Context, line: str, *, at_once: bool, most_calls: int | None = None) -> tuple[Synced, bool]:
    """Synchronise one line. Returns its result, and whether to go on with the next line."""
    now, lease = context.now(), context.policy.lease
    claim = blocklists.claim(context.database, line, owner=uuid4(), now=now, lease=lease, at_once=at_once)
    if claim is None:
        return Synced(line, trouble="somebody else synchronises it at this moment" if at_once else ""), True
    blocklist_sync, wait, go_on = (
        BlocklistSync(context, claim, calls_left=most_calls),
        context.policy.suppress_sync
        or SYNC_EVERY,  # of a line that was synchronised by hand, where nothing is scheduled
        True,
    )
    try:
        blocklist_sync.run()
    except SyncInterrupted:
        wait = timedelta(0)
    except Postpone as why:
        blocklist_sync.trouble, wait, go_on = str(why), timedelta(seconds=why.retry_after_s), False
    except Refused as why:
        log.warning("block list sync refused", extra={"line": line, "code": why.code})
        blocked = installation.hold_if_blocked(context.database, why, now=context.now())
        blocklist_sync.trouble, go_on = str(why), not blocked
    found = blocklist_sync.synced
    _release(context.database, claim, found, wait=wait, now=context.now())
    return found, go_on


@in_one_commit
def _release(connection: Connection, claim: ListSync, found: Synced, *, wait: timedelta, now: datetime) -> None:
    blocklists.release(connection, claim, due_at=now + wait, trouble=found.trouble or None, whole=found.whole, now=now)
