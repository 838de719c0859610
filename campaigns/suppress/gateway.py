"""The gateway's block lists, a line after the other, and what they say of one number at this moment.

From the gateway comes every number that a line of ours does not reach, with its reason. To the gateway goes whom we
suppressed ourselves, and whom a person lifted is taken off where the API lets us. Whoever is no longer on a list of the
gateway stays suppressed here: only a person lifts a number.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection

from campaigns.errors import AccountBlocked, CampaignRefused, Postpone, Refused
from campaigns.house import House
from campaigns.rules.phone import normalise
from campaigns.store import blocklists, installation
from campaigns.store.blocklists import Turn
from campaigns.suppress.visit import OverForNow, Synced, Visit

log = logging.getLogger(__name__)

MOST_CALLS: Final = 100
"""Calls of one scheduled run. What is left of a long list is for the next one, a few seconds later."""
SYNC_EVERY: Final = timedelta(hours=1)
"""When a line is due again that was synchronised by hand, where nothing is scheduled."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What the gateway says of a number and a line; `blocked` is None where the line cannot be asked about."""

    line: str
    blocked: bool | None
    trouble: str = ""


def check(house: House, number: str, lines: Sequence[str]) -> list[Listed]:
    """On which lines' lists a number stands at this moment. Raises: BadInput, Postpone, Refused."""
    return [_check(house, normalise(number), line) for line in lines]


def _check(house: House, number: str, line: str) -> Listed:
    try:
        answered = house.gateway.blocked_exists(line, [number])
    except CampaignRefused as why:  # 412: the line is not ours
        return Listed(line, None, str(why))
    if not answered:
        return Listed(line, None, "the gateway did not say")
    return Listed(line, any(row.blocked for row in answered))


def run(house: House, line: str) -> Synced:
    """Synchronise a line that is due, as far as one run goes. Ringing twice is harmless: the claim decides."""
    return _synced(house, line, at_once=False, most_calls=MOST_CALLS)[0]


def sync(house: House, lines: Sequence[str]) -> list[Synced]:
    """Synchronise the block lists of these lines now, both ways, each to its end.

    A line that the gateway refuses (412: it is not ours) does not stop the others. Where the gateway cannot be reached,
    or refuses the account, the rest is left out. What was interrupted goes on where it stopped.
    """
    done: list[Synced] = []
    for line in lines:
        found, go_on = _synced(house, line, at_once=True)
        done.append(found)
        if not go_on:
            break
    return done


def _synced(house: House, line: str, *, at_once: bool, most_calls: int | None = None) -> tuple[Synced, bool]:
    """What became of a line, and whether another one would fare any better."""
    now, lease = house.now(), house.policy.lease
    turn = house.database(blocklists.claim, line, owner=uuid4(), now=now, lease=lease, at_once=at_once)
    if turn is None:
        return Synced(line, trouble="somebody else synchronises it at this moment" if at_once else ""), True
    visit, wait, go_on = Visit(house, turn, calls_left=most_calls), house.policy.suppress_sync or SYNC_EVERY, True
    try:
        visit.run()
    except OverForNow:
        wait = timedelta(0)
    except Postpone as why:
        visit.trouble, wait, go_on = str(why), timedelta(seconds=why.retry_after_s), False
    except Refused as why:
        visit.trouble, go_on = str(why), not isinstance(why, AccountBlocked)
        log.warning("block list sync refused", extra={"line": line, "code": why.code})
        house.database(_hold, why, now=house.now())
    found = visit.synced
    house.database(_leave, turn, found, wait=wait, now=house.now())
    return found, go_on


def _leave(connection: Connection, turn: Turn, found: Synced, *, wait: timedelta, now: datetime) -> None:
    blocklists.leave(connection, turn, due_at=now + wait, trouble=found.trouble or None, whole=found.whole, now=now)


def _hold(connection: Connection, why: Refused, *, now: datetime) -> None:
    if isinstance(why, AccountBlocked):
        installation.hold_for(connection, why, now=now)
