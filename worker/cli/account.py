"""credit, account, ledger: the credit of the gateway account, its settings, and the messages it sent each day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date

import click

from kavenegar_campaigns import BadInput
from kavenegar_campaigns.api import admin, gateway
from kavenegar_campaigns.api.gateway import AccountConfig, Counted, Day, Estimated
from kavenegar_campaigns.context import Database
from kavenegar_worker import wiring
from kavenegar_worker.cli import options, output
from kavenegar_worker.cli.exits import Exit
from kavenegar_worker.cli.output import print_json

DEBUG_MODE = "the account is in DEBUG MODE: the gateway answers as always and sends nothing to anybody"


@click.command()
@options.as_json
def credit(as_json: bool) -> None:
    """Ask for the account's credit, in rial."""
    with wiring.engine().connect():  # a missing database is reported at once
        found = gateway.fetch_credit(wiring.context())
    if as_json:
        print_json({"credit_rial": found.remaincredit, "type": found.type})
    else:
        output.print_lines(f"{found.remaincredit:,} rial ({found.type} account)")


@click.group(name="account")
def account_() -> None:
    """Show the state and the settings of the gateway account."""


@account_.command()
@options.as_json
@click.pass_context
def show(ctx: click.Context, as_json: bool) -> None:
    """Show the state of the account. Exit code 1: something keeps it from sending."""
    context = wiring.context()
    found, config = gateway.fetch_credit(context), gateway.fetch_settings(context)
    hold = admin.read_installation(context.database).hold
    low = found.remaincredit < gateway.low_credit(context, config.mincreditalarm)
    if as_json:
        status = {"credit_rial": found.remaincredit, "credit_low": low, "type": found.type}
        print_json({**status, "hold": None if hold is None else asdict(hold), "settings": config_as_json(config)})
    else:
        output.print_facts(
            [
                ("credit", f"{found.remaincredit:,} rial{', which is LOW' if low else ''}"),
                ("type", found.type),
                ("hold", "none" if hold is None else f"since {output.format_time(hold.since)}: {hold.reason}"),
                *_config_facts(config),
            ]
        )
        _warn_debug_mode(config)
    if config.debugmode or hold is not None:
        ctx.exit(Exit.NO)


_SWITCH = click.Choice(["on", "off"])


@account_.command()
@click.option("--debug-mode", type=_SWITCH, help="on: test mode; sends are accepted and nothing is delivered.")
@click.option("--default-sender", metavar="LINE", help="The line that sends when a request names none.")
@click.option("--credit-alarm", type=click.IntRange(0), metavar="RIAL", help="The gateway warns below this credit.")
@click.option("--resend-failed", type=_SWITCH, help="on: the gateway sends undelivered messages again by itself.")
@click.option("--api-logs", type=click.Choice(["justfaults", "enabled", "disabled"]), help="Which calls are logged.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@options.as_json
def config(
    *,
    debug_mode: str | None,
    default_sender: str | None,
    credit_alarm: int | None,
    resend_failed: str | None,
    api_logs: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Show the settings of the account. Each option changes one setting; the others stay as they are."""
    changes = {
        "debugmode": _as_bool(debug_mode),
        "defaultsender": default_sender,
        "mincreditalarm": credit_alarm,
        "resendfailed": _as_bool(resend_failed),
        "apilogs": api_logs,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    if any(value == "" for value in changes.values()):
        raise BadInput("a setting was given blank: name a value, or leave the option out to keep what it is")
    if changes:
        listed = ", ".join(f"{name} = {value}" for name, value in changes.items())
        options.confirm(yes, f"Write to the account: {listed}?")
        found = gateway.configure(wiring.context(), **changes)
    else:
        found = gateway.fetch_settings(wiring.context())
    if as_json:
        print_json(config_as_json(found))
    else:
        output.print_facts(_config_facts(found))
        _warn_debug_mode(found)


def _as_bool(given: str | None) -> bool | None:
    return None if given is None else given == "on"


def config_as_json(found: AccountConfig) -> dict[str, object]:
    """Return the settings for a program, under the gateway's own names."""
    answer = asdict(found)
    del answer["extra"]
    return answer


def _config_facts(found: AccountConfig) -> Iterable[tuple[str, object]]:
    return [
        ("debug mode", "ON" if found.debugmode else "off"),
        ("default sender", found.defaultsender or "none"),
        ("credit alarm", f"{found.mincreditalarm:,} rial"),
        ("resend failed", "on" if found.resendfailed else "off"),
        ("api logs", found.apilogs),
    ]


def _warn_debug_mode(found: AccountConfig) -> None:
    if found.debugmode:
        output.print_lines(f"{DEBUG_MODE}; `campaigns account config --debug-mode off` ends that", style="bold red")


@click.command(name="ledger")
@click.option("--days", type=click.IntRange(1, 3650), default=7, show_default=True, help="How many days to show.")
@click.option("--stored", is_flag=True, help="Do not ask the gateway; show its last counts.")
@options.as_json
@click.pass_context
def ledger_(ctx: click.Context, days: int, stored: bool, as_json: bool) -> None:
    """Count the messages that left the account each day.

    Shows the count of our database, the count of the gateway, and the difference. Days are days of Tehran; costs are
    rial before refunds. The gateway answers for three days; earlier counts of it are kept. "Unexplained" messages are
    counted by the gateway and cannot be ours, whatever became of our unanswered requests: they were sent twice, or in a
    history that this database has lost, or by other software. "Estimated" is the part of our cost for messages whose
    price the gateway never gave: each counts as the average of its kind on that day. Exit code 4: the gateway did not
    answer.
    """
    unanswered = [] if stored else gateway.recount_days(wiring.context())
    found = Database(wiring.engine())(gateway.newest_days, limit=days)
    if as_json:
        print_json([{**asdict(day), "difference": asdict(day.difference) if day.difference else None} for day in found])
    else:
        _print_days(found, unanswered)
    if unanswered:
        ctx.exit(Exit.NOT_CHECKED)


def _print_days(found: Sequence[Day], unanswered: Sequence[date]) -> None:
    if not found:
        output.print_lines("no day was counted yet")
        return
    output.print_table(_HEADINGS, [_day_cells(day) for day in found], right=_HEADINGS[1:])
    for day in found:
        if day.estimated is not None and day.estimated.messages:
            output.print_lines(_estimated_sentence(day, day.estimated))
    if unanswered:
        listed = ", ".join(day.isoformat() for day in unanswered)
        output.print_lines(f"the gateway did not answer for {listed}: what it said before is shown")


def _estimated_sentence(day: Day, estimated: Estimated) -> str:
    return (
        f"{day.day.isoformat()}: of {estimated.messages:,} messages the gateway never told the price; at the average "
        f"of their kind they are {estimated.rial:,} of our {day.ours.cost_rial:,} rial"
        + ("" if estimated.rial else ", since no price of their kind is known on that day")
    )


_HEADINGS = (
    *("day", "messages", "gateway", "±", "unexplained", "parts", "gateway", "±", "rial", "estimated", "gateway", "±"),
)


def _day_cells(day: Day) -> tuple[object, ...]:
    theirs, difference = day.gateway, day.difference
    cells: list[object] = [day.day.isoformat()]
    for figure in ("messages", "parts", "cost_rial"):
        cells += [_figure_cell(each, figure) for each in (day.ours, theirs, difference)]
    cells.insert(8, "?" if day.estimated is None else day.estimated.rial or None)
    cells.insert(4, "?" if day.unexplained is None else day.unexplained)
    return tuple(cells)


def _figure_cell(counted: Counted | None, name: str) -> object:
    return "?" if counted is None else getattr(counted, name)
