"""migrate, settings: what has to be right before anything runs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

import click

from campaigns import BadInput
from campaigns.store import migrate as schema
from campaigns.store.migrations.retries import PATIENCE_S
from worker import wiring
from worker.cli import options, words
from worker.settings import old_names, rows
from worker.settings.parsers import lasting


def _patience(_: click.Context, __: click.Parameter, typed: str) -> timedelta:
    try:
        return lasting(typed)
    except ValueError as why:
        raise BadInput(f"--wait: {typed!r} is not {why}") from None


@click.command()
@click.option(
    "--wait",
    callback=_patience,
    default=f"{PATIENCE_S / 60:.0f}m",
    show_default=True,
    metavar="TIME",
    help="How long to give way to other sessions in all, as 90s or 10m.",
)
def migrate(wait: timedelta) -> None:
    """Create or upgrade the tables.

    They stand in the schema sms. Safe to repeat, and for several to run at once. Sending goes on meanwhile: whatever
    is in use is waited for, and named. Ends with 3 where it is in use until the end; the next run goes on from there.
    """
    changed = schema.upgrade(wiring.engine(), report=words.say, patience_s=wait.total_seconds())
    words.say("the tables are now those of this version" if changed else "the tables are those of this version already")


@click.command()
@options.as_json
def settings(as_json: bool) -> None:
    """List every setting and its meaning.

    A setting is an environment variable. Of secrets it is only said whether they are set.
    """
    found = list(rows(wiring.settings()))
    for sentence in old_names():
        click.echo(f"campaigns: {sentence}", err=True)
    if as_json:
        words.tell([asdict(row) for row in found])
        return
    words.table(
        ("setting", "value", "default", "meaning"), [(row.name, row.value, row.default, row.meaning) for row in found]
    )
