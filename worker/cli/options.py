"""Arguments and options that several commands share, the parsing of their values, and the files that commands write."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, time
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, TypeVar

import click
from sqlalchemy import Connection

from kavenegar_campaigns import BadInput
from kavenegar_campaigns.api import admin
from kavenegar_campaigns.api.admin import Place
from kavenegar_campaigns.api.watch import FileFormat, format_of, open_new
from kavenegar_campaigns.context import Database
from kavenegar_campaigns.rules.arguments import MAX_ID
from kavenegar_campaigns.rules.dates import TEHRAN, is_persian_date, parse_moment
from kavenegar_campaigns.rules.message_options import MESSAGE_TYPES
from kavenegar_campaigns.rules.spreadsheet import MAX_SHEET_ROWS
from kavenegar_worker import create_task, wiring
from kavenegar_worker.cli.exits import Exit
from kavenegar_worker.cli.output import format_both_calendars, format_time, print_lines, printable
from kavenegar_worker.settings.parsers import decoded

Command = TypeVar("Command", bound=Callable[..., Any])

DASH: Final = "-"
"""Standard input where a file is read, standard output where one is written."""

campaign_id = click.argument("campaign_id", metavar="ID", type=click.IntRange(1, MAX_ID))
as_json = click.option("--json", "as_json", is_flag=True, help="Print the answer as one JSON document.")


def parse_time(option: str, typed: str, *, right: str) -> datetime:
    """Parse a time in either calendar; without a zone it is the time of Tehran. `right` shows valid spellings.

    A time in the Persian calendar is printed on standard error in both calendars. Raises: BadInput.
    """
    try:
        at = parse_moment(typed)
    except BadInput as why:
        raise BadInput(f"{option}: {why}") from None
    except ValueError:
        raise BadInput(f"{option}: {typed!r} is no {right}") from None
    if is_persian_date(typed):
        click.echo(f"{option}: {format_both_calendars(at)}", err=True)
    return at


def _parse_past_time(_: click.Context, parameter: click.Parameter, typed: str | None) -> datetime | None:
    """Parse a past time; without a zone it is the time of Tehran."""
    if typed is None:
        return None
    right = "time such as 2026-12-01 or '2026-12-01 10:00' (or 1405/09/10)"
    return parse_time(f"--{parameter.name}", typed, right=right)


def parse_day(_: click.Context, parameter: click.Parameter, typed: str | None) -> datetime | None:
    """Parse an option that names a day of Tehran. Returns its first moment. Raises: BadInput."""
    if typed is None:
        return None
    option, right = f"--{parameter.name}", "day such as 2026-12-01 or 1405/09/10"
    at = parse_time(option, typed, right=right).astimezone(TEHRAN)
    if at.time() != time.min:
        raise BadInput(f"{option}: {typed!r} is no {right}")
    return at


since_option = click.option(
    "--since", callback=_parse_past_time, metavar="TIME", help="Only messages since then, as 2026-12-01 or 1405/09/10."
)


def _parse_future_time(_: click.Context, __: click.Parameter, typed: str | None) -> datetime | None:
    """Parse a future time, by the database's clock; without a zone it is the time of Tehran."""
    if typed is None:
        return None
    at = parse_time(
        "--at",
        typed,
        right="time such as 2026-12-01T10:00+03:30, or '2026-12-01 10:00' or '1405/09/10 10:00' in the time of Tehran",
    )
    if at <= wiring.database().now():
        raise BadInput(f"--at: {format_time(at)} has passed: give a later time, or leave it out to begin at once")
    return at


start_at_option = click.option(
    "--at",
    callback=_parse_future_time,
    metavar="TIME",
    help="When to start: ISO 8601, or '2026-12-01 10:00' or '1405/09/10 10:00' in the time of Tehran.",
)


sheet = click.option("--sheet", help="The sheet of a workbook, by its name; needed where several have rows.")
include_hidden = click.option(
    "--include-hidden",
    is_flag=True,
    help="Use rows that a filter hides in the sheet, too; by default they are left out.",
)


header_row = click.option(
    "--header-row",
    type=click.IntRange(1, MAX_SHEET_ROWS),
    metavar="N",
    help="The row of the column names, if it is not found by itself; rows above it are left out, and counted.",
)


def recipients(command: Command) -> Command:
    """Add FILE and the options about its columns and sheets."""
    for option in (
        header_row,
        include_hidden,
        sheet,
        click.option("--column", help="The column with the numbers, if it is not found by itself."),
        click.argument("file"),
    ):
        command = option(command)
    return command


def text(command: Command) -> Command:
    """Add the options for the text: on the command line, or in a file."""
    for option in (
        click.option("--text-file", type=click.Path(path_type=Path), help="A UTF-8 file that holds the text."),
        click.option("--text", help="The text; {name} stands for the column called name."),
    ):
        command = option(command)
    return command


def read_text(given: str | None, file: Path | None) -> str:
    """Return the text from the option that holds it. Raises: BadInput."""
    if given is not None and file is not None:
        raise BadInput("the text was given twice: use --text or --text-file, not both")
    if given is not None:
        return given
    if file is None:
        raise BadInput("there is no text: give it with --text or --text-file")
    return _read_text_file_option(file)


def _read_text_file_option(file: Path) -> str:
    try:
        return create_task.read_text_file(file).rstrip("\r\n")
    except OSError as why:
        raise BadInput(f"--text-file {file}: {why.strerror}") from why
    except BadInput as why:
        raise BadInput(f"--text-file {file}: {why}") from why


def path_or_stdin(file: str) -> Path | BinaryIO:
    """Return the input that FILE names: a path, or standard input for `-`."""
    return sys.stdin.buffer if file == DASH else Path(file)


def sender_line(sender: str | None) -> str:
    """Return the line that sends. Raises: BadInput."""
    chosen = sender or wiring.settings().kavenegar_sender
    if not chosen:
        raise BadInput("there is no sender: give a line with --sender, or set KAVENEGAR_SENDER (the sandbox: 10004346)")
    return chosen


def refuse_copied_database(database: Database) -> None:
    """Refuse a command with effects outside of the database, if it may be a copy. Raises: BadInput."""
    if admin.read_place(database) is Place.COPIED:
        raise BadInput("this database was restored or copied: `campaigns restored` comes first")


def confirm(yes: bool, question: str) -> None:
    """Ask for confirmation; exit with code 1 if the answer is no. Raises: BadInput."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise BadInput("this cannot be taken back, and nobody can be asked here: say --yes")
    if not click.confirm(printable(question), err=True):
        print_lines("nothing was changed")
        raise click.exceptions.Exit(Exit.NO)


at_gateway = click.option(
    "--at-gateway",
    is_flag=True,
    help="Send it to the gateway now, which holds it until its time: there it can be cancelled, but not paused.",
)

voice = click.option("--voice", is_flag=True, help="Call the recipients and read the text out; calls have no sender.")


def message_options(command: Command) -> Command:
    """Add the options for the kind of campaign and for every message."""
    for option in (
        click.option("--type", "message_type", type=click.Choice(list(MESSAGE_TYPES)),
                     help="How a phone shows an SMS; lines that begin with 3000 only."),
        click.option("--hide", is_flag=True, help="SMS: keep the numbers out of the panel's lists."),
        click.option("--policy", help="SMS: the name of a sending flow of your account."),
        click.option("--tag", help="A tag that exists in the panel."),
        click.option("--repeat", type=int, metavar="0-5",
                     help="Calls: how often to try again; the gateway ignores this at present."),
        voice,
    ):  # fmt: skip
        command = option(command)
    return command


# ── files that commands write ──

Exporter = Callable[[Connection, IO[Any], FileFormat], int]

_FORMATS: Final = "by its ending a CSV (.csv) or a workbook (.xlsx)"


def out_option(says: str, *, required: bool = False, to_standard_output: bool = True) -> Callable[[Command], Command]:
    """Add --out FILE; `says` is the first sentence of its help, before the formats."""
    dash = "; - for CSV on standard output" if to_standard_output else ""
    return click.option(
        "--out",
        type=click.Path(path_type=Path, allow_dash=to_standard_output),
        callback=check_format,
        required=required,
        metavar="FILE",
        help=f"{says}, {_FORMATS}{dash}.",
    )


def check_format(_: click.Context, __: click.Parameter, given: Path | None) -> Path | None:
    """Check the name of a file to write. Raises: BadInput for an unsupported ending."""
    if given is not None:
        format_of(given)
    return given


def write_export(path: Path, export: Exporter) -> int:
    """Write a file whole or not at all. Returns how many lines. `export` reads in short transactions.

    Raises: BadInput, and the errors of `export`.
    """
    with (
        wiring.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        open_output(path) as file,
    ):
        return export(connection, file, format_of(path))


@contextmanager
def open_output(path: Path) -> Iterator[IO[Any]]:
    """Open a file that appears whole or not at all; Excel opens a CSV as UTF-8. `-` is standard output."""
    if str(path) == DASH:
        yield sys.stdout
        return
    fresh = path if path.exists() and not path.is_file() else path.with_name(f"{path.name}.part")
    try:
        with open_new(fresh, format_of(path)) as file:
            yield file
        if fresh != path:
            fresh.replace(path)
    except OSError as why:
        raise BadInput(f"the report cannot be written to {path}: {why.strerror}") from why
    finally:
        if fresh != path:
            fresh.unlink(missing_ok=True)


# ── texts as they were typed ──


class DecodedText(click.types.StringParamType):
    """A text option, decoded as it was typed, whatever the encoding of the locale."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text. Raises: BadInput."""
        text = str(super().convert(value, param, ctx))
        try:
            return decoded(text)
        except ValueError as why:
            name = param.get_error_hint(ctx) if param is not None and ctx is not None else "an argument"
            raise BadInput(f"{name} is not {why}, or give a text in a file of UTF-8 (--text-file)") from None


def decode_text_options(command: click.Command) -> None:
    """Decode the text options of `command` and of its subcommands as they were typed.

    Paths stay in the encoding of the locale, so that they lead to their files.
    """
    for parameter in command.params:
        if parameter.type is click.STRING and parameter.name != "file":
            parameter.type = DecodedText()
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        decode_text_options(each)
