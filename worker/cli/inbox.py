"""inbox: show inbound messages and lines, and check that no message is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import click

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import BadInput, Inbound
from kavenegar_campaigns.api import admin, gateway
from kavenegar_campaigns.api.admin import Line
from kavenegar_campaigns.api.gateway import DayCount, Pulled
from kavenegar_campaigns.rules.arguments import MAX_ID
from kavenegar_campaigns.rules.phone import mask_number, normalise_line
from kavenegar_worker import wiring
from kavenegar_worker.cli import options, output
from kavenegar_worker.cli.exits import Exit
from kavenegar_worker.settings.parsers import at_least_a_second

MAX_PULLS: Final = 10_000
"""Pulls of one line in the foreground at most: some ten million messages."""


def _parse_line(_: click.Context, __: click.Parameter, typed: str | None) -> str | None:
    return None if typed is None else normalise_line(typed)


def _parse_interval(_: click.Context, __: click.Parameter, typed: str | None) -> timedelta | None:
    try:
        return None if typed is None else at_least_a_second(typed)
    except ValueError as why:
        raise BadInput(f"--every: {typed!r} is not {why}") from None


_line_option = click.option("--line", callback=_parse_line, metavar="LINE", help="Only messages to this line.")
_campaign_option = click.option(
    "--campaign", "campaign_id", type=click.IntRange(1, MAX_ID), help="Only answers to this campaign."
)
_line_argument = click.argument("line", callback=_parse_line)


@click.group("inbox", invoke_without_command=True)
@click.pass_context
def inbox_(ctx: click.Context) -> None:
    """Show inbound messages, and manage the lines they come to.

    Without a subcommand: the newest messages.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_)


@inbox_.command("list")
@_line_option
@_campaign_option
@options.since_option
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many to show.")
@click.option("--full", is_flag=True, help="Show full numbers.")
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
    """List inbound messages, newest first."""
    with wiring.engine().connect() as connection:
        found = campaigns.list_inbound(connection, line=line, campaign_id=campaign_id, since=since, limit=limit + 1)
        waiting, given_up = admin.count_unacknowledged(connection)
    shown = str if full else mask_number
    some = found[:limit]
    if as_json:
        output.print_json([{**asdict(each), "number": shown(each.number)} for each in some])
        output.warn_truncated(len(found), limit)
        return
    if found:
        output.print_table(
            ("id", "received", "line", "from", "text", "campaign", ""),
            [(str(each.id), each.received_at, each.line, shown(each.number), each.text, _format_id(each.campaign_id),
              _remark(each)) for each in some],
            right=("campaign",),
        )  # fmt: skip
        output.warn_truncated(len(found), limit)
    else:
        output.print_lines("nothing has come in like that: `campaigns inbox lines` shows which lines are pulled")
    if waiting or given_up:
        output.print_lines("", f"handed over and not taken yet: {waiting:,}; given up after a week: {given_up:,}")


def _format_id(value: int | None) -> str | None:
    return None if value is None else str(value)


def _remark(message: Inbound) -> str:
    if message.opted_out:
        return "opted out"
    if message.acknowledged_at is None and message.delivery_attempts:
        return (
            f"not taken, tried {message.delivery_attempts} times" if message.next_delivery_at else "not taken, given up"
        )
    return ""


@inbox_.command("export")
@options.out_option("Write a line for each message", required=True)
@_line_option
@_campaign_option
@options.since_option
def export_(*, out: Path, line: str | None, campaign_id: int | None, since: datetime | None) -> None:
    """Write inbound messages to a file, with full numbers. The file is written whole or not at all."""
    count = options.write_export(out, partial(gateway.export_inbound, line=line, campaign_id=campaign_id, since=since))
    if str(out) != options.DASH:
        output.print_lines(f"{count:,} messages written to {out}")


@inbox_.command("lines")
@options.as_json
def lines_(as_json: bool) -> None:
    """List the lines that are pulled, and their state."""
    with wiring.engine().connect() as connection:
        found = admin.list_lines(connection)
    _print_inbox_lines(found, as_json=as_json)


@inbox_.command("line")
@_line_argument
@click.option("--every", callback=_parse_interval, metavar="TIME", help="How often the line is pulled, as 30s or 5m.")
@click.option("--on/--off", "enabled", default=None, help="Whether the line is pulled.")
@options.as_json
def line_(line: str, *, every: timedelta | None, enabled: bool | None, as_json: bool) -> None:
    """Change how a line is pulled, or add a line. Takes effect at once; INBOX_LINES no longer applies to this line."""
    if every is None and enabled is None:
        raise BadInput("there is nothing to change: say --every TIME, --on or --off")
    database = wiring.database()
    otherwise = wiring.settings().inbox_every
    found = admin.change_line(database, line, every=every, enabled=enabled, otherwise=otherwise, now=database.now())
    _print_inbox_lines([found], as_json=as_json)


def _print_inbox_lines(found: Sequence[Line], *, as_json: bool) -> None:
    if as_json:
        output.print_json([{**asdict(each), "every": each.every.total_seconds()} for each in found])
    elif found:
        output.print_table(
            ("line", "every", "pulled", "complete to", "gone through", "next", ""),
            [(each.line, output.format_duration(each.every.total_seconds()) if each.enabled else "off", each.pulled_at,
              each.complete_to, each.reconciled_at, each.due_at if each.enabled else None, _line_trouble(each))
             for each in found],
        )  # fmt: skip
    else:
        output.print_lines("no line is pulled: set INBOX_LINES, or `campaigns inbox line LINE --every 1m`")


def _line_trouble(line: Line) -> str:
    doubt = f"in doubt since {output.format_time(line.needs_reconcile_since)}" if line.needs_reconcile_since else ""
    return "; ".join(filter(None, (doubt, line.trouble)))


@inbox_.command("check")
@_line_option
@click.option("--days", type=click.IntRange(1, 60), default=2, show_default=True, help="How many days, today included.")
@options.as_json
@click.pass_context
def check_(ctx: click.Context, line: str | None, days: int, as_json: bool) -> None:
    """Compare the gateway's count of inbound messages on each day with ours.

    Exit code 1: ours are fewer. Messages of the last minutes are left out.
    """
    with wiring.engine().connect() as connection:
        chosen = [line] if line else [each.line for each in admin.list_lines(connection) if each.enabled]
    context = wiring.context()
    found = [count for each in chosen for count in gateway.count_days(context, each, days=days)]
    if as_json:
        output.print_json([{**asdict(each), "short": each.short} for each in found])
    else:
        _print_counts(found)
    if any(each.short for each in found):
        ctx.exit(Exit.NO)


def _print_counts(found: Sequence[DayCount]) -> None:
    if not found:
        output.print_lines("no line is pulled: set INBOX_LINES, or name one with --line")
        return
    output.print_table(
        ("line", "day", "gateway", "ours", "short"),
        [(each.line, each.day.isoformat(), each.gateway, each.ours, each.short or None) for each in found],
        right=("gateway", "ours", "short"),
    )


@inbox_.command("pull")
@_line_argument
@click.pass_context
def pull_(ctx: click.Context, line: str) -> None:
    """Pull a line now, in the foreground, until no message is left. Exit code 1: the pull has to wait."""
    database = wiring.database()
    options.refuse_copied_database(database)
    admin.pull_line_soon(database, line, now=database.now())
    stored = 0
    for _ in range(MAX_PULLS):
        done = gateway.pull_line(wiring.context(), line)
        stored += done.stored
        if not done.more:
            break
        output.print_lines(done.summary)
    output.print_lines(
        f"{line}: {stored:,} new messages" + (f"; {_why_unfinished(done)}" if _why_unfinished(done) else "")
    )
    if _why_unfinished(done):
        ctx.exit(Exit.NO)


def _why_unfinished(done: Pulled) -> str:
    if done.trouble:
        return f"it has to wait: {done.trouble}"
    return "" if done.pages else "it is off, another worker has it, or a lost answer has not settled yet"
