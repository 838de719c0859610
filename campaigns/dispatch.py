"""The one-second tick: what is due is rung for, what lapsed is doubted, what is over is closed.

A ring is a hint and carries no truth: a lost one is rung again, a doubled one finds nothing to claim. Two
dispatchers at once do no harm: the second finds the first at work.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from campaigns.errors import Postpone
from campaigns.house import House, Policy
from campaigns.rules.splitting import POLL
from campaigns.store import due, installation, polls

MOST_POLLS = 50


@dataclass(frozen=True, slots=True)
class Bells:
    """Whom to ring for: batches to send, to resolve, to withdraw; how many polls; whether to look at the account."""

    send: Sequence[int] = ()
    resolve: Sequence[int] = ()
    withdraw: Sequence[int] = ()
    polls: int = 0
    account: bool = False

    @property
    def summary(self) -> str:
        """What Flower shows."""
        parts = {
            "send": len(self.send),
            "resolve": len(self.resolve),
            "withdraw": len(self.withdraw),
            "poll": self.polls,
            "account": int(self.account),
        }
        return " ".join(f"{name} {count}" for name, count in parts.items() if count) or "quiet"


def tick(house: House, *, now: datetime) -> Bells:
    """One look at everything that is due, in two short commits. Ring for what comes back, after it returns."""
    house.database(tidy, now=now, settle=house.policy.settle)
    try:
        rate = house.pace.rate()
    except Postpone:
        return Bells()  # without a pace nobody may call: ringing would be in vain
    return house.database(_ring, now=now, policy=house.policy, rate=rate)


def tidy(connection: Connection, *, now: datetime, settle: timedelta = timedelta(0)) -> None:
    """What time alone brings about: leases lapse, campaigns begin, windows close, campaigns end."""
    if not due.alone(connection):
        return
    due.lapse(connection, now=now, settle=settle)
    due.begin_scheduled(connection, now=now)
    polls.close_windows(connection, now=now)
    due.withdraw(connection, now=now)
    due.finish(connection, now=now)
    due.ticked(connection, now=now)


def _ring(connection: Connection, *, now: datetime, policy: Policy, rate: float) -> Bells:
    if not due.alone(connection):
        return Bells()
    room = max(1, math.ceil(rate * policy.horizon.total_seconds()))
    since = now - policy.ring_again
    waiting = due.due_polls(connection, now=now, most_batches=MOST_POLLS * 4)
    return Bells(
        send=due.ring_ready(connection, now=now, since=since, room=room),
        resolve=due.ring_unknown(connection, now=now, since=since, most=room),
        withdraw=due.ring_scheduled(connection, now=now, since=since, most=room),
        polls=min(math.ceil(waiting / POLL), MOST_POLLS, room),
        account=installation.claim_probe(connection, now=now, next_at=now + policy.probe),
    )
