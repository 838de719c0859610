"""inbox: what people wrote, the lines they write to, and whether everything of it is here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import click

import campaigns
from campaigns import BadInput, Inbound
from campaigns.inbox.check import Count, of_days
from campaigns.inbox.export import export
from campaigns.inbox.pull import Pulled
from campaigns.inbox.pull import run as pulled_once
from campaigns.rules.phone import mask, normalise_line
from campaigns.store import inbound, lines
from campaigns.store.lines import Line
from worker import wiring
from worker.cli import files, options, words
from worker.cli.exits import Exit
from worker.settings.parsers import at_least_a_second

MOST_TURNS: Final = 10_000
"""Of a pull in the foreground: some ten million messages."""


def _since(_: click.Context, __: click.Parameter, typed: str | None) -> datetime | None:
    """A time gone by; without a zone it is the time of Tehran."""
    if typed is None:
        return None
    return options.typed_time("--since", typed, right="time such as 2026-12-01 or '2026-12-01 10:00' (or 1405/09/10)")


def _line(_: click.Context, __: click.Parameter, typed: str | None) -> str | None:
    return None if typed is None else normalise_line(typed)


def _every(_: click.Context, __: click.Parameter, typed: str | None) -> timedelta | None:
    try:
        return None if typed is None else at_least_a_second(typed)
    except ValueError as why:
        raise BadInput(f"--every: {typed!r} is not {why}") from None


_on_line = click.option("--line", callback=_line, metavar="LINE", help="Only what came in on this line.")
_of_campaign = click.option(
    "--campaign", "campaign_id", type=click.IntRange(1, options.LARGEST_ID), help="Only answers to this campaign."
)
_since_then = click.option(
    "--since", callback=_since, metavar="TIME", help="Only since then, as 2026-12-01 or 1405/09/10."
)
_named_line = click.argument("line", callback=_line)


@click.group("inbox", invoke_without_command=True)
@click.pass_context
def inbox_(context: click.Context) -> None:
    """What people wrote to our lines; without a further command, the newest of it."""
    if context.invoked_subcommand is None:
        context.invoke(list_)


@inbox_.command("list")
@_on_line
@_of_campaign
@_since_then
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="The newest so many.")
@click.option("--full", is_flag=True, help="Show the numbers in full.")
@options.as_json
def list_(
    *,
    line: str | None = None,
    campaign_id: int | None = None,
    since: datetime | None = None,
    limit: int = 20,
    full: bool = False,
    as_json: bool = False,
) -> None:
    """Show what came in, the newest first."""
    with wiring.engine().connect() as connection:
        found = campaigns.inbox(connection, line=line, campaign_id=campaign_id, since=since, limit=limit + 1)
        waiting, given_up = inbound.untaken(connection)
    shown = str if full else mask
    some = found[:limit]
    if as_json:
        words.tell([{**asdict(each), "number": shown(each.number)} for each in some])
        words.say_cut(len(found), limit)
        return
    if found:
        words.table(
            ("id", "received", "line", "from", "text", "campaign", ""),
            [(str(each.id), each.received_at, each.line, shown(each.number), each.text, _id(each.campaign_id),
              _remark(each)) for each in some],
            right=("campaign",),
        )  # fmt: skip
        words.say_cut(len(found), limit)
    else:
        words.say("nothing has come in like that: `campaigns inbox lines` shows which lines are pulled")
    if waiting or given_up:
        words.say("", f"handed over and not taken yet: {waiting:,}; given up after a week: {given_up:,}")


def _id(value: int | None) -> str | None:
    return None if value is None else str(value)


def _remark(message: Inbound) -> str:
    if message.opted_out:
        return "opted out"
    if message.taken_at is None and message.hands:
        return f"not taken, tried {message.hands} times" if message.hand_at else "not taken, given up"
    return ""


@inbox_.command("export")
@files.out("Write a line for each message", required=True)
@_on_line
@_of_campaign
@_since_then
def export_(*, out: Path, line: str | None, campaign_id: int | None, since: datetime | None) -> None:
    """Write what came in, with the numbers in full. The file is there whole, or not at all."""
    count = files.exported(out, partial(export, line=line, campaign_id=campaign_id, since=since))
    if str(out) != options.DASH:
        words.say(f"{count:,} messages written to {out}")


@inbox_.command("lines")
@options.as_json
def lines_(as_json: bool) -> None:
    """Show the lines that are pulled, and how they stand."""
    with wiring.engine().connect() as connection:
        found = lines.listed(connection)
    _tell_lines(found, as_json=as_json)


@inbox_.command("line")
@_named_line
@click.option("--every", callback=_every, metavar="TIME", help="How often it is pulled, as 30s or 5m.")
@click.option("--on/--off", "enabled", default=None, help="Whether it is pulled.")
@options.as_json
def line_(line: str, *, every: timedelta | None, enabled: bool | None, as_json: bool) -> None:
    """Change how a line is pulled, or add one. It holds at once, and INBOX_LINES says nothing about it any more."""
    if every is None and enabled is None:
        raise BadInput("there is nothing to change: say --every TIME, --on or --off")
    database = wiring.database()
    otherwise = wiring.settings().inbox_every
    found = database(lines.change, line, every=every, enabled=enabled, otherwise=otherwise, now=database.now())
    _tell_lines([found], as_json=as_json)


def _tell_lines(found: Sequence[Line], *, as_json: bool) -> None:
    if as_json:
        words.tell([{**asdict(each), "every": each.every.total_seconds()} for each in found])
    elif found:
        words.table(
            ("line", "every", "pulled", "complete to", "gone through", "next", ""),
            [(each.line, words.duration(each.every.total_seconds()) if each.enabled else "off", each.pulled_at,
              each.complete_to, each.reconciled_at, each.due_at if each.enabled else None, _standing(each))
             for each in found],
        )  # fmt: skip
    else:
        words.say("no line is pulled: set INBOX_LINES, or `campaigns inbox line LINE --every 1m`")


def _standing(line: Line) -> str:
    doubt = f"in doubt since {words.moment(line.doubtful_since)}" if line.doubtful_since else ""
    return "; ".join(filter(None, (doubt, line.trouble)))


@inbox_.command("check")
@_on_line
@click.option("--days", type=click.IntRange(1, 60), default=2, show_default=True, help="Today and those before it.")
@options.as_json
@click.pass_context
def check_(context: click.Context, line: str | None, days: int, as_json: bool) -> None:
    """Ask the gateway how many messages came in on each day, and count ours.

    Ends with 1 where ours are fewer. What came in within the last minutes is left out.
    """
    with wiring.engine().connect() as connection:
        chosen = [line] if line else [each.line for each in lines.listed(connection) if each.enabled]
    house = wiring.house()
    found = [count for each in chosen for count in of_days(house, each, days=days)]
    if as_json:
        words.tell([{**asdict(each), "short": each.short} for each in found])
    else:
        _say_counts(found)
    if any(each.short for each in found):
        context.exit(Exit.NO)


def _say_counts(found: Sequence[Count]) -> None:
    if not found:
        words.say("no line is pulled: set INBOX_LINES, or name one with --line")
        return
    words.table(
        ("line", "day", "gateway", "ours", "short"),
        [(each.line, each.day.isoformat(), each.gateway, each.ours, each.short or None) for each in found],
        right=("gateway", "ours", "short"),
    )


@inbox_.command("pull")
@_named_line
@click.pass_context
def pull_(context: click.Context, line: str) -> None:
    """Pull a line now, in the foreground, until nothing is left. Ends with 1 where it has to wait."""
    database = wiring.database()
    options.known_place(database)
    database(lines.make_due, line, now=database.now())
    stored = 0
    for _ in range(MOST_TURNS):
        done = pulled_once(wiring.house(), line)
        stored += done.stored
        if not done.more:
            break
        words.say(done.summary)
    words.say(f"{line}: {stored:,} new messages" + (f"; {_waits(done)}" if _waits(done) else ""))
    if _waits(done):
        context.exit(Exit.NO)


def _waits(done: Pulled) -> str:
    if done.trouble:
        return f"it has to wait: {done.trouble}"
    return "" if done.pages else "it is off, another worker has it, or a lost answer has not settled yet"
