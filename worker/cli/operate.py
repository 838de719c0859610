"""migrate, settings, doctor, web, metrics, sandbox, demo: set up an installation, check it, and run its processes."""

from __future__ import annotations

import secrets
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta

import click
from rich.text import Text

from kavenegar_campaigns import BadInput
from kavenegar_campaigns.api import admin
from kavenegar_campaigns.context import Database
from kavenegar_campaigns.errors import CampaignsError
from kavenegar_campaigns.extras import require
from kavenegar_worker import extras, logs, wiring
from kavenegar_worker.cli import doctor_brokers, doctor_database, doctor_servers, options, output
from kavenegar_worker.cli.exits import Exit
from kavenegar_worker.cli.output import Finding, Level
from kavenegar_worker.settings import old_names, revealed, rows
from kavenegar_worker.settings.parsers import lasting


def _parse_wait(_: click.Context, __: click.Parameter, typed: str) -> timedelta:
    try:
        return lasting(typed)
    except ValueError as why:
        raise BadInput(f"--wait: {typed!r} is not {why}") from None


@click.command()
@click.option(
    "--wait",
    callback=_parse_wait,
    default=f"{admin.PATIENCE_S / 60:.0f}m",
    show_default=True,
    metavar="TIME",
    help="How long to wait for other sessions in all, as 90s or 10m.",
)
@click.option(
    "--grant",
    "web_roles",
    multiple=True,
    metavar="ROLE",
    help="Give a role exactly the rights of a web app: create, steer, watch, order, suppress. May be repeated.",
)
@click.option(
    "--grant-worker",
    "worker_roles",
    multiple=True,
    metavar="ROLE",
    help="Give a role exactly the rights of the workers and of this command, but for migrate. May be repeated.",
)
def migrate(wait: timedelta, web_roles: tuple[str, ...], worker_roles: tuple[str, ...]) -> None:
    """Create or upgrade the tables, in the schema sms.

    Safe to repeat, and to run several times at once. Sending goes on meanwhile: the command waits for tables in use,
    and names their sessions. Exit code 3: a table stayed in use; the next run goes on from there.

    Name the roles at every upgrade: a new version may have new tables. Rights beyond theirs are taken away.
    """
    changed = admin.upgrade(wiring.engine(), report=output.print_lines, patience_s=wait.total_seconds())
    output.print_lines(
        "the tables are now those of this version" if changed else "the tables are those of this version already"
    )
    for profile, roles in ((admin.Profile.WEB, web_roles), (admin.Profile.WORKER, worker_roles)):
        for role in roles:
            with wiring.engine().begin() as connection:
                admin.grant(connection, role, profile)
            output.print_lines(f"the role {role} has the rights of the profile {profile} on them, and no others")


@click.command()
@options.as_json
def settings(as_json: bool) -> None:
    """List every setting, its value and its meaning.

    A setting is an environment variable. For secrets the list only says whether they are set.
    """
    found = list(rows(wiring.settings()))
    _warn_of_old_names()
    if as_json:
        output.print_json([asdict(row) for row in found])
        return
    output.print_table(
        ("setting", "value", "default", "meaning"), [(row.name, row.value, row.default, row.meaning) for row in found]
    )


def _warn_of_old_names() -> None:
    """Print a line to standard error for each setting that is set by its old name."""
    for sentence in old_names():
        click.echo(f"campaigns: {sentence}", err=True)


# ── doctor: checks from the ground up; a check whose ground is missing is left out ──
#
#     doctor_database  settings, the database, the rows of its tables, whether the dispatcher ticks
#     doctor_safety    the conditions under which no message is sent twice and no inbound message is lost
#     doctor_servers   the broker, the pace, the workers, the gateway; and the clocks of all of them
#     doctor_brokers   whether Celery, the pace and INBOX_TASK use the brokers that the settings name


def run_checks() -> Iterator[Finding]:
    """Yield the findings of all checks."""
    try:
        chosen = wiring.settings()
        where = wiring.endpoints()
    except CampaignsError as why:
        for sentence in str(why).splitlines():
            yield Finding("settings", Level.BAD, sentence, "correct the setting; `campaigns settings` lists them all")
        return
    yield from doctor_database.check_settings(chosen)
    yield from doctor_database.check_database()
    broker = doctor_servers.check_broker(where.broker_url)
    yield broker
    if broker.level is Level.OK:
        yield doctor_brokers.check_celery_broker()
        yield doctor_servers.check_pace()
        yield from doctor_servers.check_workers()
        yield doctor_servers.check_queue_lengths()
        yield from doctor_servers.check_gateway()
    yield from doctor_brokers.check_inbox_task()


_STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.BAD: "bold red"}


@click.command()
@options.as_json
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check the installation, and say how to repair it.

    Exit code 1: a finding is bad.
    """
    found = []
    for finding in run_checks():
        found.append(finding)
        if not as_json:
            _print_finding(finding)
    healthy = all(finding.level is not Level.BAD for finding in found)
    if as_json:
        output.print_json({"healthy": healthy, "findings": [asdict(finding) for finding in found]})
    if not healthy:
        ctx.exit(Exit.NO)


def _print_finding(finding: Finding) -> None:
    says = output.printable(f"{finding.name}: {finding.says}")
    line = Text.assemble((f"{finding.level:<5}", _STYLES[finding.level]), says)
    console = output.StandardOutput()
    console.print(line, soft_wrap=True)
    if finding.do:
        console.print(f"     → {output.printable(finding.do)}", soft_wrap=True)


# ── web and metrics ──

TOKEN_BYTES = 32


@click.command()
@click.option("--new-token", is_flag=True, help="Print a new CALLBACK_TOKEN and exit.")
def web(new_token: bool) -> None:
    """Serve the gateway's callbacks over HTTP.

    The addresses are http://WEB_ADDRESS:WEB_PORT/callbacks/CALLBACK_TOKEN/status and …/receive. Runs in the foreground
    until Ctrl-C. A callback that got a 200 is stored in the database; the workers process it. See docs/callbacks.md.
    With METRICS_BASIC_AUTH set, /metrics answers Prometheus at the same address and port.
    """
    if new_token:
        output.print_lines(secrets.token_urlsafe(TOKEN_BYTES))
        return
    require("web", "`campaigns web`")
    from kavenegar_worker.metrics import MetricsCollector, metrics_application  # noqa: PLC0415 - no other command needs it
    from kavenegar_worker.web import Recorder, TokenBucket, bind_server, callbacks_application  # noqa: PLC0415 - likewise

    chosen = wiring.settings()
    token = revealed(chosen.callback_token)
    if token is None:
        raise BadInput("CALLBACK_TOKEN is not set: `campaigns web --new-token` prints one")
    logs.configure(chosen.log_level, chosen.log_format)
    _warn_of_old_names()
    from kavenegar_worker import process  # noqa: PLC0415 - Celery takes a while to import, and other commands do without it

    process.wait_for_tables(wiring.engine())
    database = Database(wiring.engine(), patience_s=1.0)
    recorder = Recorder(database, database.now, chosen.policy(), max_backlog=chosen.callback_backlog_max)
    known = revealed(chosen.metrics_basic_auth)
    metrics = None if known is None else metrics_application(MetricsCollector(wiring.pace, database), known)
    answers = callbacks_application(recorder, token, TokenBucket(chosen.callback_rate), metrics)
    server = bind_server(chosen.web_address, chosen.web_port, answers)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    output.print_lines(f"callbacks at http://{chosen.web_address}:{chosen.web_port}/callbacks/…/status and …/receive")
    server.run()


@click.command()
def metrics() -> None:
    """Serve metrics for Prometheus over HTTP.

    The address is http://METRICS_ADDRESS:METRICS_PORT/metrics. Runs in the foreground until Ctrl-C. A request needs the
    name and the password of METRICS_BASIC_AUTH. While the database or the broker is away, kavenegar_up is 0 for it and
    the other metrics are still served.
    """
    require("web", "`campaigns metrics`")
    from kavenegar_worker.metrics import MetricsCollector, bind_metrics_server, metrics_application  # noqa: PLC0415 - no other command needs the library

    chosen = wiring.settings()
    name_and_password = revealed(chosen.metrics_basic_auth)
    if name_and_password is None:
        raise BadInput(
            "METRICS_BASIC_AUTH is not set: it holds name:password, and everybody could read the metrics without it"
        )
    logs.configure(chosen.log_level, chosen.log_format)
    _warn_of_old_names()
    wiring.pace()  # a missing setting is reported now
    collector = MetricsCollector(wiring.pace, Database(wiring.engine(), patience_s=1.0))
    answers = metrics_application(collector, name_and_password)
    server = bind_metrics_server(chosen.metrics_address, chosen.metrics_port, answers)
    output.print_lines(f"metrics at http://{chosen.metrics_address}:{chosen.metrics_port}/metrics")
    server.run()
    raise KeyboardInterrupt  # the library returns only when it is interrupted, and hides the interrupt


# ── sandbox, demo ──


@click.command(
    add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def sandbox(ctx: click.Context, arguments: tuple[str, ...]) -> None:
    """Run the sandbox gateway.

    Its options are those of `kavenegar-sandbox`; `campaigns sandbox --help` lists them.
    """
    ctx.exit(extras.run_sandbox(arguments))


@click.command(
    add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def demo(ctx: click.Context, arguments: tuple[str, ...]) -> None:
    """Run a demo on this machine.

    It uses a real PostgreSQL, Valkey and Celery, and the sandbox gateway: no SMS is sent. `campaigns demo --help`
    lists the options.
    """
    command = extras.demo_command()
    options.decode_text_options(command)
    with command.make_context("demo", list(arguments), parent=ctx.parent) as demo_context:
        command.invoke(demo_context)
