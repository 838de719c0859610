"""Guards before a send: is this still the same database, and is its clock right?

If commits may be missing, everything that may have left is asked about first.

what is found                what is done
────────────────────────────────────────────────────────────────────────────────────────────────────────
a restart of the server      the requests that would leave next are asked about, one message of each; if the
                             gateway knows one of them, commits were lost
a failover, lost commits     everything that may have left is asked about, by itself
a copy: restored or cloned   nothing is sent until a person says whether the original is gone: `accept_database`

After a leap of the clock nothing is sent or resolved until whatever had left by then is over. The claims themselves
keep to what is found here (`store.gate`), so that nothing that is overlooked can send.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection

from kavenegar_campaigns.context import Context, Policy
from kavenegar_campaigns.errors import GatewayError
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_campaigns.stages import answers
from kavenegar_campaigns.stages.answers import LocalIdAnswer
from kavenegar_campaigns.store import gate, identity, in_one_commit, inbound, restores
from kavenegar_campaigns.store.database import Database
from kavenegar_campaigns.store.gate import FurthestAhead, Gate, PollSchedule
from kavenegar_campaigns.store.identity import Place
from kavenegar_campaigns.store.restores import Cause, Restored

# ── is the database's clock right? ──
#
# A lease that was good until later may seem to be over at once, while its holder is about to send. Times that were
# planned while the clock was ahead lie in the future when it is right again: they are pulled back.

log = logging.getLogger(__name__)

LONGEST_PAUSE: Final = timedelta(minutes=20)
"""Longer than the pace pauses at most (15 minutes), and than any wait that the gateway's codes name."""


def check_clock(context: Context) -> bool:
    """Read the database's clock, and trust it again when a leap has been waited out. Returns whether it is trusted."""
    by = context.database.clock.check_leap()
    leap = gate.read_gate(context.database).leap
    if leap is None:
        return by is None or _note_again(context, by)
    if not context.database.clock.waited_out(leap.at):
        return False
    pull_back_times(context)
    replan_polls(context)
    if gate.clear_leap(context.database, leapt_at=leap.at):
        log.warning("database clock trusted again", extra={"leapt_by_s": round(leap.by.total_seconds(), 1)})
    return True


def _note_again(context: Context, by: timedelta) -> bool:
    """A restored database, or one that lost commits, has forgotten a leap that is not over. Always False: no trust."""
    gate.note_leap(context.database, by=by, now=context.now())
    log.error("database clock leap not over", extra={"by_s": round(by.total_seconds(), 1)})
    return False


def pull_back_unless_leapt(context: Context) -> dict[str, int]:
    """Pull back times that lie too far ahead, unless the clock is in doubt."""
    return {} if gate.read_gate(context.database).leap is not None else pull_back_times(context)


def pull_back_times(context: Context) -> dict[str, int]:
    """Pull back times that lie further ahead than any plan of ours. Returns how many of each kind."""
    return _log_moved(gate.pull_back_due_times(context.database, furthest_times(context.policy), now=context.now()))


def replan_polls(context: Context) -> dict[str, int]:
    """Schedule again the polls that were scheduled while the clock ran ahead. Returns how many of each kind."""
    ages = context.policy.status_polls
    schedule = PollSchedule(ages, ages)
    return _log_moved(
        gate.plan_polls(context.database, schedule, put_off=LONGEST_PAUSE, now=context.now(), in_doubt=True)
    )


def apply_poll_schedule(context: Context) -> dict[str, int]:
    """Schedule again the polls that an earlier, shorter schedule put at the end of their windows, or too late.

    What lies behind the next age by no more than the longest wait may have been put off, and stays.
    """
    schedule = PollSchedule(context.policy.status_polls, context.policy.reduced_polls)
    moved = gate.plan_polls(context.database, schedule, put_off=LONGEST_PAUSE, now=context.now(), allowed=LONGEST_PAUSE)
    if moved:
        log.warning("polls rescheduled", extra={kind.replace(" ", "_"): n for kind, n in moved.items()})
    return moved


def _log_moved(moved: dict[str, int]) -> dict[str, int]:
    if moved:
        log.warning("future times corrected", extra={kind.replace(" ", "_"): n for kind, n in moved.items()})
    return moved


def furthest_times(policy: Policy) -> FurthestAhead:
    """Return how far ahead the times of each kind may lie under this policy."""
    return FurthestAhead(
        put_off=LONGEST_PAUSE,
        lease=policy.lease,
        unknown_grace=policy.unknown_grace,
        status_window=policy.status_window,
        probe=policy.hold_recheck,
        watch=policy.account_watch,
        ledger=policy.ledger_every,
        block_lists=policy.suppress_sync,
        reconcile=policy.inbox_reconcile,
        deliver=max(inbound.RETRY_DELAYS),
    )


# ── is this still the database that it was? ──

CHECK_EVERY: Final = timedelta(seconds=10)
"""Between two questions to the gateway whether commits were lost in a restart."""


def check_place(context: Context, *, now: datetime) -> bool:
    """Check the database's place, once a tick. True: `check_restart` has to run, which queries the gateway."""
    found = gate.read_gate(context.database)
    if found.place is Place.HOME:
        return False
    if found.place is Place.FAILED_OVER:
        _commits_lost(context.database, context.policy, Cause.FAILED_OVER, now=now)
        return False
    if found.place is Place.RESTARTED and not restores.sample_next_messages(context.database, most=1):
        _nothing_lost(context.database)
        return False
    due = gate.claim_identity_check(context.database, now=now, next_at=now + CHECK_EVERY)
    if due and found.place is Place.COPIED:
        log.error("database is a copy: nothing is sent before `campaigns restored`")
    return due and found.place is Place.RESTARTED


def check_restart(context: Context) -> str:
    """Ask the gateway whether it knows the messages that would be sent next. Returns a summary.

    Nothing is sent meanwhile, and it may be run twice.
    """
    if identity.read_place(context.database) is not Place.RESTARTED:
        return "nothing to check"
    sampled = restores.sample_next_messages(context.database)
    try:
        known = _ask_sample(context, sampled)
    except GatewayError as why:
        log.warning("restart check failed", extra={"code": why.code, "error": type(why).__name__})
        return f"cannot be asked: {why}"
    if known.rows:
        log.error("commits lost in a restart", extra={"messages": len(known.rows)})
        _commits_lost(context.database, context.policy, Cause.LOST_COMMITS, now=context.now())
        return "commits were lost: everything is asked about"
    if not known.unseen >= set(sampled):
        return "not all were answered for"
    _nothing_lost(context.database)
    return f"nothing was lost: {len(sampled)} messages were never seen"


def _ask_sample(context: Context, sampled: Sequence[int]) -> LocalIdAnswer:
    if not sampled:
        return LocalIdAnswer([], frozenset())
    context.gateway.acquire_slot(Lane.SEND)
    return answers.ask_by_localid(context.gateway, sampled)


def accept_database(database: Database, policy: Policy, *, copy: bool, now: datetime) -> Restored:
    """Accept that this database replaces its original, or, for a `copy`, that the original stays in use.

    Whatever may have left since then is asked about first, by its old ids; of a copy, what was started is cancelled.
    Works as well where the database does not know that it was restored: from a backup of before it could tell, or from
    a snapshot of its disk.
    """
    cause = Cause.COPIED if copy else Cause.RESTORED
    return _accept(database, policy, cause, now=now)


@in_one_commit
def _commits_lost(connection: Connection, policy: Policy, cause: Cause, *, now: datetime) -> Restored | None:
    """Unless somebody else has done it meanwhile."""
    restores.lock_place(connection)
    found = gate.read_gate(connection)
    if found.place is Place.HOME:
        return None
    return _ask_about_everything(connection, found, policy, cause, now=now)


@in_one_commit
def _accept(connection: Connection, policy: Policy, cause: Cause, *, now: datetime) -> Restored:
    restores.lock_place(connection)
    return _ask_about_everything(connection, gate.read_gate(connection), policy, cause, now=now)


def _ask_about_everything(
    connection: Connection, found: Gate, policy: Policy, cause: Cause, *, now: datetime
) -> Restored:
    done = restores.mark_everything_unknown(
        connection,
        cause,
        lost_since=min(found.alive_at, now),
        ask_at=now + policy.quiet_period,
        call_id=uuid4(),
        now=now,
    )
    facts = {
        "cause": cause.value,
        "batches": done.batches,
        "otps": done.otps,
        "lost_since": done.lost_since.isoformat(),
    }
    log.error("open work marked unknown", extra=facts)
    return done


@in_one_commit
def _nothing_lost(connection: Connection) -> None:
    """A restart without a loss: the place is the same, under a server started anew."""
    restores.lock_place(connection)
    if identity.read_place(connection) is Place.RESTARTED:
        identity.record_place(connection)
        log.info("database restarted without a loss")
