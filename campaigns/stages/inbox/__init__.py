"""The inbox: every message that people write to our lines is stored once, and delivered to the user's own code.

The danger: `sms/receive` marks messages read *as it hands them out*. An answer that is lost on the way, or a crash
before our commit, and nobody is ever given them as new again.

    pull       one worker pulls a line: each page is stored before the next one is asked for
    reconcile  after a lost answer, and for the last two days from time to time: read messages are looked through
    deliver    to the user's own code, at least once: a Celery task or a signed webhook

This file holds the pull of a line: its lease, the doubt that was written down before the first call, and the
windows of time that messages are asked for in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.kavenegar import methods
from kavenegar_campaigns.kavenegar.inbox import InboundMessage, InboxPage, is_repeated_page
from kavenegar_campaigns.rules.batches import MAX_CLOCK_SKEW
from kavenegar_campaigns.store import in_one_commit, inbound, lines
from kavenegar_campaigns.store.inbound import Arrival, InboundPolicy, Via
from kavenegar_campaigns.store.lines import LineClaim

log = logging.getLogger(__name__)

# ── windows of time: whole seconds, both ends counted ──
#
# Source: kavenegar-rest, InboxPaged: two days at most, and two days from the start where no end is given.

_SECOND: Final = timedelta(seconds=1)
LONGEST_WINDOW: Final = methods.INBOXPAGED.max_span - _SECOND
"""The longest span that is asked for."""
OPEN_WINDOW: Final = timedelta(days=1)
"""What began later than this ago has no end: it holds what comes in meanwhile too, on whatever clock."""
CLOCK_MARGIN: Final = MAX_CLOCK_SKEW
"""What lies further back gets no new messages any more."""
SHORTEST_WINDOW: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time; without an end it reaches beyond now."""

    start: datetime
    end: datetime | None

    @property
    def span(self) -> tuple[int, int | None]:
        """Return the start and the end as unix times."""
        return int(self.start.timestamp()), None if self.end is None else int(self.end.timestamp())

    def ends_before(self, other: Window) -> bool:
        """Return whether `other` ends later."""
        return self.end is not None and (other.end is None or other.end > self.end)

    def beyond(self, other: Window) -> Window | None:
        """Return the part after the end of `other`; None if there is none."""
        if other.end is None or (self.end is not None and self.end <= other.end):
            return None
        return Window(max(self.start, start_after(other.end)), self.end)

    def halved(self, now: datetime) -> Window | None:
        """Return its older half; None if that would be shorter than a minute, or has no end yet."""
        half = (min(now, self.end or now) - self.start) / 2
        end = (self.start + half).replace(microsecond=0)
        return Window(self.start, end) if half >= SHORTEST_WINDOW and end <= now - CLOCK_MARGIN else None


def next_window(start: datetime, *, now: datetime, longest: timedelta = LONGEST_WINDOW) -> Window:
    """Return the next window from `start` on, at most `longest`."""
    start = start.replace(microsecond=0)
    age = now - start
    if age <= max(min(longest, OPEN_WINDOW), 2 * CLOCK_MARGIN):
        return Window(start, None)
    latest = (
        now - OPEN_WINDOW / 2 if age > OPEN_WINDOW else now - CLOCK_MARGIN
    )  # so that what is left for an open one is not just too much
    return Window(start, min(start + min(longest, LONGEST_WINDOW), latest).replace(microsecond=0))


def start_after(end: datetime) -> datetime:
    """Return the start of the window after one that ended then."""
    return end + _SECOND


# ── one worker pulls a line ──
#
# The lease is renewed with every page. A request leaves only if it ends before the lease does; the next worker waits
# for a request that may still be under way then. A page that was handed out is stored even if the lease is gone.

_LATEST: Final = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


class LeaseLost(Exception):
    """Another worker holds the line by now: this pull makes no further calls."""


class PullTimedOut(Exception):
    """The time of this pull is over; the next pull continues its work."""


@dataclass(slots=True)
class LinePull:
    """A claim in use. `complete_to` moves as more of the line is known to be stored.

    `reconcile_began_at` and `reconciled_to` are of a reconciliation under way, None where none is. `lost` is what is
    left to be gone through of a window in which an answer was lost: until then the line needs to be reconciled.
    """

    context: Context
    claim: LineClaim
    lease_ends: datetime = field(init=False)
    complete_to: datetime | None = field(init=False)
    reconcile_began_at: datetime | None = field(init=False)
    reconciled_to: datetime | None = field(init=False)
    lost: Window | None = None
    stored: int = 0
    pages: int = 0
    unreadable: int = 0

    def __post_init__(self) -> None:
        self.lease_ends, self.complete_to = self.claim.lease_ends, self.claim.complete_to
        self.reconcile_began_at, self.reconciled_to = self.claim.reconcile_began_at, self.claim.reconciled_to

    @property
    def line(self) -> str:
        """Return the number of the line."""
        return self.claim.line

    @property
    def began(self) -> datetime:
        """Return the time of the claim, before the first call."""
        return self.claim.claimed_at

    def timed_out(self) -> bool:
        """Return whether the time of this pull is over."""
        return self.context.now() - self.began >= self.context.policy.inbox_pull_time

    def in_time(self) -> bool:
        """Return whether a request that leaves now ends before the lease."""
        return self.context.now() + self.context.policy.deadline <= self.lease_ends

    def receive(self) -> InboxPage:
        """Store the next unread messages. Raises: Postpone (AnswerLost among them), Refused, LeaseLost."""
        self._renew_if_short()
        return self._stored(self.context.gateway.receive(self.line, in_time=self.in_time), Via.RECEIVE)

    def page(self, window: Window, *, read: bool, number: int = 1) -> InboxPage:
        """Store a page of a window's messages, read or unread. Raises: Postpone, AnswerLost, Refused, LeaseLost."""
        self._renew_if_short()
        start, end = window.span
        page = self.context.gateway.inboxpaged(
            self.line, isread=read, start=start, end=end, page=number, in_time=self.in_time
        )
        return self._stored(page, Via.PAGED)

    def mark_complete(self, complete_to: datetime) -> None:
        """Record that everything up to then is stored. Raises: LeaseLost."""
        self.complete_to = max(complete_to, self.complete_to or complete_to)
        self._renew()

    def mark_looked_back(self, to: datetime) -> None:
        """Record how far the look back has come."""
        self.reconcile_began_at, self.reconciled_to = self.reconcile_began_at or self.began, to

    @property
    def thorough(self) -> bool:
        """Return whether the look back, under way or beginning now, ignores counts that agree."""
        due_at = self.claim.full_reconcile_at
        return due_at is None or due_at <= (self.reconcile_began_at or self.began)

    @property
    def certain_to(self) -> datetime | None:
        """`complete_to`, or an earlier moment where an answer was lost that handed out older messages."""
        if self.lost is None or self.complete_to is None:
            return self.complete_to
        return min(self.complete_to, self.lost.start)

    def mark_lost(self, window: Window) -> None:
        """Record that an answer with messages of this window was lost."""
        if self.lost is None or self.lost.ends_before(window):
            self.lost = window

    def mark_done(self, window: Window) -> None:
        """Record that all of this window was read: a lost answer in it is made up for, whatever the counts say."""
        if self.lost is not None:
            self.lost = self.lost.beyond(window)

    def count_stored(self, window: Window) -> int:
        """Count the stored messages of a window."""
        return inbound.count_between(self.context.database, self.line, window.start, window.end)

    def _renew_if_short(self) -> None:
        """Renew the lease if the next request would not end before it."""
        if not self.in_time():
            self._renew()

    def _renew(self) -> None:
        self.lease_ends = self.context.now() + self.context.policy.lease
        if not lines.renew(self.context.database, self.claim, lease_ends=self.lease_ends, complete_to=self.complete_to):
            raise LeaseLost

    def _stored(self, page: InboxPage, via: Via) -> InboxPage:
        now = self.context.now()
        arrivals = list(_arrivals(page.messages, now))
        new, held = _store_page(self.context.database, self, arrivals, via, now=now)
        unreadable = page.row_count - len(page.messages)
        if page.row_count:
            facts = {
                "line": self.line,
                "via": via.value,
                "rows": page.row_count,
                "stored": new,
                "unreadable": unreadable,
            }
            log.log(logging.WARNING if unreadable else logging.INFO, "inbox page stored", extra=facts)
        self.stored, self.pages, self.unreadable = self.stored + new, self.pages + 1, self.unreadable + unreadable
        if not held:
            raise LeaseLost
        self.lease_ends = now + self.context.policy.lease
        return page


def drain_unread(pull: LinePull, next_page: Callable[[], InboxPage], is_last: Callable[[InboxPage], bool]) -> bool:
    """Take unread messages page by page, each stored before the next is asked for, until one is the last.

    False where the time is up before. A page that only repeats the one before ends it too: nothing marks them read.
    """
    before = None
    while True:
        page = next_page()
        if is_last(page):
            return True
        if is_repeated_page(page, before):
            log.warning("inbox page repeated", extra={"line": pull.line})
            return True
        if pull.timed_out():
            return False
        before = page


@in_one_commit
def _store_page(
    connection: Connection, pull: LinePull, arrivals: list[Arrival], via: Via, *, now: datetime
) -> tuple[int, bool]:
    """Store a page in one commit. Returns how many messages were new, and whether the claim still holds."""
    policy = pull.context.policy
    held = lines.renew(connection, pull.claim, lease_ends=now + policy.lease)
    watch = InboundPolicy(policy.opt_out_words, policy.opt_out_anywhere, policy.deliver_inbound)
    return inbound.store_new(connection, pull.line, arrivals, via=via, watch=watch, now=now), held


def _arrivals(messages: list[InboundMessage], now: datetime) -> Iterator[Arrival]:
    """Yield the messages of a page; one without a possible date counts as received now."""
    for row in messages:
        received_at = datetime.fromtimestamp(row.date, UTC) if 0 < row.date < _LATEST else now
        yield Arrival(row.messageid, row.sender, row.message, received_at)
