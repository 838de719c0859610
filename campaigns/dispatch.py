"""The one-second tick: what is due is rung for, what lapsed is doubted, what is over is closed.

A ring is a hint and carries no truth: a lost one is rung again, a doubled one finds nothing to claim. Two
dispatchers at once do no harm: the second finds the first at work.

The tick also carries what the gateway has taught the pace between Redis, which uses it, and PostgreSQL, which keeps it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from campaigns.errors import Postpone
from campaigns.house import House, Policy
from campaigns.kavenegar.pace import Learnt, PaceView
from campaigns.kavenegar.throttle import Throttle
from campaigns.rules.splitting import POLL
from campaigns.store import due, installation, pace, polls
from campaigns.store.pace import Remembered

log = logging.getLogger(__name__)

MOST_POLLS: Final = 50
PATIENCE: Final = timedelta(seconds=2)
"""As long as a task waits for its slot. Rung for earlier than that, it would only be put off."""
NOTABLE: Final = 0.02
"""The part by which a rate must have changed to be written down at once."""
CONFIRMED_AGAIN: Final = timedelta(minutes=10)
"""How old what is written down may be while the same is still being confirmed."""


@dataclass(frozen=True, slots=True)
class Bells:
    """Whom to ring for: batches to send, to resolve, to withdraw; how many polls; whether to look at the account.

    `closing` of the `polls` are for windows that are about to close, and go ahead of the sends.
    """

    send: Sequence[int] = ()
    resolve: Sequence[int] = ()
    withdraw: Sequence[int] = ()
    polls: int = 0
    closing: int = 0
    account: bool = False

    @property
    def summary(self) -> str:
        """What Flower shows."""
        parts = {
            "send": len(self.send),
            "resolve": len(self.resolve),
            "withdraw": len(self.withdraw),
            "poll": self.polls,
            "closing": self.closing,
            "account": int(self.account),
        }
        return " ".join(f"{name} {count}" for name, count in parts.items() if count) or "quiet"


def tick(house: House, *, now: datetime) -> Bells:
    """One look at everything that is due, in two short commits. Ring for what comes back, after it returns."""
    remembered = house.database(_begin, house.pace.account, now=now, settle=house.policy.settle)
    try:
        view = _reminded(house.pace, remembered)
    except Postpone:
        return Bells()  # without a pace nobody may call: ringing would be in vain
    news = _news(view, remembered)
    return house.database(_end, house.pace.account, news, now=now, policy=house.policy, view=view)


def _begin(connection: Connection, account: str, *, now: datetime, settle: timedelta) -> Remembered | None:
    tidy(connection, now=now, settle=settle)
    return pace.recall(connection, account)


def _end(
    connection: Connection, account: str, news: Remembered | None, *, now: datetime, policy: Policy, view: PaceView
) -> Bells:
    if not due.alone(connection):
        return Bells()
    if news is not None:
        pace.remember(connection, account, news)
    return ring(connection, now=now, policy=policy, view=view)


def tidy(connection: Connection, *, now: datetime, settle: timedelta) -> None:
    """What time alone brings about: leases lapse, campaigns begin, windows close, campaigns end."""
    if not due.alone(connection):
        return
    due.lapse(connection, now=now, settle=settle)
    due.begin_scheduled(connection, now=now)
    polls.close_windows(connection, now=now)
    due.withdraw(connection, now=now)
    due.finish(connection, now=now)
    due.ticked(connection, now=now)


# ── what the gateway has taught ──


def _reminded(throttle: Throttle, remembered: Remembered | None) -> PaceView:
    """The pace, once it has been given back what it forgot in a flush or a restart. Raises: Postpone."""
    view = throttle.view()
    if view.fixed or view.learnt is not None or remembered is None:
        return view
    if throttle.remind(Learnt(remembered.rate, remembered.refused, remembered.at)):
        log.warning("pace reminded", extra={"rate": remembered.rate, "refused": remembered.refused})
    return throttle.view()


def _news(view: PaceView, remembered: Remembered | None) -> Remembered | None:
    """What is worth writing down; None while the same as before is confirmed, but for once in ten minutes."""
    if view.learnt is None:
        return None
    learnt = Remembered(view.learnt.rate, view.learnt.refused, view.learnt.at)
    if (
        remembered is None
        or learnt.refused != remembered.refused
        or abs(learnt.rate - remembered.rate) > NOTABLE * remembered.rate
        or abs(learnt.at - remembered.at) > CONFIRMED_AGAIN
    ):
        return learnt
    return None


# ── what is due ──


def ring(connection: Connection, *, now: datetime, policy: Policy, view: PaceView) -> Bells:
    """Ring for what is due, as far ahead as the pace has room.

    Rings to send and to resolve count until they are answered. For polls and withdrawals nobody keeps count: each tick
    rings anew, and only for what gets its slot at once.
    """
    room, at_once = _room(view, policy.horizon), _room(view, min(policy.horizon, PATIENCE))
    if not at_once:
        return Bells()
    since = now - policy.ring_again
    waiting, closing = polls.waiting(
        connection, now=now, closing_before=policy.closing_before(now), most_batches=MOST_POLLS * 4
    )
    return Bells(
        send=due.ring_ready(connection, now=now, since=since, room=room),
        resolve=due.ring_unknown(connection, now=now, since=since, most=room),
        withdraw=due.ring_scheduled(connection, now=now, since=since, most=at_once),
        polls=_polls(max(waiting, closing), at_once),
        closing=_polls(closing, at_once),
        account=installation.claim_probe(connection, now=now, next_at=now + policy.probe),
    )


def _room(view: PaceView, ahead: timedelta) -> int:
    """How many calls the pace takes until `ahead` from now; none while it is paused for longer than that."""
    paused = timedelta(0) if view.paused_until is None else view.paused_until - view.at  # both on the same clock
    flowing_s = (ahead - max(paused, timedelta(0))).total_seconds()
    return max(1, math.ceil(view.rate * flowing_s)) if flowing_s > 0 else 0


def _polls(messages: int, room: int) -> int:
    return min(math.ceil(messages / POLL), MOST_POLLS, room)
