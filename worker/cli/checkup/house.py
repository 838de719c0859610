"""Settings, the database, and what the tables say of the house."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from campaigns.store import health, installation, migrate
from campaigns.store.installation import Installation
from campaigns.waiting.paused import way_on
from worker import wiring
from worker.cli.checkup import clocks, dispatcher, listening, safety, writes
from worker.cli.checkup.finding import Finding, Level
from worker.cli.words import duration, moment
from worker.logs import first_line
from worker.settings import old_names
from worker.settings.key_file import path_of_key

if TYPE_CHECKING:  # it imports pydantic, which takes a tenth of a second
    from worker.settings.model import Settings

KEY_NOT_VALID: Final = 403
LATE_AFTER: Final = timedelta(seconds=60)
POLLS_LATE_AFTER: Final = timedelta(minutes=10)
MOST_NAMED: Final = 20


def settings(chosen: Settings) -> Iterator[Finding]:
    """Whether the settings go together."""
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
    for sentence in old_names():
        yield Finding("settings", Level.WARN, sentence, "use the new name; `campaigns settings` lists them all")
    if chosen.status_polls[-1] >= chosen.status_window:
        yield Finding(
            "polls",
            Level.WARN,
            "the last age in STATUS_POLLS is beyond STATUS_WINDOW: the gateway answers nothing then",
            "end STATUS_POLLS a little before STATUS_WINDOW",
        )
    yield safety.times(chosen)


def database() -> Iterator[Finding]:
    """Whether it answers, has our tables, and what they tell."""
    do = "start it, or correct DATABASE_URL"
    try:
        with wiring.engine().connect() as connection:
            yield writes.finding(connection)
            schema = _schema(connection)
            yield schema
            if schema.level is Level.BAD:
                return
            yield from _installation(connection)
    except DBAPIError as why:
        yield Finding("database", Level.BAD, f"it does not answer: {first_line(why.orig)}", do)


def _schema(connection: Connection) -> Finding:
    if migrate.is_behind(connection):
        says = "the tables are older than this version: its workers wait, and send nothing"
        return Finding("schema", Level.BAD, says, "run `campaigns migrate`: the workers then begin by themselves")
    if migrate.is_ahead(connection):
        says = "a newer version has upgraded the tables; this one goes on in them"
        return Finding("schema", Level.WARN, says, "install the newer version here, too")
    return Finding("schema", Level.OK, "the tables are those of this version")


def _installation(connection: Connection) -> Iterator[Finding]:
    now = wiring.database().now()
    found, backlog = installation.read(connection), health.backlog(connection, now=now)
    yield clocks.host()
    yield dispatcher.finding(found, running=backlog.running, now=now)
    yield from safety.findings(connection, wiring.settings(), now=now)
    yield _hold(found)
    yield from (
        _late("batches to send", backlog.ready, backlog.ready_since, LATE_AFTER, now),
        _late("unanswered batches", backlog.unknown, backlog.unknown_since, LATE_AFTER, now),
        _late("polls", backlog.polls, backlog.polls_since, POLLS_LATE_AFTER, now),
    )
    yield from _paused(connection)
    yield _uncertain(connection)
    yield from listening.inbox(connection, now=now)
    if wiring.settings().callback_token is not None:
        yield listening.callbacks(found, now=now)


def _hold(found: Installation) -> Finding:
    if found.hold is None:
        return Finding("account", Level.OK, "it is not on hold")
    says = (
        f"nothing is sent since {moment(found.hold.since)}: {found.hold.reason}; "
        f"the next look is at {moment(found.hold.probe_at)}"
    )
    return Finding("account", Level.BAD, says, _cure(found.hold.code))


def _cure(code: int) -> str:
    """What ends a hold of the account."""
    goes_on = "sending goes on by itself after the next look"
    if code != KEY_NOT_VALID:
        return f"mend what the reason names: {goes_on}"
    file = path_of_key()
    if file is None:
        return f"correct KAVENEGAR_API_KEY and start every process again; then {goes_on}"
    return f"write the right key into {file}: every process reads it again, and {goes_on}"


def _late(name: str, count: int, since: datetime | None, patience: timedelta, now: datetime) -> Finding:
    if since is None:
        return Finding(name, Level.OK, "none is due")
    age = now - since
    says = f"{count:,} are due, the oldest for {duration(age.total_seconds())}"
    if age <= patience:
        return Finding(name, Level.OK, says)
    return Finding(name, Level.WARN, says, "see whether workers run, and whether the account or the pace holds them")


def _paused(connection: Connection) -> Iterator[Finding]:
    found = health.paused(connection, limit=MOST_NAMED + 1)
    for campaign in found[:MOST_NAMED]:
        says = f"campaign {campaign.id} is paused: {campaign.hold_reason}"
        yield Finding("paused", Level.WARN, says, way_on(campaign))
    if len(found) > MOST_NAMED:
        yield Finding("paused", Level.WARN, "more campaigns are paused than are named here", "see `campaigns list`")
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
