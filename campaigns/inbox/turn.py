"""One worker's turn at a line: what it holds, and how a page comes into the store.

The lease is renewed with every page. A request leaves only if it is over before the lease is; whoever comes next waits
for what may still be under way then. What was handed out is stored by whoever has it, also by one whose lease is gone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from campaigns.house import House
from campaigns.inbox.windows import Window
from campaigns.kavenegar.records.inbound import InboundMessage, InboxPage
from campaigns.store import inbound, lines
from campaigns.store.inbound import Arrival, Via, Watch
from campaigns.store.lines import LineClaim

log = logging.getLogger(__name__)

_LATEST: Final = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


class Overtaken(Exception):
    """The line is somebody else's by now: this turn asks for nothing more."""


class Over(Exception):
    """This turn has had its time, in the middle of something that another one goes on with."""


@dataclass(slots=True)
class Turn:
    """A claim in use. `complete_to` moves as more of the line is known to be stored.

    `look_began` and `looked_to` are of a look back that is under way, None where none is. `lost` is what is left to be
    gone through of a window in which an answer was lost: as long as there is such a one, the line is in doubt.
    """

    house: House
    claim: LineClaim
    lease_ends: datetime = field(init=False)
    complete_to: datetime | None = field(init=False)
    look_began: datetime | None = field(init=False)
    looked_to: datetime | None = field(init=False)
    lost: Window | None = None
    stored: int = 0
    pages: int = 0
    unreadable: int = 0

    def __post_init__(self) -> None:
        self.lease_ends, self.complete_to = self.claim.lease_ends, self.claim.complete_to
        self.look_began, self.looked_to = self.claim.look_began, self.claim.looked_to

    @property
    def line(self) -> str:
        """Its number."""
        return self.claim.line

    @property
    def began(self) -> datetime:
        """A moment before the first call."""
        return self.claim.claimed_at

    def over(self) -> bool:
        """Whether others are to have their turn now."""
        return self.house.now() - self.began >= self.house.policy.inbox_turn

    def in_time(self) -> bool:
        """Whether a request that leaves now is over before the lease is."""
        return self.house.now() + self.house.policy.deadline <= self.lease_ends

    def receive(self) -> InboxPage:
        """The next unread messages, stored. Raises: GatewayError, AnswerLost among them; Overtaken."""
        self._hold()
        return self._kept(self.house.gateway.receive(self.line, in_time=self.in_time), Via.RECEIVE)

    def page(self, window: Window, *, read: bool, number: int = 1) -> InboxPage:
        """A page of a window's messages, read or unread ones, stored. Raises as `receive`."""
        self._hold()
        start, end = window.span
        page = self.house.gateway.inboxpaged(
            self.line, isread=read, start=start, end=end, page=number, in_time=self.in_time
        )
        return self._kept(page, Via.PAGED)

    def reached(self, complete_to: datetime) -> None:
        """Everything up to then is stored. Raises: Overtaken."""
        self.complete_to = max(complete_to, self.complete_to or complete_to)
        self._renew()

    def looked(self, to: datetime) -> None:
        """The look back has come so far."""
        self.look_began, self.looked_to = self.look_began or self.began, to

    @property
    def thorough(self) -> bool:
        """Whether a look back takes no count for a proof: the one under way, or one that begins now."""
        due_at = self.claim.thorough_at
        return due_at is None or due_at <= (self.look_began or self.began)

    @property
    def certain_to(self) -> datetime | None:
        """`complete_to`, or an earlier moment where an answer was lost that handed out older messages."""
        if self.lost is None or self.complete_to is None:
            return self.complete_to
        return min(self.complete_to, self.lost.start)

    def missed(self, window: Window) -> None:
        """An answer was lost that handed out messages of this window."""
        if self.lost is None or self.lost.ends_before(window):
            self.lost = window

    def passed(self, window: Window) -> None:
        """All of this window was gone through, whatever the counts say where an answer was lost in it."""
        if self.lost is not None:
            self.lost = self.lost.beyond(window)

    def counted(self, window: Window) -> int:
        """How many messages of a window are stored."""
        return self.house.database(inbound.counted, self.line, window.start, window.end)

    def _hold(self) -> None:
        """Hold the line for longer where the next request would not be over in time."""
        if not self.in_time():
            self._renew()

    def _renew(self) -> None:
        self.lease_ends = self.house.now() + self.house.policy.lease
        if not self.house.database(lines.renew, self.claim, lease_ends=self.lease_ends, complete_to=self.complete_to):
            raise Overtaken

    def _kept(self, page: InboxPage, via: Via) -> InboxPage:
        now = self.house.now()
        arrivals = list(_arrivals(page.messages, now))
        new, held = self.house.database(_keep, self, arrivals, via, now=now)
        unreadable = page.rows - len(page.messages)
        if page.rows:
            facts = {"line": self.line, "via": via.value, "rows": page.rows, "stored": new, "unreadable": unreadable}
            log.log(logging.WARNING if unreadable else logging.INFO, "inbox page stored", extra=facts)
        self.stored, self.pages, self.unreadable = self.stored + new, self.pages + 1, self.unreadable + unreadable
        if not held:
            raise Overtaken
        self.lease_ends = now + self.house.policy.lease
        return page


def _keep(connection: Connection, turn: Turn, arrivals: list[Arrival], via: Via, *, now: datetime) -> tuple[int, bool]:
    """How many were new, and whether the claim still holds. One commit."""
    policy = turn.house.policy
    held = lines.renew(connection, turn.claim, lease_ends=now + policy.lease)
    watch = Watch(policy.opt_out_words, policy.opt_out_anywhere, policy.hand_over)
    return inbound.take_in(connection, turn.line, arrivals, via=via, watch=watch, now=now), held


def _arrivals(messages: list[InboundMessage], now: datetime) -> Iterator[Arrival]:
    """A message without a date that can be is taken to have come in now."""
    for row in messages:
        received_at = datetime.fromtimestamp(row.date, UTC) if 0 < row.date < _LATEST else now
        yield Arrival(row.messageid, row.sender, row.message, received_at)
