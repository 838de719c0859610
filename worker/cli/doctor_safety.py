"""Check the conditions under which no message is sent twice (durable commits, the database's place and clock, our key)
and no inbound message is lost (the lines that are pulled, the gateway's callbacks).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from kavenegar_campaigns.api import admin, gateway
from kavenegar_campaigns.api.admin import WEAK_COMMITS, Gate, Installation, Line, Place
from kavenegar_worker import wiring
from kavenegar_worker.cli.output import Finding, Level, format_duration, format_time

if TYPE_CHECKING:
    from kavenegar_worker.settings.model import Settings

_PLACE_FINDINGS: Final = {
    Place.COPIED: (
        Level.BAD,
        "it was restored from a backup, or copied: nothing is sent, because messages may have left since",
        "`campaigns restored` if the database it came from is gone, `campaigns restored --copy` if it goes on",
    ),
    Place.FAILED_OVER: (
        Level.WARN,
        "another server took over: the last commits may be missing, so everything open is asked about first",
        "nothing: the next tick sees to it, and sending goes on after LEASE and UNKNOWN_GRACE",
    ),
    Place.RESTARTED: (
        Level.WARN,
        "it was started again, and the gateway has not been asked yet whether anything is missing: nothing is sent",
        "see that a worker serves the queue maint, and that the gateway answers",
    ),
}


def check_safety(connection: Connection, chosen: Settings, *, now: datetime) -> Iterator[Finding]:
    """Yield the findings of all safety checks."""
    yield from _check_durability(connection)
    found = admin.read_gate(connection)
    yield _check_place(found)
    yield _check_leap(found, chosen)
    yield _check_due_times(connection, now=now)
    yield from _check_key(connection, chosen)
    yield from _check_ledger(connection, shared=chosen.account_shared)


def check_times(chosen: Settings) -> Finding:
    """Compare the time until an unanswered request is resolved with the time that a request may last."""
    rest = chosen.unknown_grace - chosen.http_deadline
    says = (
        f"an unanswered request is asked about after {format_duration(chosen.unknown_grace.total_seconds())}, "
        f"{format_duration(rest.total_seconds())} longer than a request may last"
    )
    if rest < chosen.http_deadline:
        do = "make UNKNOWN_GRACE longer than the gateway may still act on a request that it has not answered"
        return Finding("unknown outcomes", Level.WARN, says, do)
    return Finding("unknown outcomes", Level.OK, says)


def _check_durability(connection: Connection) -> Iterator[Finding]:
    """Check that confirmed commits survive a crash and a failover."""
    kept = admin.read_durability(connection)
    off = [name for name, value in kept.server.items() if value == "off"]
    if off:
        says = f"{' and '.join(off)} is off: a crash of its machine loses what was confirmed, or breaks it"
        yield Finding("durability", Level.BAD, says, "turn it on, and `campaigns restored` after every crash before")
    if kept.session in WEAK_COMMITS:
        says = (
            f"our sessions run with synchronous_commit={kept.session}: what we ask for at their start does not arrive"
        )
        yield Finding("durability", Level.BAD, says, "let the pooler pass on the option, or set it for our role")
    if kept.standbys and not kept.synchronous:
        says = f"{kept.standbys} standby servers follow without being waited for: promoted, they lack the last commits"
        do = "nothing: after a failover all that is open is asked about first; a synchronous standby loses nothing"
        yield Finding("durability", Level.WARN, says, do)
    elif not off and kept.session not in WEAK_COMMITS:
        yield Finding("durability", Level.OK, "what it confirms is on disk")


def _check_place(found: Gate) -> Finding:
    if found.place is Place.HOME:
        return Finding("place", Level.OK, "it is the database that it was")
    return Finding("place", *_PLACE_FINDINGS[found.place])


def _check_leap(found: Gate, chosen: Settings) -> Finding:
    if found.leap is None:
        return Finding("database clock", Level.OK, "it has not leapt")
    by_s = found.leap.by.total_seconds()
    quiet = format_duration((chosen.lease + chosen.unknown_grace).total_seconds())
    says = (
        f"it leapt {'ahead' if by_s > 0 else 'back'} by {format_duration(abs(by_s))} at {format_time(found.leap.at)}: "
        f"nothing is sent, resolved or polled for {quiet} after that"
    )
    return Finding("database clock", Level.BAD, says, "see why the clock of the database's machine was set")


def _check_due_times(connection: Connection, *, now: datetime) -> Finding:
    """Check for due times that a fast clock left in the future, where no chores run that correct them."""
    batches = admin.count_far_ahead(connection, now=now, by=timedelta(minutes=30))
    if batches:
        says = f"{batches:,} batches are due further ahead than anything is planned: the clock was ahead"
        return Finding(
            "due times", Level.WARN, says, "start beat and a worker for the queue maint: they pull them back"
        )
    return Finding("due times", Level.OK, "nothing is due further ahead than it was planned")


def _check_key(connection: Connection, chosen: Settings) -> Iterator[Finding]:
    if chosen.kavenegar_api_key is None and not chosen.sandboxed:
        return
    label = wiring.api_key_label()
    if admin.account_of_key(connection, label) is None:
        says = "it is not known yet whose account the key belongs to: nothing is sent under it"
        yield Finding(
            "key", Level.WARN, says, "see that a worker for the queue send runs, and that the gateway answers"
        )
        return
    stranded = admin.stranded_batches(connection, label)
    if stranded is None:
        yield Finding("key", Level.OK, "every unanswered batch left under its account")
        return
    says = (
        f"{stranded.batches:,} unanswered batches ({stranded.messages:,} messages) left under another account since "
        f"{format_time(stranded.since)}: only its key can ask what became of them"
    )
    do = "set KAVENEGAR_API_KEY to that account's key again until they are resolved; else they become uncertain"
    yield Finding("key", Level.BAD, says, do)


def _check_ledger(connection: Connection, *, shared: bool) -> Iterator[Finding]:
    found = [day for day in gateway.newest_days(connection, limit=3) if day.unexplained]
    for day in found:
        says = f"on {day.day} the gateway counts {day.unexplained:,} messages that cannot be explained by what is here"
        if shared:
            yield Finding("ledger", Level.OK, f"{says}; other software sends on this account")
            continue
        do = "`campaigns outbox --day` lists what left; if other software sends on this account: ACCOUNT_SHARED=yes"
        yield Finding("ledger", Level.BAD, f"{says}: sent twice, in a history that was lost, or by others", do)
    if not found:
        yield Finding("ledger", Level.OK, "the gateway counts nothing that cannot be ours")


# ── inbound: the lines that are pulled, and the gateway's callbacks ──

INCOMPLETE_WARNING_AFTER: Final = timedelta(minutes=15)
"""A line that may lack messages is reconciled by itself; after this time the doctor warns."""

UNDELIVERED_WARNING_AFTER: Final = timedelta(minutes=15)
"""By then a message was delivered four times without being acknowledged."""
UNDELIVERED_BAD_AFTER: Final = timedelta(hours=1)
"""By then the user's code takes no messages."""


def check_inbox(connection: Connection, *, now: datetime) -> Iterator[Finding]:
    """Check that every pulled line is complete, and that inbound messages are delivered."""
    pulled = [line for line in admin.list_lines(connection) if line.enabled]
    worries = [finding for line in pulled if (finding := _check_line(line, now=now)) is not None]
    yield from worries
    if pulled and not worries:
        yield Finding("inbox", Level.OK, f"{len(pulled)} lines are pulled")
    yield from _check_delivery(connection, now=now)


def _check_delivery(connection: Connection, *, now: datetime) -> Iterator[Finding]:
    """Check that INBOX_TASK or INBOX_WEBHOOK takes the inbound messages."""
    waiting, given_up = admin.count_unacknowledged(connection)
    longest = admin.oldest_unacknowledged(connection)
    do = "see whether INBOX_TASK calls `campaigns.acknowledge`, or INBOX_WEBHOOK says 2xx; read the log of worker-poll"
    if longest is not None and now - longest[0] > UNDELIVERED_WARNING_AFTER:
        stored_at, times = longest
        age = format_duration((now - stored_at).total_seconds())
        waits = f"{waiting:,} messages wait to be taken, the oldest for {age}"
        level = Level.BAD if now - stored_at > UNDELIVERED_BAD_AFTER else Level.WARN
        yield Finding("hand-over", level, f"{waits}, handed over {times:,} times and never taken", do)
    if given_up:
        says = f"{given_up:,} messages were handed over for a week and never taken: nobody is told of them any more"
        yield Finding("hand-over", Level.BAD, says, f"`campaigns inbox list` shows them; {do}")


def _check_line(line: Line, *, now: datetime) -> Finding | None:
    if line.trouble:
        says = f"line {line.line}: {line.trouble}"
        return Finding("inbox", Level.WARN, says, "`campaigns inbox lines` shows how it stands")
    if line.needs_reconcile_since is not None and now - line.needs_reconcile_since > INCOMPLETE_WARNING_AFTER:
        says = (
            f"line {line.line}: in doubt since {format_time(line.needs_reconcile_since)}, and still being gone through"
        )
        return Finding("inbox", Level.WARN, says, "see whether a worker serves the queue inbox")
    return None


def check_callbacks(found: Installation, *, now: datetime) -> Finding:
    """Check that callbacks arrive."""
    if found.last_callback_at is None:
        do = "see docs/callbacks.md; until one comes, verdicts are polled for, which is enough"
        return Finding("callbacks", Level.WARN, "none that proved true has ever come", do)
    age_s = max(0.0, (now - found.last_callback_at).total_seconds())
    came = f"the last one that proved true came {format_duration(age_s)} ago"
    return Finding("callbacks", Level.OK, came + (": polls are reduced" if found.callbacks_active else ""))
