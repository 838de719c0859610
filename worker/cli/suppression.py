"""suppress: add, remove, list and check suppressed numbers, and synchronise them with the gateway's block lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import BadInput, Suppression, SuppressionReason
from kavenegar_campaigns.api import gateway
from kavenegar_campaigns.api.gateway import BlockStatus, Synced
from kavenegar_campaigns.api.suppression import (
    ImportResult,
    export_suppressed,
    find_suppression,
    import_suppressed,
    known_lines,
    newest_suppressions,
)
from kavenegar_campaigns.rules.phone import mask_number, normalise_line, normalise_mobile
from kavenegar_campaigns.rules.suppression import reason_text
from kavenegar_worker import wiring
from kavenegar_worker.cli import options, output
from kavenegar_worker.cli.exits import Exit

_BLOCKED_WORDS = {True: "blocked", False: "not blocked", None: "cannot be asked"}


@click.group("suppress")
def suppress_() -> None:
    """Manage suppressed numbers, to which no campaign is sent.

    One-time passwords are sent to them all the same. A change takes effect before the next batch of a running campaign.
    The report lists the numbers that were left out.
    """


_lines_option = click.option(
    "--line", "lines", multiple=True, metavar="LINE", help="Only this line; may be given several times."
)


@suppress_.command()
@click.argument("numbers", nargs=-1, required=True, metavar="NUMBER...")
@click.option(
    "--reason", default=SuppressionReason.MANUAL.value, show_default=True, help="A known reason, or your own."
)
@options.as_json
def add(numbers: Sequence[str], reason: str, as_json: bool) -> None:
    """Send nothing more to these numbers."""
    with wiring.engine().begin() as connection:
        new = campaigns.suppress(connection, numbers, reason=reason, source="the command line")
    _print_changed(new, numbers, "suppressed", "were suppressed already", as_json=as_json)


@suppress_.command()
@click.argument("numbers", nargs=-1, required=True, metavar="NUMBER...")
@options.as_json
def remove(numbers: Sequence[str], as_json: bool) -> None:
    """Let these numbers get messages again.

    The next synchronisation removes them from the gateway's block lists too, where the gateway allows it: it keeps
    the numbers of people who opted out there.
    """
    with wiring.engine().begin() as connection:
        lifted = campaigns.unsuppress(connection, numbers)
    _print_changed(lifted, numbers, "lifted", "were not suppressed", as_json=as_json)


def _print_changed(changed: int, numbers: Sequence[str], done: str, others: str, *, as_json: bool) -> None:
    left = len({normalise_mobile(number) for number in numbers}) - changed
    if as_json:
        output.print_json({done: changed, "unchanged": left})
    else:
        output.print_lines(f"{changed:,} {done}" + (f"; {left:,} {others}" if left else ""))


@suppress_.command("list")
@click.option("--reason", help=f"Only for this reason: {', '.join(SuppressionReason)}, or one in your own words.")
@options.since_option
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many to show.")
@click.option("--full", is_flag=True, help="Show full numbers.")
@options.as_json
def list_(*, reason: str | None, since: datetime | None, limit: int, full: bool, as_json: bool) -> None:
    """List suppressed numbers, newest first."""
    with wiring.engine().connect() as connection:
        found = newest_suppressions(connection, reason=reason, since=since, limit=limit + 1)
    shown, some = str if full else mask_number, found[:limit]
    if as_json:
        output.print_json([{**asdict(each), "number": shown(each.number)} for each in some])
    elif found:
        output.print_table(
            ("number", "why", "source", "since"),
            [(shown(each.number), reason_text(each.reason), each.source, each.created_at) for each in some],
        )
    else:
        output.print_lines(
            "nobody is suppressed" if reason is None and since is None else "nobody is suppressed like that"
        )
    output.warn_truncated(len(found), limit)


@suppress_.command("check")
@click.argument("number")
@_lines_option
@options.as_json
@click.pass_context
def check_(ctx: click.Context, number: str, lines: Sequence[str], as_json: bool) -> None:
    """Check whether a number is suppressed, by us or on the gateway's block lists.

    Exit code 0: it is. Exit code 1: it is not. Exit code 4: the gateway did not answer.
    """
    with wiring.engine().connect() as connection:
        mobile = normalise_mobile(number)
        found = find_suppression(connection, mobile)
        known = _normalise_lines(lines) or known_lines(connection)
    listed = gateway.check_number(wiring.context(), mobile, known) if known else []
    ours = found is not None and found.lifted_at is None
    if as_json:
        our_entry = None if found is None else {**asdict(found), "number": mask_number(mobile)}
        output.print_json({"suppressed": ours, "ours": our_entry, "gateway": [asdict(each) for each in listed]})
    else:
        _print_check(mobile, found, listed)
    ctx.exit(_check_exit(ours, listed))


def _check_exit(ours: bool, listed: Sequence[BlockStatus]) -> Exit:
    """Return the exit code for the result of a check."""
    if ours or any(each.blocked for each in listed):
        return Exit.FINE
    return Exit.NOT_CHECKED if any(each.blocked is None for each in listed) else Exit.NO


def _print_check(mobile: str, found: Suppression | None, listed: Sequence[BlockStatus]) -> None:
    if found is None:
        output.print_lines(f"{mask_number(mobile)} is not suppressed")
    elif found.lifted_at is None:
        output.print_lines(
            f"{mask_number(mobile)} is suppressed since {output.format_time(found.created_at)}: "
            f"{reason_text(found.reason)}"
        )
        output.print_lines(f"source: {found.source}")
    else:
        output.print_lines(
            f"{mask_number(mobile)} is not suppressed any more: lifted at {output.format_time(found.lifted_at)}"
        )
    if listed:
        output.print_table(
            ("line", "at the gateway", ""), [(each.line, _BLOCKED_WORDS[each.blocked], each.trouble) for each in listed]
        )


@suppress_.command("sync")
@_lines_option
@options.as_json
@click.pass_context
def sync_(ctx: click.Context, lines: Sequence[str], as_json: bool) -> None:
    """Synchronise suppressed numbers with the gateway's block lists, both ways.

    Covers every line that is pulled or has sent, unless lines are named. Exit code 1: a line failed.
    """
    with wiring.engine().connect() as connection:
        known = _normalise_lines(lines) or known_lines(connection)
    if not known:
        raise BadInput("no line is known yet, since no campaign was made: name one with --line")
    options.refuse_copied_database(wiring.database())
    found = gateway.sync_lines(wiring.context(), known)
    if as_json:
        output.print_json([asdict(each) for each in found])
    else:
        _print_sync(found, known)
    if not all(each.whole for each in found) or len(found) < len(known):
        ctx.exit(Exit.NO)


def _normalise_lines(lines: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(map(normalise_line, lines)))


def _print_sync(found: Sequence[Synced], known: Sequence[str]) -> None:
    output.print_table(
        ("line", "seen", "newly suppressed", "written", "removed", ""),
        [(each.line, each.seen, each.suppressed, each.written, each.removed, each.trouble) for each in found],
        right=("seen", "newly suppressed", "written", "removed"),
    )
    left = [line for line in known if line not in {each.line for each in found}]
    if left:
        output.print_lines(f"left out: {', '.join(left)}")


@suppress_.command("import")
@options.recipients
@click.option(
    "--reason", default=SuppressionReason.IMPORTED.value, show_default=True, help="A known reason, or your own."
)
@options.as_json
def import_(
    *,
    file: str,
    column: str | None,
    sheet: str | None,
    include_hidden: bool,
    header_row: int | None,
    reason: str,
    as_json: bool,
) -> None:
    """Suppress every number in FILE: CSV or a workbook, - is standard input.

    Rows that cannot be used are listed; the others are imported.
    """
    source = "standard input" if file == options.DASH else f"the file {Path(file).name}"[:200]
    found = import_suppressed(
        wiring.engine(),
        options.path_or_stdin(file),
        file=file,
        source=source,
        reason=reason,
        number_column=column,
        sheet=sheet,
        include_hidden=include_hidden,
        header_row=header_row,
    )
    output.print_json(asdict(found)) if as_json else _print_import(found)


def _print_import(found: ImportResult) -> None:
    known = found.numbers - found.suppressed
    output.print_lines(f"{found.suppressed:,} suppressed" + (f"; {known:,} were suppressed already" if known else ""))
    if found.rejects:
        output.print_table(("row", "not used", "why"), [(str(row), value, why) for row, value, why in found.examples])
        more = found.rejects - len(found.examples)
        output.print_lines(
            f"{found.rejects:,} rows were not used" + (f", {more:,} more than are shown" if more else "")
        )


@suppress_.command()
@options.out_option("Where to write it", required=True)
def export(out: Path) -> None:
    """Write all suppressed numbers to a file, in full."""
    lines = options.write_export(out, export_suppressed)
    if str(out) != options.DASH:
        output.print_lines(f"{lines:,} numbers written to {out}")
