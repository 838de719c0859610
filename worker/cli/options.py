"""Arguments and options that several commands share, and how their values are read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

import click

from campaigns import BadInput
from campaigns.rules.dates import is_persian, read_moment
from campaigns.rules.manner import TYPES
from campaigns.rules.spreadsheet import SHEET_ROWS
from campaigns.store import identity
from campaigns.store.database import Database
from campaigns.store.identity import Place
from worker import text_file, wiring
from worker.cli.exits import Exit
from worker.cli.words import both_calendars, moment, printable, say

Command = TypeVar("Command", bound=Callable[..., Any])

LARGEST_ID: Final = 2**63 - 1
DASH: Final = "-"
"""Standard input where a file is read, standard output where one is written."""

campaign_id = click.argument("campaign_id", metavar="ID", type=click.IntRange(1, LARGEST_ID))
as_json = click.option("--json", "as_json", is_flag=True, help="The answer as one JSON document.")


def typed_time(option: str, typed: str, *, right: str) -> datetime:
    """A time as typed, in either calendar; without a zone it is the time of Tehran. `right` says what would be.

    Of one in the Persian calendar, it says on standard error how it was understood. Raises: BadInput.
    """
    try:
        at = read_moment(typed)
    except BadInput as why:
        raise BadInput(f"{option}: {why}") from None
    except ValueError:
        raise BadInput(f"{option}: {typed!r} is no {right}") from None
    if is_persian(typed):
        click.echo(f"{option}: {both_calendars(at)}", err=True)
    return at


def _ahead(_: click.Context, __: click.Parameter, typed: str | None) -> datetime | None:
    """A time to come by the database's clock, as typed; without a zone it is the time of Tehran."""
    if typed is None:
        return None
    at = typed_time(
        "--at",
        typed,
        right="time such as 2026-12-01T10:00+03:30, or '2026-12-01 10:00' or '1405/09/10 10:00' in the time of Tehran",
    )
    if at <= wiring.database().now():
        raise BadInput(f"--at: {moment(at)} has passed: give a later time, or leave it out to begin at once")
    return at


starts_at = click.option(
    "--at",
    callback=_ahead,
    metavar="TIME",
    help="When to begin: ISO 8601, or '2026-12-01 10:00' or '1405/09/10 10:00' in the time of Tehran.",
)


sheet = click.option("--sheet", help="The sheet of a workbook, by its name; needed where several have rows.")
include_hidden = click.option(
    "--include-hidden",
    is_flag=True,
    help="Rows that a filter hides in the sheet are meant, too; else they are left out.",
)


header_row = click.option(
    "--header-row",
    type=click.IntRange(1, SHEET_ROWS),
    metavar="N",
    help="The row that names the columns, where it is not found; rows above it are left out, and counted.",
)


def recipients(command: Command) -> Command:
    """FILE, and what has to be said about it."""
    for option in (
        header_row,
        include_hidden,
        sheet,
        click.option("--column", help="The column with the numbers, where it cannot be told."),
        click.argument("file"),
    ):
        command = option(command)
    return command


def text(command: Command) -> Command:
    """The text, given as it is or in a file."""
    for option in (
        click.option("--text-file", type=click.Path(path_type=Path), help="A UTF-8 file that holds the text."),
        click.option("--text", help="The text; {name} stands for the column called name."),
    ):
        command = option(command)
    return command


def read_text(given: str | None, file: Path | None) -> str:
    """The text, from whichever option holds it. Raises: BadInput."""
    if given is not None and file is not None:
        raise BadInput("the text was given twice: use --text or --text-file, not both")
    if given is not None:
        return given
    if file is None:
        raise BadInput("there is no text: give it with --text or --text-file")
    return _text_of(file)


def _text_of(file: Path) -> str:
    try:
        return text_file.read(file).rstrip("\r\n")
    except OSError as why:
        raise BadInput(f"--text-file {file}: {why.strerror}") from why
    except BadInput as why:
        raise BadInput(f"--text-file {file}: {why}") from why


def source(file: str) -> Path | BinaryIO:
    """What FILE means: a path, or standard input."""
    return sys.stdin.buffer if file == DASH else Path(file)


def line(sender: str | None) -> str:
    """The line that sends. Raises: BadInput."""
    chosen = sender or wiring.settings().kavenegar_sender
    if not chosen:
        raise BadInput("there is no sender: give a line with --sender, or set KAVENEGAR_SENDER (the sandbox: 10004346)")
    return chosen


def known_place(database: Database) -> None:
    """Refuse what shows outside of a database that may be a copy. Raises: BadInput."""
    if database(identity.read) is Place.COPIED:
        raise BadInput("this database was restored or copied: `campaigns restored` comes first")


def confirm(yes: bool, question: str) -> None:
    """Ask before what cannot be taken back, and leave with 1 where the answer is no. Raises: BadInput."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise BadInput("this cannot be taken back, and nobody can be asked here: say --yes")
    if not click.confirm(printable(question), err=True):
        say("nothing was changed")
        raise click.exceptions.Exit(Exit.NO)


at_gateway = click.option(
    "--at-gateway",
    is_flag=True,
    help="Hand it over at once and let the gateway hold it until its time: no pause reaches it there, only `cancel`.",
)

voice = click.option("--voice", is_flag=True, help="Call the recipients and read the text out; there is no sender.")


def manner(command: Command) -> Command:
    """How recipients are reached, and what goes along with every message."""
    for option in (
        click.option("--type", "message_type", type=click.Choice(list(TYPES)),
                     help="How a phone shows an SMS; lines that begin with 3000 only."),
        click.option("--hide", is_flag=True, help="SMS: keep the numbers out of the panel's lists."),
        click.option("--policy", help="SMS: a sending flow of your account, by its name."),
        click.option("--tag", help="A tag that was made in the panel."),
        click.option("--repeat", type=int, metavar="0-5",
                     help="Calls: how often to try again; the gateway says that it ignores this at present."),
        voice,
    ):  # fmt: skip
        command = option(command)
    return command
