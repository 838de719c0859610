"""One line is due: claim, pull, write down. Every ending is in sight, and only a good one takes the doubt back."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import uuid4

from campaigns.errors import AccountBlocked, AnswerLost, GatewayError, Postpone, Refused, Throttled
from campaigns.house import House
from campaigns.inbox import check, reconcile
from campaigns.inbox.turn import Over, Overtaken, Turn
from campaigns.inbox.windows import MARGIN
from campaigns.kavenegar import methods
from campaigns.kavenegar.pace import Lane
from campaigns.kavenegar.records.inbound import comes_again
from campaigns.store import lines
from campaigns.store.lines import Ending

log = logging.getLogger(__name__)

REFUSED_AGAIN: Final = timedelta(minutes=15)
"""When a line that the gateway refuses is tried again, at the earliest: a person has to mend it.

A wrong key or an account on hold is no fault of the line: it is tried again as soon as the account is looked at.
"""
THOROUGH_EVERY: Final = timedelta(days=1)
"""How often a look back takes no count for a proof, at the least: half of what it looks back."""


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
    settle = house.policy.unknown_grace
    if not house.database(lines.waits, line, now=house.now(), settle=settle):
        return Pulled()
    try:
        house.gateway.admit(Lane.HOUSEKEEPING)
    except Postpone as why:
        house.database(lines.postpone, line, due_at=house.now() + timedelta(seconds=why.retry_after_s))
        return Pulled(trouble=f"put off for {why.retry_after_s:.0f} s")
    claim = house.database(lines.claim, line, owner=uuid4(), now=house.now(), lease=house.policy.lease, settle=settle)
    return Pulled() if claim is None else _pull(Turn(house, claim))


def _pull(turn: Turn) -> Pulled:
    ending: Ending | None = None
    try:
        ending = _in_doubt(turn) if turn.claim.doubtful_since is not None else _receive(turn)
    except AnswerLost as why:
        return _lost(turn, str(why), why.code)
    except Postpone as why:
        ending = _ending(turn, after=timedelta(seconds=why.retry_after_s), trouble=_trouble(why))
    except Refused as why:
        log.warning("inbox pull refused", extra={"line": turn.line, "code": why.code})
        rest = turn.house.policy.hold_recheck if isinstance(why, AccountBlocked) else REFUSED_AGAIN
        ending = _ending(turn, after=max(turn.claim.every, rest), trouble=str(why))
        ending = replace(ending, thorough_at=turn.began)
    except Over:
        ending = _ending(turn)
    except Overtaken:
        log.warning("inbox lease lost", extra={"line": turn.line})
    if turn.lost is not None:
        return _lost(turn, "an answer was lost, and not all that it handed out is found yet")
    if ending is None:
        return _pulled(turn, trouble="another worker has the line")
    held = turn.house.database(lines.release, turn.claim, ending)
    more = held and ending.trouble is None and ending.due_at <= turn.house.now()
    return replace(_pulled(turn, trouble=ending.trouble or ""), more=more)


def _receive(turn: Turn) -> Ending:
    """Everything that is unread; then, when it is time for it, the last days. Raises: GatewayError, …"""
    if not _drain(turn):
        return _ending(turn)
    turn.complete_to = turn.began - MARGIN
    return _at_rest(turn) if turn.claim.reconcile_at > turn.began else _looked_back(turn)


def _drain(turn: Turn) -> bool:
    """Page by page until one is not full; False where another turn goes on with it."""
    before = None
    while True:
        page = turn.receive()
        if page.rows < methods.RECEIVE.answers:
            return True
        if comes_again(page, before):
            log.warning("inbox page repeated", extra={"line": turn.line})
            return True
        if turn.over():
            return False
        before = page


def _looked_back(turn: Turn) -> Ending:
    """The last days, for what others have read before us. A fault here costs the pull before it nothing."""
    try:
        if not reconcile.lately(turn):
            return replace(_at_rest(turn), due_at=turn.house.now())
    except AnswerLost:
        raise
    except GatewayError as why:
        log.warning("inbox look-back failed", extra={"line": turn.line, "code": why.code})
        return _at_rest(turn, trouble=_trouble(why))
    _check(turn)
    ended = replace(_at_rest(turn), look_began=None, looked_to=None, reconciled_at=turn.began)
    if turn.thorough:
        ended = replace(ended, thorough_at=(turn.look_began or turn.began) + THOROUGH_EVERY)
    return replace(ended, reconcile_at=turn.house.now() + turn.house.policy.inbox_reconcile)


def _check(turn: Turn) -> None:
    """What the gateway counts proves nothing: where it does not say, all else stands."""
    try:
        check.of_last_day(turn)
    except GatewayError as why:
        log.warning("inbox count failed", extra={"line": turn.line, "code": why.code})


def _in_doubt(turn: Turn) -> Ending:
    """An answer was lost, or a worker died: nothing is asked of `receive` before all of that is found."""
    log.warning("inbox reconcile started", extra={"line": turn.line, "complete_to": str(turn.complete_to)})
    if not reconcile.whole(turn):
        return _ending(turn)
    turn.complete_to = max(turn.began - MARGIN, turn.complete_to or turn.began - MARGIN)
    log.info("inbox reconciled", extra={"line": turn.line, "stored": turn.stored})
    anew = replace(_ending(turn), look_began=None, looked_to=None, thorough_at=turn.began)
    return replace(anew, doubtful_since=None, reconcile_at=min(turn.claim.reconcile_at, turn.began))


def _lost(turn: Turn, trouble: str, code: int | None = None) -> Pulled:
    """The gateway may still act on the request that we gave up: the line is reconciled once it cannot any more."""
    now, settle = turn.house.now(), turn.house.policy.unknown_grace
    log.warning("inbox answer lost", extra={"line": turn.line, "code": code})
    turn.house.database(lines.lose, turn.claim, complete_to=turn.certain_to, now=now, settle=settle, trouble=trouble)
    return _pulled(turn, trouble=trouble)


def _at_rest(turn: Turn, *, trouble: str | None = None) -> Ending:
    """Nothing is unread: due again when the line's interval is over."""
    after = turn.began + turn.claim.every - turn.house.now()
    return replace(_ending(turn, after=after, trouble=trouble), pulled_at=turn.began)


def _ending(turn: Turn, *, after: timedelta = timedelta(0), trouble: str | None = None) -> Ending:
    """Due again `after` so long, as doubtful as it was found, and with the look back where it has come to."""
    now = turn.house.now()
    return Ending(
        due_at=max(now, now + after),
        doubtful_since=turn.claim.doubtful_since,
        trouble=trouble,
        look_began=turn.look_began,
        looked_to=turn.looked_to,
        complete_to=turn.complete_to,
        thorough_at=turn.began if turn.unreadable and not turn.thorough else None,
    )


def _trouble(why: GatewayError) -> str | None:
    """For whoever looks at the line; that it has to wait for the pace is none."""
    return None if isinstance(why, Throttled) else str(why)


def _pulled(turn: Turn, *, trouble: str) -> Pulled:
    return Pulled(turn.pages, turn.stored, trouble=trouble)
