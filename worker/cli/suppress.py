"""suppress: whom we do not write to. Added, removed, listed, checked, synchronised with the gateway's block lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

import campaigns
from campaigns import BadInput, Reason, Suppression
from campaigns.rules.phone import mask, normalise, normalise_line
from campaigns.rules.suppression import told
from campaigns.store import blocklists, suppressions
from campaigns.suppress.gateway import Listed, check, sync
from campaigns.suppress.visit import Synced
from worker import wiring
from worker.cli import files, options, suppress_files, words
from worker.cli.exits import Exit

_ANSWERS = {True: "blocked", False: "not blocked", None: "cannot be asked"}


@click.group("suppress")
def suppress_() -> None:
    """Whom nothing is sent to, but for one-time passwords.

    It takes effect before the next batch of a running campaign, and the report names everybody who was left out.
    """


def _since(_: click.Context, __: click.Parameter, typed: str | None) -> datetime | None:
    return None if typed is None else options.typed_time("--since", typed, right="day such as 2026-12-01 or 1405/09/10")


_line = click.option("--line", "lines", multiple=True, metavar="LINE", help="This line only; may be said again.")


@suppress_.command()
@click.argument("numbers", nargs=-1, required=True, metavar="NUMBER...")
@click.option("--reason", default=Reason.BY_HAND.value, show_default=True, help="Why, in a word or in your own.")
@options.as_json
def add(numbers: Sequence[str], reason: str, as_json: bool) -> None:
    """Send nothing more to these numbers."""
    with wiring.engine().begin() as connection:
        new = campaigns.suppress(connection, numbers, reason=reason, source="the command line")
    _say_changed(new, numbers, "suppressed", "were suppressed already", as_json=as_json)


@suppress_.command()
@click.argument("numbers", nargs=-1, required=True, metavar="NUMBER...")
@options.as_json
def remove(numbers: Sequence[str], as_json: bool) -> None:
    """Let these numbers get messages again.

    At the next synchronisation they are taken off the gateway's block lists as well, where the gateway allows it: not
    those who opted out there themselves.
    """
    with wiring.engine().begin() as connection:
        lifted = campaigns.unsuppress(connection, numbers)
    _say_changed(lifted, numbers, "lifted", "were not suppressed", as_json=as_json)


def _say_changed(changed: int, numbers: Sequence[str], done: str, others: str, *, as_json: bool) -> None:
    left = len({normalise(number) for number in numbers}) - changed
    if as_json:
        words.tell({done: changed, "unchanged": left})
    else:
        words.say(f"{changed:,} {done}" + (f"; {left:,} {others}" if left else ""))


@suppress_.command("list")
@click.option("--reason", help=f"Only for this reason: {', '.join(Reason)}, or one in your own words.")
@click.option(
    "--since", callback=_since, metavar="DAY", help="Only since a day of Tehran, as 2026-12-01 or 1405/09/10."
)
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="The newest so many.")
@click.option("--full", is_flag=True, help="Show the numbers in full.")
@options.as_json
def list_(*, reason: str | None, since: datetime | None, limit: int, full: bool, as_json: bool) -> None:
    """Show who is suppressed, the newest first."""
    with wiring.engine().connect() as connection:
        found = suppressions.newest(connection, reason=reason, since=since, limit=limit + 1)
    shown, some = str if full else mask, found[:limit]
    if as_json:
        words.tell([{**asdict(each), "number": shown(each.number)} for each in some])
    elif found:
        words.table(
            ("number", "why", "source", "since"),
            [(shown(each.number), told(each.reason), each.source, each.created_at) for each in some],
        )
    else:
        words.say("nobody is suppressed" if reason is None and since is None else "nobody is suppressed like that")
    words.say_cut(len(found), limit)


@suppress_.command("check")
@click.argument("number")
@_line
@options.as_json
@click.pass_context
def check_(context: click.Context, number: str, lines: Sequence[str], as_json: bool) -> None:
    """Tell whether a number is suppressed, by us and on the gateway's lists at this moment.

    Ends with 0 where it is by either, with 1 where it is not, and with 4 where the gateway did not say.
    """
    with wiring.engine().connect() as connection:
        mobile = normalise(number)
        found = suppressions.about(connection, [mobile]).get(mobile)
        known = _chosen(lines) or blocklists.lines(connection)
    listed = check(wiring.house(), mobile, known) if known else []
    ours = found is not None and found.lifted_at is None
    if as_json:
        ours_told = None if found is None else {**asdict(found), "number": mask(mobile)}
        words.tell({"suppressed": ours, "ours": ours_told, "gateway": [asdict(each) for each in listed]})
    else:
        _say_checked(mobile, found, listed)
    context.exit(_exit_of(ours, listed))


def _exit_of(ours: bool, listed: Sequence[Listed]) -> Exit:
    """The answer of a check as an exit code."""
    if ours or any(each.blocked for each in listed):
        return Exit.FINE
    return Exit.NOT_CHECKED if any(each.blocked is None for each in listed) else Exit.NO


def _say_checked(mobile: str, found: Suppression | None, listed: Sequence[Listed]) -> None:
    if found is None:
        words.say(f"{mask(mobile)} is not suppressed")
    elif found.lifted_at is None:
        words.say(f"{mask(mobile)} is suppressed since {words.moment(found.created_at)}: {told(found.reason)}")
        words.say(f"source: {found.source}")
    else:
        words.say(f"{mask(mobile)} is not suppressed any more: lifted at {words.moment(found.lifted_at)}")
    if listed:
        words.table(
            ("line", "at the gateway", ""), [(each.line, _ANSWERS[each.blocked], each.trouble) for each in listed]
        )


@suppress_.command("sync")
@_line
@options.as_json
@click.pass_context
def sync_(context: click.Context, lines: Sequence[str], as_json: bool) -> None:
    """Synchronise with the gateway's block lists, both ways.

    Every line that is pulled or was sent from, unless lines are named. Ends with 1 where a line could not be done.
    """
    with wiring.engine().connect() as connection:
        known = _chosen(lines) or blocklists.lines(connection)
    if not known:
        raise BadInput("no line is known yet, since no campaign was made: name one with --line")
    options.known_place(wiring.database())
    found = sync(wiring.house(), known)
    if as_json:
        words.tell([asdict(each) for each in found])
    else:
        _say_synced(found, known)
    if not all(each.whole for each in found) or len(found) < len(known):
        context.exit(Exit.NO)


def _chosen(lines: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(map(normalise_line, lines)))


def _say_synced(found: Sequence[Synced], known: Sequence[str]) -> None:
    words.table(
        ("line", "seen", "newly suppressed", "written", "removed", ""),
        [(each.line, each.seen, each.suppressed, each.written, each.removed, each.trouble) for each in found],
        right=("seen", "newly suppressed", "written", "removed"),
    )
    left = [line for line in known if line not in {each.line for each in found}]
    if left:
        words.say(f"left out: {', '.join(left)}")


@suppress_.command("import")
@options.recipients
@click.option("--reason", default=Reason.IMPORTED.value, show_default=True, help="Why, in a word or in your own.")
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

    Rows that cannot be used are told, and stop no others.
    """
    found = suppress_files.read_in(
        file, column=column, sheet=sheet, include_hidden=include_hidden, header_row=header_row, reason=reason
    )
    if as_json:
        words.tell(asdict(found))
    else:
        suppress_files.say_read(found)


@suppress_.command()
@files.out("Where to write it", required=True)
def export(out: Path) -> None:
    """Write everybody who is suppressed, with the numbers in full."""
    lines = suppress_files.write_out(out)
    if str(out) != options.DASH:
        words.say(f"{lines:,} numbers written to {out}")
