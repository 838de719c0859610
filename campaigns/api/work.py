"""The units of work that our processes run: a worker's tasks, and what `campaigns web` records.

Each takes the `Context` of its process. All but `begin_tick` may run twice without harm, because a claim in the
database decides who does the work; one that does nothing says so in its answer.

every second   begin_tick, check_place, find_due, batch_positions
now and then   claim_chores, watch_account, keep_ledger, sync_due_line
due work       send_batch, resolve_batch, withdraw_batch, poll_statuses, recheck_hold, check_restart
one-time       send_otp, follow_otps, send_at_once
what comes in  pull_line, deliver_by_webhook, claim_deliveries, record_statuses, record_inbound, process_callbacks
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.stages import dispatch, guards
from kavenegar_campaigns.stages.account import recheck_hold, recognise_key
from kavenegar_campaigns.stages.account import watch as watch_account
from kavenegar_campaigns.stages.callbacks import (
    InboundCallback,
    LineNotPulled,
    Processed,
    process_callbacks,
    record_inbound,
    record_statuses,
)
from kavenegar_campaigns.stages.dispatch import Chores, DueWork
from kavenegar_campaigns.stages.guards import check_restart
from kavenegar_campaigns.stages.inbox.deliver import RIGHT_SECRET, Delivered, Webhook, deliver_by_webhook, signing_key
from kavenegar_campaigns.stages.inbox.pull import Pulled, pull_line
from kavenegar_campaigns.stages.otp.send import Followed, OtpOutcome, follow_otps, send_at_once, send_otp
from kavenegar_campaigns.stages.sent_at_gateway import keep_ledger
from kavenegar_campaigns.stages.submit import Outcome, resolve_batch, send_batch
from kavenegar_campaigns.stages.suppression import Synced, sync_due_line
from kavenegar_campaigns.stages.track import Polled, Withdrawn, poll_statuses, withdraw_batch
from kavenegar_campaigns.store import due, in_one_commit, inbound, lookups
from kavenegar_campaigns.store.callbacks import StatusCallback, count_pending
from kavenegar_campaigns.store.inbound import Inbound
from kavenegar_campaigns.store.lookups import BatchPosition

__all__ = [
    "RIGHT_SECRET",
    "BatchPosition",
    "Chores",
    "Delivered",
    "DueWork",
    "Followed",
    "Inbound",
    "InboundCallback",
    "LineNotPulled",
    "OtpOutcome",
    "Outcome",
    "Polled",
    "Processed",
    "Pulled",
    "StatusCallback",
    "Synced",
    "Webhook",
    "Withdrawn",
    "batch_positions",
    "begin_tick",
    "check_place",
    "check_restart",
    "claim_chores",
    "claim_deliveries",
    "count_pending_callbacks",
    "deliver_by_webhook",
    "find_due",
    "follow_otps",
    "keep_ledger",
    "poll_statuses",
    "process_callbacks",
    "pull_line",
    "recheck_hold",
    "recognise_key",
    "record_inbound",
    "record_statuses",
    "resolve_batch",
    "send_at_once",
    "send_batch",
    "send_otp",
    "signing_key",
    "sync_due_line",
    "watch_account",
    "withdraw_batch",
]

# ── every second ──

TICK_MIN_INTERVAL: Final = timedelta(seconds=0.5)
"""Of ticks that come closer together, a second beat's or stale ones of a queue, one does the work."""


def begin_tick(context: Context) -> bool:
    """Begin a tick: check whether the database's clock is trusted and which account the key belongs to.

    Returns False where another tick was less than `TICK_MIN_INTERVAL` ago; this one then has nothing to do.
    """
    if due.just_ticked(context.database, now=context.now(), apart=TICK_MIN_INTERVAL):
        return False
    guards.check_clock(context)
    recognise_key(context)
    return True


def check_place(context: Context) -> bool:
    """See whether this is the database that it was. Returns True where `check_restart` is to be run now."""
    return guards.check_place(context, now=context.now())


def find_due(context: Context) -> DueWork:
    """Find the due work and mark it as enqueued, as far ahead as the pace has room. The caller enqueues it."""
    return dispatch.tick(context, now=context.now())


def batch_positions(context: Context, due_work: DueWork) -> Mapping[int, BatchPosition]:
    """Read the positions of the due batches in their campaigns, by batch id; empty if no batch is due."""
    batch_ids = [*due_work.send, *due_work.resolve, *due_work.withdraw]
    return lookups.batch_positions(context.database, batch_ids) if batch_ids else {}


# ── now and then ──


def claim_chores(context: Context) -> Chores:
    """Claim the chores whose time has come; the caller enqueues them. Pull back due times that lie too far ahead."""
    guards.pull_back_unless_leapt(context)
    chores = dispatch.due_chores(context, now=context.now())
    if chores.watch:
        guards.apply_poll_schedule(context)
    return chores


# ── what comes in ──


def claim_deliveries(context: Context, *, most: int, overdue: timedelta = timedelta(0)) -> list[Inbound]:
    """Claim inbound messages to deliver to the user's code now, at most `most`, the longest due first.

    A message that was delivered before, and not acknowledged, is left alone until it has been due again for `overdue`.
    """
    return inbound.claim_due(context.database, now=context.now(), most=most, overdue=overdue)


@in_one_commit
def count_pending_callbacks(connection: Connection, *, most: int) -> int:
    """Count the callbacks of the gateway that wait to be processed, up to `most`."""
    return count_pending(connection, most=most)
