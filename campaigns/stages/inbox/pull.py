"""Pull one line that is due: claim, pull, record, with every ending in sight."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final
from uuid import uuid4

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.errors import AccountBlocked, AnswerLost, GatewayError, Postpone, Refused, Throttled
from kavenegar_campaigns.kavenegar import methods
from kavenegar_campaigns.rules.dates import TEHRAN, day_start
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_campaigns.stages.inbox import (
    CLOCK_MARGIN,
    LeaseLost,
    LinePull,
    PullTimedOut,
    Window,
    drain_unread,
    reconcile,
)
from kavenegar_campaigns.store import inbound, lines
from kavenegar_campaigns.store.lines import LineEnding

# ── the gateway's count of inbound messages beside ours ──

log = logging.getLogger(__name__)

A_DAY: Final = methods.COUNTINBOX.max_span - timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class DayCount:
    """The gateway's count and ours of a line's messages of one day in Tehran; today without the last minutes."""

    line: str
    day: date
    gateway: int
    ours: int

    @property
    def short(self) -> int:
        """Return how many messages are missing here."""
        return max(0, self.gateway - self.ours)


def count_days(context: Context, line: str, *, days: int) -> Iterator[DayCount]:
    """Count the messages of the last `days`, today included, newest first: one call each. Raises: GatewayError."""
    settled = context.now() - CLOCK_MARGIN
    today = settled.astimezone(TEHRAN).date()
    for day in (today - timedelta(days=back) for back in range(days)):
        start = day_start(day)
        window = Window(start, min(start + A_DAY, settled).replace(microsecond=0))
        context.gateway.acquire_slot(Lane.HOUSEKEEPING)
        yield DayCount(line, day, *_counts(context, line, window))


def warn_if_short(pull: LinePull) -> None:
    """Warn if the gateway counts more messages than are stored after a full pull. Raises: Postpone, Refused."""
    end = (pull.began - CLOCK_MARGIN).replace(microsecond=0)
    gateway, ours = _counts(pull.context, pull.line, Window(end - A_DAY, end))
    if gateway > ours:
        log.warning("inbox messages found missing", extra={"line": pull.line, "gateway": gateway, "ours": ours})


def _counts(context: Context, line: str, window: Window) -> tuple[int, int]:
    start, end = window.span
    count = context.gateway.countinbox(start, end, line)
    return count.sumcount, inbound.count_between(context.database, line, window.start, window.end)


REFUSED_RETRY: Final = timedelta(minutes=15)
"""When a line that the gateway refuses is tried again, at the earliest: a person has to mend it.

A wrong key or an account on hold is no fault of the line: it is tried again as soon as the account is looked at.
"""
THOROUGH_EVERY: Final = timedelta(days=1)
"""How often a look back takes no count for a proof, at the least: half of what it looks back."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """The result of one pull of a line; `more`: another pull follows at once."""

    pages: int = 0
    stored: int = 0
    more: bool = False
    trouble: str = ""

    @property
    def summary(self) -> str:
        """Return the text for Flower."""
        if not self.pages:
            return self.trouble or "not due"
        counts = f"{self.pages} pages, {self.stored} new" + (", more to come" if self.more else "")
        return counts + (f", {self.trouble}" if self.trouble else "")


def pull_line(context: Context, line: str) -> Pulled:
    """Pull a line, or reconcile it if it is in doubt. Running twice is harmless: the claim decides."""
    settle = context.policy.unknown_grace
    if not lines.is_due(context.database, line, now=context.now(), unknown_grace=settle):
        return Pulled()
    try:
        context.gateway.acquire_slot(Lane.HOUSEKEEPING)
    except Postpone as why:
        lines.postpone(context.database, line, due_at=context.now() + timedelta(seconds=why.retry_after_s))
        return Pulled(trouble=f"put off for {why.retry_after_s:.0f} s")
    claim = lines.claim(
        context.database, line, owner=uuid4(), now=context.now(), lease=context.policy.lease, unknown_grace=settle
    )
    return Pulled() if claim is None else _pull(LinePull(context, claim))


def _pull(pull: LinePull) -> Pulled:
    ending: LineEnding | None = None
    try:
        ending = _reconcile(pull) if pull.claim.needs_reconcile_since is not None else _receive(pull)
    except AnswerLost as why:
        return _answer_lost(pull, str(why), why.code)
    except Postpone as why:
        ending = _ending(pull, after=timedelta(seconds=why.retry_after_s), trouble=_trouble(why))
    except Refused as why:
        log.warning("inbox pull refused", extra={"line": pull.line, "code": why.code})
        rest = pull.context.policy.hold_recheck if isinstance(why, AccountBlocked) else REFUSED_RETRY
        ending = _ending(pull, after=max(pull.claim.every, rest), trouble=str(why))
        ending = replace(ending, full_reconcile_at=pull.began)
    except PullTimedOut:
        ending = _ending(pull)
    except LeaseLost:
        log.warning("inbox lease lost", extra={"line": pull.line})
    if pull.lost is not None:
        return _answer_lost(pull, "an answer was lost, and not all that it handed out is found yet")
    if ending is None:
        return _pulled(pull, trouble="another worker has the line")
    held = lines.release(pull.context.database, pull.claim, ending)
    more = held and ending.trouble is None and ending.due_at <= pull.context.now()
    return replace(_pulled(pull, trouble=ending.trouble or ""), more=more)


def _receive(pull: LinePull) -> LineEnding:
    """Everything that is unread; then, when it is time for it, the last days. Raises: GatewayError, …"""
    if not drain_unread(pull, pull.receive, lambda page: page.row_count < methods.RECEIVE.max_answer_rows):
        return _ending(pull)
    pull.complete_to = pull.began - CLOCK_MARGIN
    return _at_rest(pull) if pull.claim.reconcile_at > pull.began else _look_back(pull)


def _look_back(pull: LinePull) -> LineEnding:
    """Reconcile the last days, for messages that other software read before us. A fault does not undo the pull."""
    try:
        if not reconcile.reconcile_recent(pull):
            return replace(_at_rest(pull), due_at=pull.context.now())
    except AnswerLost:
        raise
    except GatewayError as why:
        log.warning("inbox look-back failed", extra={"line": pull.line, "code": why.code})
        return _at_rest(pull, trouble=_trouble(why))
    _check(pull)
    ended = replace(_at_rest(pull), reconcile_began_at=None, reconciled_to=None, reconciled_at=pull.began)
    if pull.thorough:
        ended = replace(ended, full_reconcile_at=(pull.reconcile_began_at or pull.began) + THOROUGH_EVERY)
    return replace(ended, reconcile_at=pull.context.now() + pull.context.policy.inbox_reconcile)


def _check(pull: LinePull) -> None:
    """Compare the gateway's count with ours. If the gateway does not answer, the pull counts all the same."""
    try:
        warn_if_short(pull)
    except GatewayError as why:
        log.warning("inbox count failed", extra={"line": pull.line, "code": why.code})


def _reconcile(pull: LinePull) -> LineEnding:
    """Reconcile after a lost answer or a dead worker, before anything else is received."""
    log.warning("inbox reconcile started", extra={"line": pull.line, "complete_to": str(pull.complete_to)})
    if not reconcile.reconcile_all(pull):
        return _ending(pull)
    pull.complete_to = max(pull.began - CLOCK_MARGIN, pull.complete_to or pull.began - CLOCK_MARGIN)
    log.info("inbox reconciled", extra={"line": pull.line, "stored": pull.stored})
    anew = replace(_ending(pull), reconcile_began_at=None, reconciled_to=None, full_reconcile_at=pull.began)
    return replace(anew, needs_reconcile_since=None, reconcile_at=min(pull.claim.reconcile_at, pull.began))


def _answer_lost(pull: LinePull, trouble: str, code: int | None = None) -> Pulled:
    """Schedule reconciling for when the gateway can no longer act on the request whose answer was lost."""
    now, settle = pull.context.now(), pull.context.policy.unknown_grace
    log.warning("inbox answer lost", extra={"line": pull.line, "code": code})
    lines.record_lost_answer(
        pull.context.database,
        pull.claim,
        complete_to=pull.certain_to,
        now=now,
        unknown_grace=settle,
        trouble=trouble,
    )
    return _pulled(pull, trouble=trouble)


def _at_rest(pull: LinePull, *, trouble: str | None = None) -> LineEnding:
    """Return the ending of a line without unread messages: due again after its interval."""
    after = pull.began + pull.claim.every - pull.context.now()
    return replace(_ending(pull, after=after, trouble=trouble), pulled_at=pull.began)


def _ending(pull: LinePull, *, after: timedelta = timedelta(0), trouble: str | None = None) -> LineEnding:
    """Return an ending that is due `after` so long and keeps the doubt and the progress of the look back."""
    now = pull.context.now()
    return LineEnding(
        due_at=max(now, now + after),
        needs_reconcile_since=pull.claim.needs_reconcile_since,
        trouble=trouble,
        reconcile_began_at=pull.reconcile_began_at,
        reconciled_to=pull.reconciled_to,
        complete_to=pull.complete_to,
        full_reconcile_at=pull.began if pull.unreadable and not pull.thorough else None,
    )


def _trouble(why: GatewayError) -> str | None:
    """Return the trouble to show for the line; a wait for the pace is none."""
    return None if isinstance(why, Throttled) else str(why)


def _pulled(pull: LinePull, *, trouble: str) -> Pulled:
    return Pulled(pull.pages, pull.stored, trouble=trouble)
