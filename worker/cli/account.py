"""credit, account, ledger: what the gateway account has left, how it is set, and what left it day by day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date

import click

from campaigns import BadInput, account, ledger
from campaigns.kavenegar.records.account import AccountConfig
from campaigns.store.database import Database
from campaigns.store.installation import read as read_installation
from campaigns.store.ledger import Counted, Day, Estimated, newest
from worker import wiring
from worker.cli import options, words
from worker.cli.exits import Exit
from worker.cli.words import tell

DEBUG_MODE = "the account is in DEBUG MODE: the gateway answers as always and sends nothing to anybody"


@click.command()
@options.as_json
def credit(as_json: bool) -> None:
    """Ask for the account's credit, in rial."""
    with wiring.engine().connect():  # a database that is not there is told at once
        found = account.credit(wiring.house())
    if as_json:
        tell({"credit_rial": found.remaincredit, "type": found.type})
    else:
        words.say(f"{found.remaincredit:,} rial ({found.type} account)")


@click.group(name="account")
def account_() -> None:
    """The gateway account: its standing and its settings."""


@account_.command()
@options.as_json
@click.pass_context
def show(context: click.Context, as_json: bool) -> None:
    """Tell how the account stands. Ends with 1 where something keeps it from sending."""
    house = wiring.house()
    found, config = account.credit(house), account.settings(house)
    hold = house.database(read_installation).hold
    low = found.remaincredit < account.low_credit(house, config.mincreditalarm)
    if as_json:
        standing = {"credit_rial": found.remaincredit, "credit_low": low, "type": found.type}
        tell({**standing, "hold": None if hold is None else asdict(hold), "settings": config_answer(config)})
    else:
        words.facts(
            [
                ("credit", f"{found.remaincredit:,} rial{', which is LOW' if low else ''}"),
                ("type", found.type),
                ("hold", "none" if hold is None else f"since {words.moment(hold.since)}: {hold.reason}"),
                *_facts(config),
            ]
        )
        _shout(config)
    if config.debugmode or hold is not None:
        context.exit(Exit.NO)


_SWITCH = click.Choice(["on", "off"])


@account_.command()
@click.option("--debug-mode", type=_SWITCH, help="on: nothing is sent any more, and every send is answered as if.")
@click.option("--default-sender", metavar="LINE", help="The line that sends where none is named.")
@click.option("--credit-alarm", type=click.IntRange(0), metavar="RIAL", help="The gateway warns below this credit.")
@click.option("--resend-failed", type=_SWITCH, help="on: the gateway sends again by itself what was not delivered.")
@click.option("--api-logs", type=click.Choice(["justfaults", "enabled", "disabled"]), help="What the panel keeps.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before writing.")
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
    """Read the account's settings; with an option, write that one and leave the others as they are."""
    changes = {
        "debugmode": _switched(debug_mode),
        "defaultsender": default_sender,
        "mincreditalarm": credit_alarm,
        "resendfailed": _switched(resend_failed),
        "apilogs": api_logs,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    if any(value == "" for value in changes.values()):
        raise BadInput("a setting was given blank: name a value, or leave the option out to keep what it is")
    if changes:
        listed = ", ".join(f"{name} = {value}" for name, value in changes.items())
        options.confirm(yes, f"Write to the account: {listed}?")
        found = account.configure(wiring.house(), **changes)
    else:
        found = account.settings(wiring.house())
    if as_json:
        tell(config_answer(found))
    else:
        words.facts(_facts(found))
        _shout(found)


def _switched(given: str | None) -> bool | None:
    return None if given is None else given == "on"


def config_answer(found: AccountConfig) -> dict[str, object]:
    """The settings for a program, under the gateway's own names."""
    answer = asdict(found)
    del answer["extra"]
    return answer


def _facts(found: AccountConfig) -> Iterable[tuple[str, object]]:
    return [
        ("debug mode", "ON" if found.debugmode else "off"),
        ("default sender", found.defaultsender or "none"),
        ("credit alarm", f"{found.mincreditalarm:,} rial"),
        ("resend failed", "on" if found.resendfailed else "off"),
        ("api logs", found.apilogs),
    ]


def _shout(found: AccountConfig) -> None:
    if found.debugmode:
        words.say(f"{DEBUG_MODE}; `campaigns account config --debug-mode off` ends that", style="bold red")


@click.command(name="ledger")
@click.option("--days", type=click.IntRange(1, 3650), default=7, show_default=True, help="How many days to tell.")
@click.option("--stored", is_flag=True, help="Do not ask the gateway; tell what was counted last.")
@options.as_json
@click.pass_context
def ledger_(context: click.Context, days: int, stored: bool, as_json: bool) -> None:
    """Tell what left the account day by day: by our own rows, by the gateway, and the difference.

    A day is one of Tehran, costs are rial before refunds. The gateway can be asked about three days; what it said
    before is kept. Unexplained is what the gateway counts and cannot be ours, whatever became of messages without an
    answer: sent twice, in a history that this database has lost, or by other software. Estimated is the part of our
    rial for messages of which the gateway never told the price: they are taken at the average of their kind on that
    day. Ends with 4 where the gateway did not answer.
    """
    unanswered = [] if stored else ledger.count_anew(wiring.house())
    found = Database(wiring.engine())(newest, limit=days)
    if as_json:
        tell([{**asdict(day), "difference": asdict(day.difference) if day.difference else None} for day in found])
    else:
        _say_days(found, unanswered)
    if unanswered:
        context.exit(Exit.NOT_CHECKED)


def _say_days(found: Sequence[Day], unanswered: Sequence[date]) -> None:
    if not found:
        words.say("no day was counted yet")
        return
    words.table(_HEADINGS, [_row(day) for day in found], right=_HEADINGS[1:])
    for day in found:
        if day.estimated is not None and day.estimated.messages:
            words.say(_estimated(day, day.estimated))
    if unanswered:
        listed = ", ".join(day.isoformat() for day in unanswered)
        words.say(f"the gateway did not answer for {listed}: what it said before is shown")


def _estimated(day: Day, estimated: Estimated) -> str:
    return (
        f"{day.day.isoformat()}: of {estimated.messages:,} messages the gateway never told the price; at the average "
        f"of their kind they are {estimated.rial:,} of our {day.ours.cost_rial:,} rial"
        + ("" if estimated.rial else ", since no price of their kind is known on that day")
    )


_HEADINGS = (
    *("day", "messages", "gateway", "±", "unexplained", "parts", "gateway", "±", "rial", "estimated", "gateway", "±"),
)


def _row(day: Day) -> tuple[object, ...]:
    theirs, difference = day.gateway, day.difference
    cells: list[object] = [day.day.isoformat()]
    for figure in ("messages", "parts", "cost_rial"):
        cells += [_figure(each, figure) for each in (day.ours, theirs, difference)]
    cells.insert(8, "?" if day.estimated is None else day.estimated.rial or None)
    cells.insert(4, "?" if day.unexplained is None else day.unexplained)
    return tuple(cells)


def _figure(counted: Counted | None, name: str) -> object:
    return "?" if counted is None else getattr(counted, name)
