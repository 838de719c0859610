"""Is the database's clock right? After a leap nothing is sent or resolved until whatever had left by then is over.

A lease that was good until later may seem to be over at once, while its holder is about to send. And what was planned
while the clock was ahead lies in the future when it is right again: that is pulled back.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final

from campaigns.house import House, Policy
from campaigns.store import gate, inbound, leaps
from campaigns.store.leaps import Furthest, Schedule

log = logging.getLogger(__name__)

LONGEST_PAUSE: Final = timedelta(minutes=20)
"""Longer than the pace pauses at most (15 minutes), and than any wait that the gateway's codes name."""


def look(house: House) -> bool:
    """Read the database's clock, and trust it again once a leap was waited out. True: it is trusted."""
    by = house.database.clock.look()
    leap = house.database(gate.read).leap
    if leap is None:
        return by is None or _note_again(house, by)
    if not house.database.clock.waited_out(leap.at):
        return False
    pull_back(house)
    plan_polls(house)
    if house.database(leaps.clear, leapt_at=leap.at):
        log.warning("database clock trusted again", extra={"leapt_by_s": round(leap.by.total_seconds(), 1)})
    return True


def _note_again(house: House, by: timedelta) -> bool:
    """A restored database, or one that lost commits, has forgotten a leap that is not over. Always False: no trust."""
    house.database(leaps.note, by=by, now=house.now())
    log.error("database clock leap not over", extra={"by_s": round(by.total_seconds(), 1)})
    return False


def tidy(house: House) -> dict[str, int]:
    """Pull back what was left too far ahead, unless the clock itself is in doubt: then nobody knows what is far."""
    return {} if house.database(gate.read).leap is not None else pull_back(house)


def pull_back(house: House) -> dict[str, int]:
    """Bring back times that lie further ahead than anything of ours is planned; how many of which kind."""
    return _said(house.database(leaps.pull_back, furthest(house.policy), now=house.now()))


def plan_polls(house: House) -> dict[str, int]:
    """Plan the polls anew that somebody planned while the clock ran ahead, and believed it; how many of which kind."""
    ages = house.policy.status_polls
    schedule = Schedule(ages, ages)
    return _said(house.database(leaps.plan_polls, schedule, put_off=LONGEST_PAUSE, now=house.now(), in_doubt=True))


def follow_schedule(house: House) -> dict[str, int]:
    """Plan the polls anew that a schedule which ended earlier has planned for the end of their windows, or too late.

    What lies behind the next age by no more than the longest wait may have been put off, and stays.
    """
    schedule = Schedule(house.policy.status_polls, house.policy.polls_leaning)
    moved = house.database(leaps.plan_polls, schedule, put_off=LONGEST_PAUSE, now=house.now(), allowed=LONGEST_PAUSE)
    if moved:
        log.warning("polls rescheduled", extra={kind.replace(" ", "_"): n for kind, n in moved.items()})
    return moved


def _said(moved: dict[str, int]) -> dict[str, int]:
    if moved:
        log.warning("future times corrected", extra={kind.replace(" ", "_"): n for kind, n in moved.items()})
    return moved


def furthest(policy: Policy) -> Furthest:
    """How far ahead the times of each kind may lie, with these times kept."""
    return Furthest(
        put_off=LONGEST_PAUSE,
        lease=policy.lease,
        settle=policy.unknown_grace,
        status_window=policy.status_window,
        probe=policy.hold_recheck,
        watch=policy.watch,
        ledger=policy.ledger_every,
        block_lists=policy.suppress_sync,
        reconcile=policy.inbox_reconcile,
        hand_over=max(inbound.DELAYS),
    )
