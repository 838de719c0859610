"""The one-second tick: enqueue due work, mark batches with expired leases unknown, close finished campaigns.

An enqueued task is a hint and carries no truth: a lost one is enqueued again, a doubled one finds nothing to claim.
Two dispatchers at once do no harm: the second finds the first at work. The tick also carries what the pace has
learnt between Redis, which uses it, and PostgreSQL, which keeps it. The chores come round every few seconds.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from kavenegar_campaigns.context import Context, Policy
from kavenegar_campaigns.errors import Postpone
from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.rules.batches import POLL_SIZE, localid_cutoff, quiet_age
from kavenegar_campaigns.rules.pace import LearntRate, PaceView
from kavenegar_campaigns.store import (
    blocklists,
    callbacks,
    due,
    in_one_commit,
    inbound,
    installation,
    lines,
    lookups,
    otp_due,
    outcomes,
    polls,
)
from kavenegar_campaigns.store.installation import RememberedPace

log = logging.getLogger(__name__)

MAX_POLLS: Final = 50
SLOT_WAIT: Final = timedelta(seconds=2)
"""As long as a task waits for its slot. A task that is enqueued earlier would only be put off."""
MAX_LINE_PULLS: Final = 3
"""Lines that are pulled at once: each holds a thread of those that poll, for many seconds."""
OTP_REENQUEUE_AFTER: Final = timedelta(seconds=2)
"""A one-time password whose task did nothing for so long is enqueued again."""
NOTABLE_RATE_CHANGE: Final = 0.02
"""The part by which a rate must have changed to be written down at once."""
SAVE_CONFIRMED_EVERY: Final = timedelta(minutes=10)
"""How old what is written down may be while the same is still being confirmed."""


@dataclass(frozen=True, slots=True)
class DueWork:
    """Work to enqueue: batches to send, to resolve, to withdraw; how many polls; whether to recheck the account;
    one-time passwords to send, and whether to follow them; lines to pull, and whether to deliver inbound messages;
    how many tasks to process callbacks.

    `closing` of the `polls` are for windows that are about to close, and go ahead of the sends.
    """

    send: Sequence[int] = ()
    resolve: Sequence[int] = ()
    withdraw: Sequence[int] = ()
    polls: int = 0
    closing: int = 0
    account: bool = False
    otp: Sequence[int] = ()
    follow_otps: bool = False
    lines: Sequence[str] = ()
    deliver: bool = False
    callbacks: int = 0

    @property
    def summary(self) -> str:
        """Return the text for Flower."""
        parts = {
            "send": len(self.send),
            "resolve": len(self.resolve),
            "withdraw": len(self.withdraw),
            "poll": self.polls,
            "closing": self.closing,
            "account": int(self.account),
            "otp": len(self.otp),
            "follow": int(self.follow_otps),
            "pull": len(self.lines),
            "deliver": int(self.deliver),
            "callbacks": self.callbacks,
        }
        return " ".join(f"{name} {count}" for name, count in parts.items() if count) or "quiet"


def tick(context: Context, *, now: datetime) -> DueWork:
    """Find all due work, in two short commits. Returns the work for the caller to enqueue.

    After a leap of the database's clock nothing lapses, begins or closes before it is trusted again.
    """
    remembered = _apply_deadlines_and_recall_pace(
        context.database, context.pace.account, now=now, policy=context.policy
    )
    try:
        view = _restore_pace(context.pace, remembered)
    except Postpone:
        return DueWork()  # without a pace nobody may call: there is nothing to enqueue for
    to_save = _pace_to_save(view, remembered)
    return _save_pace_and_enqueue(
        context.database,
        context.pace.account,
        to_save,
        now=now,
        account=context.account,
        policy=context.policy,
        view=view,
    )


@in_one_commit
def _apply_deadlines_and_recall_pace(
    connection: Connection, account: str, *, now: datetime, policy: Policy
) -> RememberedPace | None:
    apply_deadlines(connection, now=now, policy=policy)
    return installation.recall_pace(connection, account)


@in_one_commit
def _save_pace_and_enqueue(
    connection: Connection,
    pace_label: str,
    to_save: RememberedPace | None,
    *,
    now: datetime,
    account: str,
    policy: Policy,
    view: PaceView,
) -> DueWork:
    if not due.try_tick_lock(connection):
        return DueWork()
    if to_save is not None:
        installation.remember_pace(connection, pace_label, to_save)
    update_polling_mode(connection, now=now, policy=policy)
    return enqueue_due(connection, now=now, account=account, policy=policy, view=view)


def apply_deadlines(connection: Connection, *, now: datetime, policy: Policy) -> None:
    """Apply the deadlines that have passed: leases expire, campaigns begin, windows close, campaigns finish."""
    if not due.try_tick_lock(connection):
        return
    if not due.record_heartbeat(connection, now=now):
        return
    due.expire_leases(connection, now=now, unknown_grace=policy.unknown_grace)
    for batch_id in outcomes.give_up_unanswered(connection, now=now, window=policy.localid_window):
        log.error("messages left uncertain", extra={"batch_id": batch_id, "trouble": outcomes.WINDOW_ENDED})
    due.begin_scheduled(connection, now=now)
    polls.close_windows(connection, now=now)
    otp_due.expire_unsent(connection, now=now)
    for otp_id in otp_due.expire_leases(connection, now=now):
        log.warning("one-time password outcome unknown", extra={"otp_id": otp_id})
    lookups.drop_closed_ids(connection, now=now)
    due.cancel_unsent(connection, now=now)
    due.finish_campaigns(connection, now=now)


# ── what the gateway has taught ──


def _restore_pace(throttle: Throttle, remembered: RememberedPace | None) -> PaceView:
    """Read the pace, after restoring a learnt rate that it lost in a flush or a restart. Raises: Postpone."""
    view = throttle.view()
    if view.fixed or view.learnt is not None or remembered is None:
        return view
    if throttle.restore(LearntRate(remembered.rate, remembered.refused, remembered.at)):
        log.warning("pace restored", extra={"rate": remembered.rate, "refused": remembered.refused})
    return throttle.view()


def _pace_to_save(view: PaceView, remembered: RememberedPace | None) -> RememberedPace | None:
    """Return the learnt rate if it has changed or was saved ten minutes ago; None otherwise."""
    if view.learnt is None:
        return None
    learnt = RememberedPace(view.learnt.rate, view.learnt.refused, view.learnt.at)
    if (
        remembered is None
        or learnt.refused != remembered.refused
        or abs(learnt.rate - remembered.rate) > NOTABLE_RATE_CHANGE * remembered.rate
        or abs(learnt.at - remembered.at) > SAVE_CONFIRMED_EVERY
    ):
        return learnt
    return None


# ── whether callbacks bring the verdicts ──


def update_polling_mode(connection: Connection, *, now: datetime, policy: Policy) -> None:
    """Poll less often while callbacks arrive; when they stop, schedule the polls that were left out."""
    now_active = callbacks.update_active(
        connection, since=now - policy.callback_timeout if policy.callbacks_expected else now
    )
    if now_active:
        log.info("callbacks became active")
    left_out = sorted(set(policy.status_polls) - set(policy.reduced_polls))
    if now_active is False and left_out:
        caught_up = callbacks.restore_full_polls(
            connection, first=left_out[0], quiet_age=quiet_age(policy.status_window), now=now
        )
        log.log(logging.WARNING if caught_up else logging.INFO, "callbacks timed out", extra={"batches": caught_up})


# ── what is due ──


def enqueue_due(connection: Connection, *, now: datetime, account: str, policy: Policy, view: PaceView) -> DueWork:
    """Mark due work as enqueued, as far ahead as the pace has room, and return it; `account` is the label of our key.

    Tasks to send and to resolve count until a worker takes them. Polls and withdrawals are not counted: each tick
    enqueues them anew, and only as many as get their slot at once.
    """
    room, at_once = _room(view, policy.enqueue_horizon), _room(view, min(policy.enqueue_horizon, SLOT_WAIT))
    callbacks_due = callbacks.any_due(connection, now=now)  # no call to the gateway either, to look at them
    deliver = policy.deliver_inbound and inbound.any_to_deliver(
        connection, now=now
    )  # no call to the gateway: no pause delays it
    if not at_once:
        return DueWork(deliver=deliver, callbacks=int(callbacks_due))
    since = now - policy.reenqueue_after
    waiting, closing = polls.count_due(
        connection, now=now, closing_before=policy.closing_before(now), most_batches=MAX_POLLS * 4
    )
    return DueWork(
        send=due.enqueue_ready(connection, now=now, since=since, room=room),
        resolve=due.enqueue_unknown(
            connection,
            account=account,
            now=now,
            since=since,
            localid_cutoff=localid_cutoff(now, window=policy.localid_window),
            most=room,
        ),
        withdraw=due.enqueue_withdrawals(connection, now=now, since=since, most=at_once),
        polls=_polls(max(waiting, closing), at_once),
        closing=_polls(closing, at_once),
        account=installation.claim_hold_recheck(connection, now=now, next_at=now + policy.hold_recheck),
        otp=otp_due.enqueue_ready(connection, now=now, since=now - OTP_REENQUEUE_AFTER, most=at_once),
        follow_otps=otp_due.any_poll_due(connection, now=now),
        lines=lines.due(connection, now=now, unknown_grace=policy.unknown_grace, most=min(MAX_LINE_PULLS, at_once)),
        deliver=deliver,
        callbacks=max(
            int(callbacks_due),
            _polls(callbacks.count_to_confirm(connection, now=now, most=MAX_POLLS * POLL_SIZE), at_once),
        ),
    )


def _room(view: PaceView, ahead: timedelta) -> int:
    """Count the calls that the pace takes until `ahead` from now; 0 while it is paused for longer than that."""
    paused = timedelta(0) if view.paused_until is None else view.paused_until - view.at  # both on the same clock
    flowing_s = (ahead - max(paused, timedelta(0))).total_seconds()
    return max(1, math.ceil(view.rate * flowing_s)) if flowing_s > 0 else 0


def _polls(messages: int, room: int) -> int:
    return min(math.ceil(messages / POLL_SIZE), MAX_POLLS, room)


# ── chores: what comes round by the clock, whether or not there is work ──
#
# A chore is claimed by setting its next time, so that one process does it however many look. A claim that is lost with
# its worker costs one round.


@dataclass(frozen=True, slots=True)
class Chores:
    """The chores that are due."""

    watch: bool = False  # the account's credit and settings
    ledger: bool = False  # what left on the last days
    blocklists: Sequence[str] = ()  # of these lines; claimed by whoever synchronises them

    @property
    def summary(self) -> str:
        """Return the text for Flower."""
        return " ".join(chore.name for chore in fields(self) if getattr(self, chore.name)) or "quiet"


def due_chores(context: Context, *, now: datetime) -> Chores:
    """Claim the chores whose time has come; the caller enqueues them."""
    return _claim_chores(context.database, now=now, policy=context.policy)


@in_one_commit
def _claim_chores(connection: Connection, *, now: datetime, policy: Policy) -> Chores:
    return Chores(
        watch=installation.claim_account_check(connection, now=now, next_at=now + policy.account_watch),
        ledger=installation.claim_ledger_count(connection, now=now, next_at=now + policy.ledger_every),
        blocklists=blocklists.due(connection, now=now) if policy.suppress_sync else (),
    )
