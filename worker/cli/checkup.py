"""What a doctor looks at, from the ground up: what stands on a thing that is missing is not looked at.

Every finding is a sentence, and where something is wrong, what to do about it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from campaigns.errors import CampaignsError, GatewayError
from campaigns.kavenegar.gateway import Gateway
from campaigns.kavenegar.throttle import connect
from campaigns.store import health, installation, migrate
from campaigns.store.installation import Installation
from campaigns.waiting import SILENT_AFTER
from worker import wiring
from worker.cli.pace import how_found, pause
from worker.cli.words import duration, moment
from worker.logs import redact
from worker.settings import Settings

CLOCK_MAY_BE_OFF_S: Final = 60
LATE_AFTER: Final = timedelta(seconds=60)
POLLS_LATE_AFTER: Final = timedelta(minutes=10)
WORKERS_ANSWER_WITHIN_S: Final = 1.0
LITTLE_CREDIT_RIAL: Final = 1_000_000


class Level(StrEnum):
    """How bad it is. Only `bad` makes a doctor end with 1."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `do` is what to do about it, and empty where all is well."""

    name: str
    level: Level
    says: str
    do: str = ""


def examine() -> Iterator[Finding]:
    """Everything there is to look at, one finding after the other."""
    try:
        chosen = wiring.settings()
        where = wiring.places()
    except CampaignsError as why:
        yield Finding("settings", Level.BAD, str(why), "correct the setting; `campaigns settings` lists them all")
        return
    yield from _settings(chosen)
    yield from _database()
    broker = _broker(where.broker_url)
    yield broker
    if broker.level is Level.OK:
        yield _pace()
        yield from _workers()
        yield from _gateway()


def _settings(chosen: Settings) -> Iterator[Finding]:
    if chosen.sandboxed:
        yield Finding(
            "settings",
            Level.WARN,
            "the sandbox gateway answers: nothing is sent to anybody",
            "set KAVENEGAR_API_KEY, DATABASE_URL and BROKER_URL to go to production",
        )
    elif chosen.embedded:
        yield Finding(
            "settings",
            Level.WARN,
            "real messages are sent from a PostgreSQL and a Valkey of our own",
            "set DATABASE_URL and BROKER_URL to servers that somebody backs up",
        )
    else:
        yield Finding("settings", Level.OK, "every setting can be read")
    if chosen.status_polls[-1] >= chosen.status_window:
        yield Finding(
            "polls",
            Level.WARN,
            "the last age in STATUS_POLLS is beyond STATUS_WINDOW: the gateway answers nothing then",
            "end STATUS_POLLS a little before STATUS_WINDOW",
        )
    if chosen.unknown_settle < chosen.http_deadline:
        yield Finding(
            "unknown outcomes",
            Level.WARN,
            "UNKNOWN_SETTLE is shorter than HTTP_DEADLINE: the gateway may still be at work when it is asked",
            "make UNKNOWN_SETTLE longer than HTTP_DEADLINE",
        )


def _database() -> Iterator[Finding]:
    do = "start it, or correct DATABASE_URL"
    try:
        with wiring.engine().connect() as connection:
            yield Finding("database", Level.OK, "it answers")
            if not migrate.is_current(connection):
                yield Finding(
                    "schema", Level.BAD, "the tables are not those of this version", "run `campaigns migrate`"
                )
                return
            yield Finding("schema", Level.OK, "the tables are those of this version")
            yield from _installation(connection)
    except DBAPIError as why:
        said = redact(str(why.orig).strip().partition("\n")[0])
        yield Finding("database", Level.BAD, f"it does not answer: {said}", do)


def _installation(connection: Connection) -> Iterator[Finding]:
    now = wiring.database().now()
    found, backlog = installation.read(connection), health.backlog(connection, now=now)
    yield _dispatcher(found, running=backlog.running, now=now)
    yield _hold(found)
    yield from (
        _late("batches to send", backlog.ready, backlog.ready_since, LATE_AFTER, now),
        _late("unanswered batches", backlog.unknown, backlog.unknown_since, LATE_AFTER, now),
        _late("polls", backlog.polls, backlog.polls_since, POLLS_LATE_AFTER, now),
    )
    yield from _paused(connection)
    yield _uncertain(connection)


def _dispatcher(found: Installation, *, running: int, now: datetime) -> Finding:
    do = "start `celery -A worker beat` and a worker for the queues poll and maint; one of each is enough"
    level = Level.BAD if running else Level.WARN
    if found.ticked_at is None:
        return Finding("dispatcher", level, "it has never run on this database", do)
    silence_s = (now - found.ticked_at).total_seconds()
    if silence_s > SILENT_AFTER.total_seconds():
        waiting = f", and {running:,} campaigns run" if running else ""
        return Finding("dispatcher", level, f"it has been silent for {duration(silence_s)}{waiting}", do)
    return Finding("dispatcher", Level.OK, f"it ticked {max(silence_s, 0):.0f} s ago")


def _hold(found: Installation) -> Finding:
    if found.hold is None:
        return Finding("account", Level.OK, "it is not on hold")
    says = (
        f"nothing is sent since {moment(found.hold.since)}: {found.hold.reason}; "
        f"the next look is at {moment(found.hold.probe_at)}"
    )
    return Finding(
        "account", Level.BAD, says, "mend what the reason names: sending goes on by itself after the next look"
    )


def _late(name: str, count: int, since: datetime | None, patience: timedelta, now: datetime) -> Finding:
    if since is None:
        return Finding(name, Level.OK, "none is due")
    age = now - since
    says = f"{count:,} are due, the oldest for {duration(age.total_seconds())}"
    if age <= patience:
        return Finding(name, Level.OK, says)
    return Finding(name, Level.WARN, says, "see whether workers run, and whether the account or the pace holds them")


def _paused(connection: Connection) -> Iterator[Finding]:
    found = health.paused(connection)
    for campaign in found:
        says = f"campaign {campaign.id} is paused: {campaign.hold_reason}"
        yield Finding(
            "paused", Level.WARN, says, f"`campaigns resume {campaign.id}` lets it go on, once that is mended"
        )
    if not found:
        yield Finding("paused", Level.OK, "no campaign is paused")


def _uncertain(connection: Connection) -> Finding:
    found = health.uncertain(connection)
    if not found:
        return Finding("uncertain", Level.OK, "the fate of every message is known or will be")
    listed = ", ".join(f"{count:,} in campaign {campaign_id}" for campaign_id, count in found.items())
    return Finding(
        "uncertain",
        Level.WARN,
        f"nobody can know any more whether these were sent: {listed}",
        "`campaigns uncertain list` says what to do about them",
    )


def _broker(url: str | None) -> Finding:
    if url is None:
        return Finding("broker", Level.BAD, "BROKER_URL is not set", "set it to a Redis or a Valkey")
    try:
        with connect(url) as client:
            client.ping()
    except RedisError as why:
        said = redact(str(why).partition("\n")[0])
        return Finding("broker", Level.BAD, f"it does not answer: {said}", "start it, or correct BROKER_URL")
    return Finding("broker", Level.OK, "it answers")


def _pace() -> Finding:
    try:
        view = wiring.pace().view()
    except CampaignsError as why:
        return Finding("pace", Level.BAD, str(why), "correct BROKER_URL, and KAVENEGAR_API_KEY or PACE_NAME")
    if paused := pause(view):
        do = "nothing: calls go on by themselves, slower; `campaigns pace --watch` shows how"
        return Finding("pace", Level.WARN, f"all calls pause {paused}", do)
    return Finding("pace", Level.OK, f"{view.rate:.2f} calls a second, {how_found(view)}")


def _workers() -> Iterator[Finding]:
    from worker.app import app  # noqa: PLC0415 - Celery takes a while to import, and no other command needs it

    do = "start workers for the queues send, otp, poll and maint: see the Procfile"
    try:
        inspect = app.control.inspect(timeout=WORKERS_ANSWER_WITHIN_S)
        queues = inspect.active_queues() or {}
    except BrokerError as why:
        yield Finding("workers", Level.BAD, f"they cannot be asked: {redact(str(why))}", do)
        return
    if not queues:
        yield Finding("workers", Level.BAD, f"none answered within {WORKERS_ANSWER_WITHIN_S:.0f} s", do)
        return
    yield Finding("workers", Level.OK, f"{len(queues)} answer: {', '.join(sorted(queues))}")
    served = {queue["name"] for each in queues.values() for queue in each}
    if missing := {"send", "poll", "maint"} - served:
        yield Finding("queues", Level.BAD, f"nobody serves {', '.join(sorted(missing))}", do)


def _gateway() -> Iterator[Finding]:
    try:
        gateway = wiring.gateway()
        account = gateway.account_info()
    except (GatewayError, CampaignsError) as why:
        yield Finding("gateway", Level.BAD, str(why), "correct the key or the address, or wait until it is back")
        return
    yield Finding("gateway", Level.OK, f"{wiring.places().base_url} answers and takes the key")
    credit = f"{account.remaincredit:,} rial are left"
    if account.remaincredit < LITTLE_CREDIT_RIAL:
        yield Finding("credit", Level.WARN, credit, "top up before it stops: 418 puts the whole account on hold")
    else:
        yield Finding("credit", Level.OK, credit)
    yield from _clock(gateway)


def _clock(gateway: Gateway) -> Iterator[Finding]:
    try:
        theirs = gateway.getdate().unixtime
    except GatewayError as why:
        yield Finding("clock", Level.WARN, f"the gateway's could not be read: {why}")
        return
    off_s = abs(time.time() - theirs)
    if off_s > CLOCK_MAY_BE_OFF_S:
        yield Finding(
            "clock",
            Level.WARN,
            f"ours and the gateway's are {duration(off_s)} apart",
            "set this machine's clock by NTP",
        )
    else:
        yield Finding("clock", Level.OK, f"ours and the gateway's are {off_s:.0f} s apart")
