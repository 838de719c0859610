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
from campaigns.rules.polling import calm
from campaigns.rules.splitting import POLL
from campaigns.rules.windows import forgotten_before
from campaigns.store import callbacks, due, giving_up, inbound, installation, lines, otp_due, pace, polls, receipts
from campaigns.store.pace import Remembered

log = logging.getLogger(__name__)

MOST_POLLS: Final = 50
PATIENCE: Final = timedelta(seconds=2)
"""As long as a task waits for its slot. Rung for earlier than that, it would only be put off."""
MOST_PULLS: Final = 3
"""Lines that are pulled at once: each holds a thread of those that poll, for many seconds."""
OTP_RING: Final = timedelta(seconds=2)
"""How long a one-time password just ordered is left to the ring of whoever ordered it."""
NOTABLE: Final = 0.02
"""The part by which a rate must have changed to be written down at once."""
CONFIRMED_AGAIN: Final = timedelta(minutes=10)
"""How old what is written down may be while the same is still being confirmed."""


@dataclass(frozen=True, slots=True)
class Bells:
    """Whom to ring for: batches to send, to resolve, to withdraw; how many polls; whether to look at the account;
    one-time passwords to send, and whether to follow them; lines to pull, and whether to hand over what came in;
    how often to heed callbacks.

    `closing` of the `polls` are for windows that are about to close, and go ahead of the sends.
    """

    send: Sequence[int] = ()
    resolve: Sequence[int] = ()
    withdraw: Sequence[int] = ()
    polls: int = 0
    closing: int = 0
    account: bool = False
    otp: Sequence[int] = ()
    follow: bool = False
    lines: Sequence[str] = ()
    hand: bool = False
    heed: int = 0

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
            "otp": len(self.otp),
            "follow": int(self.follow),
            "pull": len(self.lines),
            "hand": int(self.hand),
            "heed": self.heed,
        }
        return " ".join(f"{name} {count}" for name, count in parts.items() if count) or "quiet"


def tick(house: House, *, now: datetime) -> Bells:
    """One look at everything that is due, in two short commits. Ring for what comes back, after it returns.

    After a leap of the database's clock nothing lapses, begins or closes before it is trusted again.
    """
    remembered = house.database(_begin, house.pace.account, now=now, policy=house.policy)
    try:
        view = _reminded(house.pace, remembered)
    except Postpone:
        return Bells()  # without a pace nobody may call: ringing would be in vain
    news = _news(view, remembered)
    return house.database(
        _end, house.pace.account, news, now=now, account=house.account, policy=house.policy, view=view
    )


def _begin(connection: Connection, account: str, *, now: datetime, policy: Policy) -> Remembered | None:
    tidy(connection, now=now, policy=policy)
    return pace.recall(connection, account)


def _end(
    connection: Connection,
    pace_label: str,
    news: Remembered | None,
    *,
    now: datetime,
    account: str,
    policy: Policy,
    view: PaceView,
) -> Bells:
    if not due.alone(connection):
        return Bells()
    if news is not None:
        pace.remember(connection, pace_label, news)
    lean(connection, now=now, policy=policy)
    return ring(connection, now=now, account=account, policy=policy, view=view)


def tidy(connection: Connection, *, now: datetime, policy: Policy) -> None:
    """What time alone brings about: leases lapse, campaigns begin, windows close, campaigns end."""
    if not due.alone(connection):
        return
    if not due.ticked(connection, now=now):
        return
    due.lapse(connection, now=now, settle=policy.unknown_grace)
    for batch_id in giving_up.give_up(connection, now=now, window=policy.localid_window):
        log.error("messages left uncertain", extra={"batch_id": batch_id, "trouble": giving_up.WINDOW_ENDED})
    due.begin_scheduled(connection, now=now)
    polls.close_windows(connection, now=now)
    otp_due.expire(connection, now=now)
    for otp_id in otp_due.lapse(connection, now=now):
        log.warning("one-time password outcome unknown", extra={"otp_id": otp_id})
    receipts.forget(connection, now=now)
    due.withdraw(connection, now=now)
    due.finish(connection, now=now)


# ── what the gateway has taught ──


def _reminded(throttle: Throttle, remembered: Remembered | None) -> PaceView:
    """The pace, once it has been given back what it forgot in a flush or a restart. Raises: Postpone."""
    view = throttle.view()
    if view.fixed or view.learnt is not None or remembered is None:
        return view
    if throttle.remind(Learnt(remembered.rate, remembered.refused, remembered.at)):
        log.warning("pace restored", extra={"rate": remembered.rate, "refused": remembered.refused})
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


# ── whether callbacks are leaned on ──


def lean(connection: Connection, *, now: datetime, policy: Policy) -> None:
    """While callbacks come, batches are polled less often; once they fall silent, what was left out is made up for."""
    leans = callbacks.lean(connection, since=now - policy.callback_timeout if policy.callbacks else now)
    if leans:
        log.info("callbacks became active")
    left_out = sorted(set(policy.status_polls) - set(policy.polls_leaning))
    if leans is False and left_out:
        caught_up = callbacks.catch_up(connection, first=left_out[0], calm=calm(policy.status_window), now=now)
        log.log(logging.WARNING if caught_up else logging.INFO, "callbacks timed out", extra={"batches": caught_up})


# ── what is due ──


def ring(connection: Connection, *, now: datetime, account: str, policy: Policy, view: PaceView) -> Bells:
    """Ring for what is due, as far ahead as the pace has room; `account` is the label of our key.

    Rings to send and to resolve count until they are answered. For polls and withdrawals nobody keeps count: each tick
    rings anew, and only for what gets its slot at once.
    """
    room, at_once = _room(view, policy.horizon), _room(view, min(policy.horizon, PATIENCE))
    told = callbacks.due(connection, now=now)  # no call to the gateway either, to look at them
    hand = policy.hand_over and inbound.to_hand(connection, now=now)  # no call to the gateway: no pause delays it
    if not at_once:
        return Bells(hand=hand, heed=int(told))
    since = now - policy.reenqueue_after
    waiting, closing = polls.waiting(
        connection, now=now, closing_before=policy.closing_before(now), most_batches=MOST_POLLS * 4
    )
    return Bells(
        send=due.ring_ready(connection, now=now, since=since, room=room),
        resolve=due.ring_unknown(
            connection,
            account=account,
            now=now,
            since=since,
            forgotten_before=forgotten_before(now, window=policy.localid_window),
            most=room,
        ),
        withdraw=due.ring_scheduled(connection, now=now, since=since, most=at_once),
        polls=_polls(max(waiting, closing), at_once),
        closing=_polls(closing, at_once),
        account=installation.claim_probe(connection, now=now, next_at=now + policy.hold_recheck),
        otp=otp_due.due(connection, now=now, since=now - OTP_RING, most=at_once),
        follow=otp_due.any_to_follow(connection, now=now),
        lines=lines.due(connection, now=now, settle=policy.unknown_grace, most=min(MOST_PULLS, at_once)),
        hand=hand,
        heed=max(int(told), _polls(callbacks.gathered(connection, now=now, most=MOST_POLLS * POLL), at_once)),
    )


def _room(view: PaceView, ahead: timedelta) -> int:
    """How many calls the pace takes until `ahead` from now; none while it is paused for longer than that."""
    paused = timedelta(0) if view.paused_until is None else view.paused_until - view.at  # both on the same clock
    flowing_s = (ahead - max(paused, timedelta(0))).total_seconds()
    return max(1, math.ceil(view.rate * flowing_s)) if flowing_s > 0 else 0


def _polls(messages: int, room: int) -> int:
    return min(math.ceil(messages / POLL), MOST_POLLS, room)
