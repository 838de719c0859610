"""The `campaigns` command: its help, its global option, its commands, and how it exits."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import NoReturn

import click

from kavenegar_worker import logs, wiring
from kavenegar_worker.cli import options
from kavenegar_worker.cli.account import account_, credit, ledger_
from kavenegar_worker.cli.campaign import cancel, list_, pause, resume, show, start, watch
from kavenegar_worker.cli.create import create, estimate
from kavenegar_worker.cli.exits import HANDLED, Exit, exit_message
from kavenegar_worker.cli.inbox import inbox_
from kavenegar_worker.cli.operate import demo, doctor, metrics, migrate, sandbox, settings, web
from kavenegar_worker.cli.otp import otp_
from kavenegar_worker.cli.pace import pace
from kavenegar_worker.cli.repair import epoch, restored, uncertain_
from kavenegar_worker.cli.report import report, verify
from kavenegar_worker.cli.sent_at_gateway import number_, outbox_
from kavenegar_worker.cli.suppression import suppress_

_HELP = """Bulk SMS campaigns through Kavenegar.

\b
  campaigns estimate customers.csv --text "سلام {name}"
  campaigns create customers.csv --text "سلام {name}" --sender 10004346 --start
  campaigns watch 1
  campaigns report 1 --out report.csv

With neither DATABASE_URL nor CAMPAIGNS_BROKER_URL set, an embedded PostgreSQL and Valkey are started. With no
KAVENEGAR_API_KEY the sandbox gateway answers, and no SMS is sent. `campaigns settings` lists every setting;
`campaigns doctor` checks the installation.
"""


@dataclass(slots=True)
class Invocation:
    """Options of the whole command line."""

    debug: bool = False


class CommandGroup(click.Group):
    """Lists the commands in the order of use, and the exit codes below them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code.value), code.meaning) for code in Exit])


@click.group(cls=CommandGroup, help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, envvar="CAMPAIGNS_DEBUG", help="Log everything, and show tracebacks.")
@click.version_option(package_name="kavenegar-campaigns", prog_name="campaigns")
@click.pass_obj
def command_line(invocation: Invocation, debug: bool) -> None:
    """Replaced by `_HELP`."""
    invocation.debug = debug
    logs.configure("DEBUG" if debug else "ERROR")


for command in (
    create,
    estimate,
    list_,
    show,
    watch,
    start,
    pause,
    resume,
    cancel,
    report,
    verify,
    uncertain_,
    restored,
    epoch,
    inbox_,
    suppress_,
    otp_,
    credit,
    account_,
    ledger_,
    number_,
    outbox_,
    pace,
    migrate,
    settings,
    doctor,
    metrics,
    web,
    sandbox,
    demo,
):
    command_line.add_command(command)


options.decode_text_options(command_line)


# ── exit: every error becomes one sentence and an exit code ──


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the command line. Returns the exit code."""
    invocation = Invocation()
    wiring.allow_embedded_servers()
    sys.excepthook = lambda *error: _report_defect(invocation, *error)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a terminal without Persian
    try:
        with command_line.make_context("campaigns", list(arguments), obj=invocation) as context:
            command_line.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as why:
        return why.exit_code
    except (KeyboardInterrupt, click.Abort):
        _print_error("interrupted")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return Exit.NOBODY_READS
    except HANDLED as why:
        if invocation.debug:
            _print_error(logs.redact("".join(traceback.format_exception(why))))
        message = exit_message(why)
        _print_error(logs.redact(message.sentence))
        return message.exit
    return Exit.FINE


def _print_error(sentence: str) -> None:
    try:
        sys.stderr.write(f"campaigns: {sentence}\n")
        sys.stderr.flush()
    except BrokenPipeError:
        _discard_output()


def _discard_output() -> None:
    """Discard buffered output after the reader has gone, so that the exit of the process raises no error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())


def _report_defect(
    invocation: Invocation, kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Report an unexpected error by its class only: its message may hold secrets."""
    if invocation.debug:
        _print_error(logs.redact("".join(traceback.format_exception(kind, error, trace))))
    _print_error(f"this is a defect of the program ({kind.__name__}); `campaigns --debug …` shows where it comes from")
