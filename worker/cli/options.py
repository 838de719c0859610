"""Arguments and options that several commands share, how their values are read, and the files that commands write."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, time
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, TypeVar

import click
from sqlalchemy import Connection

from campaigns import BadInput
from campaigns.api import admin
from campaigns.api.admin import Place
from campaigns.api.watch import FileFormat, format_of, open_new
from campaigns.context import Database
from campaigns.rules.dates import TEHRAN, is_persian_date, parse_moment
from campaigns.rules.message_options import MESSAGE_TYPES
from campaigns.rules.spreadsheet import MAX_SHEET_ROWS
from worker import create_task, wiring
from worker.cli.exits import Exit
from worker.cli.output import format_both_calendars, format_time, print_lines, printable
from worker.settings.parsers import decoded

Command = TypeVar("Command", bound=Callable[..., Any])

MAX_ID: Final = 2**63 - 1
DASH: Final = "-"
"""Standard input where a file is read, standard output where one is written."""

campaign_id = click.argument("campaign_id", metavar="ID", type=click.IntRange(1, MAX_ID))
as_json = click.option("--json", "as_json", is_flag=True, help="The answer as one JSON document.")


def parse_time(option: str, typed: str, *, right: str) -> datetime:
    """A time as typed, in either calendar; without a zone it is the time of Tehran. `right` says what would be.

    Of one in the Persian calendar, it says on standard error how it was understood. Raises: BadInput.
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
    """A time gone by; without a zone it is the time of Tehran."""
    if typed is None:
        return None
    right = "time such as 2026-12-01 or '2026-12-01 10:00' (or 1405/09/10)"
    return parse_time(f"--{parameter.name}", typed, right=right)


def parse_day(_: click.Context, parameter: click.Parameter, typed: str | None) -> datetime | None:
    """The first moment of a day of Tehran, as the value of an option. Raises: BadInput."""
    if typed is None:
        return None
    option, right = f"--{parameter.name}", "day such as 2026-12-01 or 1405/09/10"
    at = parse_time(option, typed, right=right).astimezone(TEHRAN)
    if at.time() != time.min:
        raise BadInput(f"{option}: {typed!r} is no {right}")
    return at


since_option = click.option(
    "--since", callback=_parse_past_time, metavar="TIME", help="Only since then, as 2026-12-01 or 1405/09/10."
)


def _parse_future_time(_: click.Context, __: click.Parameter, typed: str | None) -> datetime | None:
    """A time to come by the database's clock, as typed; without a zone it is the time of Tehran."""
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
    type=click.IntRange(1, MAX_SHEET_ROWS),
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
    return _read_text_file_option(file)


def _read_text_file_option(file: Path) -> str:
    try:
        return create_task.read_text_file(file).rstrip("\r\n")
    except OSError as why:
        raise BadInput(f"--text-file {file}: {why.strerror}") from why
    except BadInput as why:
        raise BadInput(f"--text-file {file}: {why}") from why


def path_or_stdin(file: str) -> Path | BinaryIO:
    """What FILE means: a path, or standard input."""
    return sys.stdin.buffer if file == DASH else Path(file)


def sender_line(sender: str | None) -> str:
    """The line that sends. Raises: BadInput."""
    chosen = sender or wiring.settings().kavenegar_sender
    if not chosen:
        raise BadInput("there is no sender: give a line with --sender, or set KAVENEGAR_SENDER (the sandbox: 10004346)")
    return chosen


def refuse_copied_database(database: Database) -> None:
    """Refuse what shows outside of a database that may be a copy. Raises: BadInput."""
    if admin.read_place(database) is Place.COPIED:
        raise BadInput("this database was restored or copied: `campaigns restored` comes first")


def confirm(yes: bool, question: str) -> None:
    """Ask before what cannot be taken back, and leave with 1 where the answer is no. Raises: BadInput."""
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
    help="Hand it over at once and let the gateway hold it until its time: no pause reaches it there, only `cancel`.",
)

voice = click.option("--voice", is_flag=True, help="Call the recipients and read the text out; there is no sender.")


def message_options(command: Command) -> Command:
    """How recipients are reached, and what goes along with every message."""
    for option in (
        click.option("--type", "message_type", type=click.Choice(list(MESSAGE_TYPES)),
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


# ── files that commands write ──

Exporter = Callable[[Connection, IO[Any], FileFormat], int]

_FORMATS: Final = "by its ending a CSV (.csv) or a workbook (.xlsx)"


def out_option(says: str, *, required: bool = False, to_standard_output: bool = True) -> Callable[[Command], Command]:
    """--out FILE; `says` is the sentence of its help that the formats are added to."""
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
    """The name of a file to write. Raises: BadInput for an ending that nothing is written as."""
    if given is not None:
        format_of(given)
    return given


def write_export(path: Path, export: Exporter) -> int:
    """Write a file that is there whole or not at all; how many lines. `export` reads in short transactions.

    Raises: BadInput, and what `export` does.
    """
    with (
        wiring.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        open_output(path) as file,
    ):
        return export(connection, file, format_of(path))


@contextmanager
def open_output(path: Path) -> Iterator[IO[Any]]:
    """A file that is there whole or not at all; a CSV opens as UTF-8 in Excel. `-` is standard output."""
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
    """A text as it was typed, whatever encoding the locale claims."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The words. Raises: BadInput."""
        text = str(super().convert(value, param, ctx))
        try:
            return decoded(text)
        except ValueError as why:
            name = param.get_error_hint(ctx) if param is not None and ctx is not None else "an argument"
            raise BadInput(f"{name} is not {why}, or give a text in a file of UTF-8 (--text-file)") from None


def decode_text_options(command: click.Command) -> None:
    """Have the text options of `command` and of its subcommands read as they were typed.

    A path stays as the locale reads it: it must lead to its file.
    """
    for parameter in command.params:
        if parameter.type is click.STRING and parameter.name != "file":
            parameter.type = DecodedText()
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        decode_text_options(each)
