"""Check the settings, the database, the rows of its tables, and whether the dispatcher ticks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import psycopg.errors
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from kavenegar_campaigns.api import admin
from kavenegar_campaigns.api.admin import SILENT_AFTER, Installation, way_to_resume
from kavenegar_campaigns.api.gateway import KEY_NOT_VALID
from kavenegar_campaigns.errors import CampaignsError
from kavenegar_worker import queues, wiring
from kavenegar_worker.cli import doctor_safety, doctor_servers
from kavenegar_worker.cli.output import Finding, Level, format_duration, format_time
from kavenegar_worker.logs import first_line
from kavenegar_worker.settings import old_names, path_of_key

if TYPE_CHECKING:
    from kavenegar_worker.settings.model import Settings

# ── the dispatcher: without ticks, beat is missing, or a worker for its queue, or the connection between them ──

_START_BEAT: Final = "`celery -A kavenegar_worker beat`"
_START_WORKER: Final = "a worker for the queues poll, inbox and maint (see the Procfile)"


def check_dispatcher(found: Installation, *, running: int, now: datetime) -> Finding:
    """Check that the dispatcher ticks; if not, find where its ticks stop."""
    silence = "no tick has reached this database yet"
    if found.ticked_at is not None:
        silence_s = (now - found.ticked_at).total_seconds()
        if silence_s <= SILENT_AFTER.total_seconds():
            return Finding("dispatcher", Level.OK, f"it ticked {max(silence_s, 0):.0f} s ago")
        waiting = f", and {running:,} campaigns run" if running else ""
        silence = f"it has been silent for {format_duration(silence_s)}{waiting}"
    says, do = _where_ticks_stop()
    return Finding("dispatcher", Level.BAD if running else Level.WARN, f"{silence}: {says}", do)


def _where_ticks_stop() -> tuple[str, str]:
    """Find where the ticks stop on their way from beat to a worker. Returns the finding with its remedy."""
    try:
        broker = wiring.broker()
        queues.check_writes(broker)
        beat, waiting = queues.read_beat_clock(broker), queues.lengths(broker)[queues.DEFAULT]
    except (ReadOnlyError, OutOfMemoryError):
        return "the broker, which carries its ticks, takes no writes", "see what is said of the broker"
    except (RedisError, CampaignsError):
        return (
            "the broker, which carries its ticks, cannot be looked at",
            f"start the broker, {_START_BEAT} and {_START_WORKER}",
        )
    if beat is None:
        return (
            f"no beat has given a sign of life for {queues.BEAT_EXPIRES_S} s",
            f"start {_START_BEAT} and {_START_WORKER}",
        )
    if waiting:
        return (
            f"beat runs, and {waiting:,} messages wait in the queue maint that no worker takes",
            f"start {_START_WORKER}",
        )
    do = "look into the workers' logs, and whether all of them have this version and this DATABASE_URL"
    return "beat publishes ticks and a worker takes them, but none gets through to this database", do


# ── writes: a standby, and a server whose disk is full, answer and refuse writes ──

_WRITE_REMEDIES: Final = {
    "53": "make room on its disk; nothing is lost, and everything goes on by itself then",
    "25": "let DATABASE_URL lead to the primary, and let it take writes",
}
"""By the first digits of the SQLSTATE."""


def check_database_writes(connection: Connection) -> Finding:
    """Check that a page can be written, or, without the right to make temporary tables, that the database answers."""
    try:
        admin.probe_write(connection)
    except DBAPIError as why:
        cure = _WRITE_REMEDIES.get((getattr(why.orig, "sqlstate", None) or "")[:2])
        if isinstance(why.orig, psycopg.errors.InsufficientPrivilege) or cure is None:
            return Finding("database", Level.OK, "it answers")
        said = first_line(why.orig).rstrip(".")
        return Finding("database", Level.BAD, f"it answers, and takes no writes: {said}", cure)
    return Finding("database", Level.OK, "it answers")


BATCHES_OVERDUE_AFTER: Final = timedelta(seconds=60)
POLLS_OVERDUE_AFTER: Final = timedelta(minutes=10)
MAX_NAMED: Final = 20


def check_settings(chosen: Settings) -> Iterator[Finding]:
    """Check that the settings go together."""
    if chosen.sandboxed:
        yield Finding(
            "settings",
            Level.WARN,
            "the sandbox gateway answers: nothing is sent to anybody",
            "set KAVENEGAR_API_KEY, DATABASE_URL and CAMPAIGNS_BROKER_URL to go to production",
        )
    elif chosen.embedded:
        yield Finding(
            "settings",
            Level.WARN,
            "real messages are sent from a PostgreSQL and a Valkey of our own",
            "set DATABASE_URL and CAMPAIGNS_BROKER_URL to servers that somebody backs up",
        )
    else:
        yield Finding("settings", Level.OK, "every setting can be read")
    for sentence in old_names():
        yield Finding("settings", Level.WARN, sentence, "use the new name; `campaigns settings` lists them all")
    if chosen.status_polls[-1] >= chosen.status_window:
        yield Finding(
            "polls",
            Level.WARN,
            "the last age in STATUS_POLLS is beyond STATUS_WINDOW: the gateway answers nothing then",
            "end STATUS_POLLS a little before STATUS_WINDOW",
        )
    yield doctor_safety.check_times(chosen)


def check_database() -> Iterator[Finding]:
    """Check that the database answers and has our tables, and report the findings in them."""
    do = "start it, or correct DATABASE_URL"
    try:
        with wiring.engine().connect() as connection:
            yield check_database_writes(connection)
            schema = _check_schema(connection)
            yield schema
            if schema.level is Level.BAD:
                return
            yield from _check_installation(connection)
    except DBAPIError as why:
        says = f"it does not answer: {first_line(why.orig)}"
        if isinstance(why.orig, psycopg.errors.InsufficientPrivilege):
            says = f"the role of DATABASE_URL lacks a right ({first_line(why.orig)}): nothing more can be checked"
            do = "run `campaigns migrate --grant-worker ROLE` as the owner, or use the workers' DATABASE_URL here"
        yield Finding("database", Level.BAD, says, do)


def _check_schema(connection: Connection) -> Finding:
    if admin.is_behind(connection):
        says = "the tables are older than this version: its workers wait, and send nothing"
        return Finding("schema", Level.BAD, says, "run `campaigns migrate`: the workers then begin by themselves")
    if admin.is_ahead(connection):
        says = "a newer version has upgraded the tables; this one goes on in them"
        return Finding("schema", Level.WARN, says, "install the newer version here, too")
    return Finding("schema", Level.OK, "the tables are those of this version")


def _check_installation(connection: Connection) -> Iterator[Finding]:
    now = wiring.database().now()
    found, overdue = admin.read_installation(connection), admin.find_overdue(connection, now=now)
    yield doctor_servers.check_host_clock()
    yield check_dispatcher(found, running=overdue.running, now=now)
    yield from doctor_safety.check_safety(connection, wiring.settings(), now=now)
    yield _check_hold(found)
    yield from (
        _check_overdue("batches to send", overdue.ready, overdue.ready_since, BATCHES_OVERDUE_AFTER, now),
        _check_overdue("unanswered batches", overdue.unknown, overdue.unknown_since, BATCHES_OVERDUE_AFTER, now),
        _check_overdue("polls", overdue.polls, overdue.polls_since, POLLS_OVERDUE_AFTER, now),
    )
    yield from _check_paused(connection)
    yield _check_uncertain(connection)
    yield from doctor_safety.check_inbox(connection, now=now)
    if wiring.settings().callback_token is not None:
        yield doctor_safety.check_callbacks(found, now=now)


def _check_hold(found: Installation) -> Finding:
    if found.hold is None:
        return Finding("account", Level.OK, "it is not on hold")
    says = (
        f"nothing is sent since {format_time(found.hold.since)}: {found.hold.reason}; "
        f"the next look is at {format_time(found.hold.hold_recheck_at)}"
    )
    return Finding("account", Level.BAD, says, _hold_remedy(found.hold.code))


def _hold_remedy(code: int) -> str:
    """Return the remedy for a hold of the account."""
    goes_on = "sending goes on by itself after the next look"
    if code != KEY_NOT_VALID:
        return f"mend what the reason names: {goes_on}"
    file = path_of_key()
    if file is None:
        return f"correct KAVENEGAR_API_KEY and start every process again; then {goes_on}"
    return f"write the right key into {file}: every process reads it again, and {goes_on}"


def _check_overdue(name: str, count: int, since: datetime | None, patience: timedelta, now: datetime) -> Finding:
    if since is None:
        return Finding(name, Level.OK, "none is due")
    age = now - since
    says = f"{count:,} are due, the oldest for {format_duration(age.total_seconds())}"
    if age <= patience:
        return Finding(name, Level.OK, says)
    return Finding(name, Level.WARN, says, "see whether workers run, and whether the account or the pace holds them")


def _check_paused(connection: Connection) -> Iterator[Finding]:
    found = admin.paused_campaigns(connection, limit=MAX_NAMED + 1)
    for campaign in found[:MAX_NAMED]:
        says = f"campaign {campaign.id} is paused: {campaign.hold_reason}"
        yield Finding("paused", Level.WARN, says, way_to_resume(campaign))
    if len(found) > MAX_NAMED:
        yield Finding("paused", Level.WARN, "more campaigns are paused than are named here", "see `campaigns list`")
    if not found:
        yield Finding("paused", Level.OK, "no campaign is paused")


def _check_uncertain(connection: Connection) -> Finding:
    found = admin.uncertain_by_campaign(connection)
    if not found:
        return Finding("uncertain", Level.OK, "the fate of every message is known or will be")
    listed = ", ".join(f"{count:,} in campaign {campaign_id}" for campaign_id, count in found.items())
    return Finding(
        "uncertain",
        Level.WARN,
        f"nobody can know any more whether these were sent: {listed}",
        "`campaigns uncertain list` says what to do about them",
    )
