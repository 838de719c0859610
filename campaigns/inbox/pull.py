"""One line is due: claim, pull, write down. Every ending is in sight, and only a good one takes the doubt back."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from campaigns.errors import AnswerLost, GatewayError, Postpone, Refused, Throttled
from campaigns.house import House
from campaigns.inbox import check, reconcile
from campaigns.inbox.turn import Over, Overtaken, Turn
from campaigns.inbox.windows import MARGIN
from campaigns.kavenegar.pace import Lane
from campaigns.store import lines
from campaigns.store.lines import Ending

log = logging.getLogger(__name__)

FULL: Final = 100
"""As long as so many come, there may be more. Source: kavenegar-rest, Receive."""
REFUSED_AGAIN: Final = timedelta(minutes=15)
"""When a line that the gateway refuses is tried again, at the earliest: a person has to mend it."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """What one ring for a line came to; `more`: another turn is to follow at once."""

    pages: int = 0
    stored: int = 0
    more: bool = False
    trouble: str = ""

    @property
    def summary(self) -> str:
        """What Flower shows."""
        if not self.pages:
            return self.trouble or "not due"
        told = f"{self.pages} pages, {self.stored} new" + (", more to come" if self.more else "")
        return told + (f", {self.trouble}" if self.trouble else "")


def run(house: House, line: str) -> Pulled:
    """Pull a line, or reconcile it where it is in doubt. Ringing twice is harmless: the claim decides."""
    settle = house.policy.settle
    if not house.database(lines.waits, line, now=house.now(), settle=settle):
        return Pulled()
    try:
        house.gateway.admit(Lane.HOUSEKEEPING)
    except Postpone as why:
        house.database(lines.postpone, line, due_at=house.now() + timedelta(seconds=why.retry_after_s))
        return Pulled(trouble=f"put off for {why.retry_after_s:.0f} s")
    claim = house.database(
        lines.claim, line, owner=house.owner, now=house.now(), lease=house.policy.lease, settle=settle
    )
    return Pulled() if claim is None else _pull(Turn(house, claim))


def _pull(turn: Turn) -> Pulled:
    try:
        ending = _in_doubt(turn) if turn.claim.doubtful_since is not None else _receive(turn)
    except AnswerLost as why:
        return _lost(turn, why)
    except Postpone as why:
        ending = _ending(turn, after=timedelta(seconds=why.retry_after_s), trouble=_trouble(why))
    except Refused as why:
        log.warning("inbox refused", extra={"line": turn.line, "code": why.code})
        ending = _ending(turn, after=max(turn.claim.every, REFUSED_AGAIN), trouble=str(why))
    except Over:
        ending = _ending(turn)
    except Overtaken:
        return _pulled(turn, trouble="another worker has the line")
    held = turn.house.database(lines.release, turn.claim, ending)
    more = held and ending.trouble is None and ending.due_at <= turn.house.now()
    return replace(_pulled(turn, trouble=ending.trouble or ""), more=more)


def _receive(turn: Turn) -> Ending:
    """Everything that is unread; then, when it is time for it, the last two days. Raises: GatewayError, …"""
    if not _drain(turn):
        return _ending(turn)
    turn.complete_to = turn.began - MARGIN
    pulled = replace(_ending(turn, after=turn.began + turn.claim.every - turn.house.now()), pulled_at=turn.began)
    if turn.claim.reconcile_at > turn.began:
        return pulled
    return _looked_back(turn, pulled)


def _drain(turn: Turn) -> bool:
    """Page by page until one is not full; False where another turn goes on with it."""
    before: set[int] = set()
    while True:
        page = turn.receive()
        if page.rows < FULL:
            return True
        ids = {message.messageid for message in page.messages}
        if ids and ids <= before:
            log.warning("inbox hands out the same messages again", extra={"line": turn.line})
            return True
        if turn.over():
            return False
        before = ids


def _looked_back(turn: Turn, pulled: Ending) -> Ending:
    """The last two days, for what others have read before us. A fault here costs the pull before it nothing."""
    try:
        if not reconcile.lately(turn):
            return replace(pulled, due_at=turn.house.now())
        check.of_last_day(turn)
    except AnswerLost:
        raise
    except GatewayError as why:
        log.warning("inbox not looked through", extra={"line": turn.line, "code": why.code})
        return replace(pulled, trouble=_trouble(why))
    now = turn.house.now()
    return replace(pulled, reconciled_at=now, reconcile_at=now + turn.house.policy.inbox_reconcile)


def _in_doubt(turn: Turn) -> Ending:
    """An answer was lost, or a worker died: nothing is asked of `receive` before all of that is found."""
    log.warning("inbox in doubt", extra={"line": turn.line, "complete_to": str(turn.complete_to)})
    if not reconcile.whole(turn):
        return _ending(turn)
    turn.complete_to = max(turn.began - MARGIN, turn.complete_to or turn.began - MARGIN)
    now = turn.house.now()
    log.info("inbox reconciled", extra={"line": turn.line, "stored": turn.stored})
    return replace(_ending(turn), doubtful_since=None, reconciled_at=now, reconcile_at=now)


def _lost(turn: Turn, why: AnswerLost) -> Pulled:
    """The gateway may still act on the request that we gave up: the line is reconciled once it cannot any more."""
    now, settle = turn.house.now(), turn.house.policy.settle
    log.warning("inbox answer lost", extra={"line": turn.line, "code": why.code})
    turn.house.database(lines.lose, turn.claim, complete_to=turn.complete_to, now=now, settle=settle, trouble=str(why))
    return _pulled(turn, trouble=str(why))


def _ending(turn: Turn, *, after: timedelta = timedelta(0), trouble: str | None = None) -> Ending:
    """Due again `after` so long, and as doubtful as it was found."""
    now = turn.house.now()
    return Ending(
        due_at=max(now, now + after),
        doubtful_since=turn.claim.doubtful_since,
        trouble=trouble,
        complete_to=turn.complete_to,
    )


def _trouble(why: GatewayError) -> str | None:
    """For whoever looks at the line; that it has to wait for the pace is none."""
    return None if isinstance(why, Throttled) else str(why)


def _pulled(turn: Turn, *, trouble: str) -> Pulled:
    return Pulled(turn.pages, turn.stored, trouble=trouble)
