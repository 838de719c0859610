"""What keeps a message from being sent twice: a database that keeps what it confirms, its place, its clock, our key."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from campaigns.store import accounts, gate, health, ledger
from campaigns.store.gate import Gate
from campaigns.store.identity import Place
from campaigns.store.sessions import WEAK
from worker import wiring
from worker.cli.checkup.finding import Finding, Level
from worker.cli.words import duration, moment

if TYPE_CHECKING:  # it imports pydantic, which takes a tenth of a second
    from worker.settings.model import Settings

_PLACES: Final = {
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


def findings(connection: Connection, chosen: Settings, *, now: datetime) -> Iterator[Finding]:
    """Everything of this that there is to look at."""
    yield from _durability(connection)
    found = gate.read(connection)
    yield _place(found)
    yield _leap(found, chosen)
    yield _far_ahead(connection, now=now)
    yield from _account(connection, chosen)
    yield from _unexplained(connection, shared=chosen.account_shared)


def times(chosen: Settings) -> Finding:
    """How long an unanswered request has until it is asked about, beside how long it may last."""
    rest = chosen.unknown_grace - chosen.http_deadline
    says = (
        f"an unanswered request is asked about after {duration(chosen.unknown_grace.total_seconds())}, "
        f"{duration(rest.total_seconds())} longer than a request may last"
    )
    if rest < chosen.http_deadline:
        do = "make UNKNOWN_GRACE longer than the gateway may still act on a request that it has not answered"
        return Finding("unknown outcomes", Level.WARN, says, do)
    return Finding("unknown outcomes", Level.OK, says)


def _durability(connection: Connection) -> Iterator[Finding]:
    """Whether what is confirmed stays, in a crash and in a failover."""
    kept = health.durability(connection)
    off = [name for name, value in kept.server.items() if value == "off"]
    if off:
        says = f"{' and '.join(off)} is off: a crash of its machine loses what was confirmed, or breaks it"
        yield Finding("durability", Level.BAD, says, "turn it on, and `campaigns restored` after every crash before")
    if kept.session in WEAK:
        says = (
            f"our sessions run with synchronous_commit={kept.session}: what we ask for at their start does not arrive"
        )
        yield Finding("durability", Level.BAD, says, "let the pooler pass on the option, or set it for our role")
    if kept.standbys and not kept.synchronous:
        says = f"{kept.standbys} standby servers follow without being waited for: promoted, they lack the last commits"
        do = "nothing: after a failover all that is open is asked about first; a synchronous standby loses nothing"
        yield Finding("durability", Level.WARN, says, do)
    elif not off and kept.session not in WEAK:
        yield Finding("durability", Level.OK, "what it confirms is on disk")


def _place(found: Gate) -> Finding:
    if found.place is Place.HOME:
        return Finding("place", Level.OK, "it is the database that it was")
    return Finding("place", *_PLACES[found.place])


def _leap(found: Gate, chosen: Settings) -> Finding:
    if found.leap is None:
        return Finding("database clock", Level.OK, "it has not leapt")
    by_s = found.leap.by.total_seconds()
    quiet = duration((chosen.lease + chosen.unknown_grace).total_seconds())
    says = (
        f"it leapt {'ahead' if by_s > 0 else 'back'} by {duration(abs(by_s))} at {moment(found.leap.at)}: nothing is "
        f"sent, resolved or polled for {quiet} after that"
    )
    return Finding("database clock", Level.BAD, says, "see why the clock of the database's machine was set")


def _far_ahead(connection: Connection, *, now: datetime) -> Finding:
    """Left over from a clock that ran ahead, where nobody does the chores that pull them back."""
    batches = health.far_ahead(connection, now=now, by=timedelta(minutes=30))
    if batches:
        says = f"{batches:,} batches are due further ahead than anything is planned: the clock was ahead"
        return Finding(
            "due times", Level.WARN, says, "start beat and a worker for the queue maint: they pull them back"
        )
    return Finding("due times", Level.OK, "nothing is due further ahead than it was planned")


def _account(connection: Connection, chosen: Settings) -> Iterator[Finding]:
    if chosen.kavenegar_api_key is None and not chosen.sandboxed:
        return
    label = wiring.gateway_account()
    if accounts.of_key(connection, label) is None:
        says = "it is not known yet whose account the key belongs to: nothing is sent under it"
        yield Finding(
            "key", Level.WARN, says, "see that a worker for the queue send runs, and that the gateway answers"
        )
        return
    stranded = accounts.stranded(connection, label)
    if stranded is None:
        yield Finding("key", Level.OK, "every unanswered batch left under its account")
        return
    says = (
        f"{stranded.batches:,} unanswered batches ({stranded.messages:,} messages) left under another account since "
        f"{moment(stranded.since)}: only its key can ask what became of them"
    )
    do = "set KAVENEGAR_API_KEY to that account's key again until they are resolved; else they become uncertain"
    yield Finding("key", Level.BAD, says, do)


def _unexplained(connection: Connection, *, shared: bool) -> Iterator[Finding]:
    found = [day for day in ledger.newest(connection, limit=3) if day.unexplained]
    for day in found:
        says = f"on {day.day} the gateway counts {day.unexplained:,} messages that cannot be explained by what is here"
        if shared:
            yield Finding("ledger", Level.OK, f"{says}; other software sends on this account")
            continue
        do = "`campaigns outbox --day` lists what left; if other software sends on this account: ACCOUNT_SHARED=yes"
        yield Finding("ledger", Level.BAD, f"{says}: sent twice, in a history that was lost, or by others", do)
    if not found:
        yield Finding("ledger", Level.OK, "the gateway counts nothing that cannot be ours")
