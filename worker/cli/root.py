"""The command itself: its help, the option before every command, and which commands there are."""

from __future__ import annotations

from dataclasses import dataclass

import click

from campaigns.errors import BadInput
from worker import logs
from worker.cli.account import account_, credit, ledger_
from worker.cli.demo import demo
from worker.cli.doctor import doctor
from worker.cli.exits import Exit
from worker.cli.inbox import inbox_
from worker.cli.making import create, estimate
from worker.cli.mending import epoch, restored, uncertain_
from worker.cli.metrics import metrics
from worker.cli.otp import otp_
from worker.cli.outbox import number_, outbox_
from worker.cli.pace import pace
from worker.cli.reporting import report, verify
from worker.cli.sandbox import sandbox
from worker.cli.setup import migrate, settings
from worker.cli.steering import cancel, pause, resume, start
from worker.cli.suppress import suppress_
from worker.cli.watching import list_, show, watch
from worker.cli.web import web
from worker.settings.parsers import decoded

_HELP = """Bulk SMS campaigns through Kavenegar.

\b
  campaigns estimate customers.csv --text "سلام {name}"
  campaigns create customers.csv --text "سلام {name}" --sender 10004346 --start
  campaigns watch 1
  campaigns report 1 --out report.csv

With neither DATABASE_URL nor BROKER_URL set, a PostgreSQL and a Valkey of our own are started, and with no
KAVENEGAR_API_KEY the sandbox gateway answers: nothing is sent to anybody. `campaigns settings` lists every setting,
`campaigns doctor` says what is wrong.
"""


@dataclass(slots=True)
class Invocation:
    """What holds for the whole command line."""

    debug: bool = False


class Typed(click.types.StringParamType):
    """Words as they were typed, whatever encoding the locale claims."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The words. Raises: BadInput."""
        text = str(super().convert(value, param, ctx))
        try:
            return decoded(text)
        except ValueError as why:
            name = param.get_error_hint(ctx) if param is not None and ctx is not None else "an argument"
            raise BadInput(f"{name} is not {why}, or give a text in a file of UTF-8 (--text-file)") from None


class Campaigns(click.Group):
    """Commands in the order in which they are needed, and the exit codes below them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code.value), code.meaning) for code in Exit])


@click.group(cls=Campaigns, help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--debug", is_flag=True, envvar="CAMPAIGNS_DEBUG", help="Log everything, and show where an error comes from."
)
@click.version_option(package_name="kavenegar-campaigns", prog_name="campaigns")
@click.pass_obj
def campaigns(invocation: Invocation, debug: bool) -> None:
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
    campaigns.add_command(command)


def _take_words_as_typed(command: click.Command) -> None:
    """Of `command` and those below it. A path stays as the locale reads it: it must lead to its file."""
    for parameter in command.params:
        if parameter.type is click.STRING and parameter.name != "file":
            parameter.type = Typed()
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        _take_words_as_typed(each)


_take_words_as_typed(campaigns)
