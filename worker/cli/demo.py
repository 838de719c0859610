"""demo: the whole house on this machine, taking one campaign from a file to a verdict for every recipient."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

import campaigns
from campaigns import BadInput
from campaigns.intake.sieve import listed
from worker import wiring
from worker.cli import files, options, story, words
from worker.cli.exits import Exit
from worker.cli.making import say_hidden
from worker.cli.story import Order
from worker.demo import leash, sample
from worker.demo.surroundings import SENDER, Place
from worker.embedded.files import make_private_folder

if TYPE_CHECKING:  # it imports pydantic, which takes a tenth of a second
    from worker.settings.model import Settings

PLAIN_TEXT = "سلام! این یک پیام آزمایشی است و به هیچ‌کس نمی‌رسد."


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--text", help="The text; {name} stands for the column called name.")
@click.option("--column", help="The column of FILE with the numbers, where it cannot be told.")
@options.sheet
@options.include_hidden
@options.header_row
@click.option("--sender", default=SENDER, show_default=True, help="The line that sends; the sandbox knows two.")
@click.option(
    "--recipients", type=click.IntRange(20, 1_000_000), default=5000, show_default=True, help="Rows of the sample."
)
@files.out("Where the report goes (into the demo's folder if left out)", to_standard_output=False)
@click.option("--keep", is_flag=True, help="Leave it all running in the background afterwards.")
@click.option("--stop", is_flag=True, help="Stop what --keep has left running.")
@click.pass_context
def demo(
    context: click.Context,
    *,
    file: Path | None,
    text: str | None,
    column: str | None,
    sheet: str | None,
    include_hidden: bool,
    header_row: int | None,
    sender: str,
    recipients: int,
    out: Path | None,
    keep: bool,
    stop: bool,
) -> None:
    """See the whole house at work on this machine.

    FILE, or a sample of 5,000 recipients, goes through a real PostgreSQL, Valkey and Celery to the sandbox gateway.
    Nothing is sent to anybody, whatever keys are set. Ctrl-C stops all of it; run again, it goes on where it stopped.
    """
    began = time.monotonic()
    chosen = wiring.settings()
    home = (chosen.campaigns_home / "demo").expanduser().resolve()
    if stop:
        words.say("the demo is stopped" if leash.stop(home) else "no demo was running")
        return
    _say_whose(chosen)
    given = None if file is None else Order(file, text or PLAIN_TEXT, sender, column, sheet, include_hidden, header_row)
    order = _looked_at(given or _sample(home, text=text, sender=sender, recipients=recipients))
    with leash.held(home, tell=words.say) as held:
        if held.stays:
            words.say(f"the demo in {home} is running already: using it")
        true = story.run(held, order, out=out or home / "report.csv")
        if keep:
            held.let_stay()
    if held.stays:
        _say_kept(held.place)
    words.say(f"{'everything is true' if true else 'NOT everything is true'}; {time.monotonic() - began:.0f} s")
    if not true:
        context.exit(Exit.NO)


def _say_whose(chosen: Settings) -> None:
    ours = {
        "DATABASE_URL": chosen.database_url,
        "BROKER_URL": chosen.broker_url,
        "KAVENEGAR_API_KEY": chosen.kavenegar_api_key,
    }
    if left_alone := [name for name, value in ours.items() if value]:
        words.say(f"{', '.join(left_alone)}: set, and left alone; a demo never touches a real account")
    words.say("the sandbox gateway answers for Kavenegar: nothing is sent to anybody")


def _sample(home: Path, *, text: str | None, sender: str, recipients: int) -> Order:
    """The demo's own recipients, written into its folder."""
    make_private_folder(home)
    file = home / "recipients.csv"
    sample.write(file, recipients)
    return Order(file, text or sample.TEXT, sender)


def _looked_at(order: Order) -> Order:
    """The order, once it is certain that something of it can be sent. Raises: BadInput."""
    found = campaigns.estimate(
        order.recipients,
        order.text,
        number_column=order.column,
        sheet=order.sheet,
        include_hidden=order.include_hidden,
        header_row=order.header_row,
    )
    made_of = f"{found.messages:,} messages, {found.duplicates:,} duplicates, {found.rejects:,} rejects"
    words.say(f"recipients: {order.recipients} ({found.rows_read:,} rows: {made_of})", f"text: {order.text}")
    say_hidden(found.hidden)
    if not found.messages:
        raise BadInput(f"not one of {found.rows_read:,} rows can be used. {listed(found.reasons, found.rejects)}")
    return order


def _say_kept(place: Place) -> None:
    program = words.program()
    words.say("", "it goes on running in the background:")
    words.facts(
        [
            ("  Flower", story.flower(place)),
            ("  metrics", f"{place.metrics_url} (the same user and password)"),
            ("  the command", f"CAMPAIGNS_HOME={place.home} {program} list"),
            ("  once more", f"{program} demo"),
            ("  stop it all", f"{program} demo --stop"),
        ]
    )
