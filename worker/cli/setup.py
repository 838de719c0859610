"""migrate, settings: what has to be right before anything runs."""

from __future__ import annotations

from dataclasses import asdict

import click

from campaigns.store import migrate as schema
from worker import wiring
from worker.cli import options, words
from worker.settings import rows


@click.command()
def migrate() -> None:
    """Create or upgrade the tables.

    They stand in the schema sms. Safe to repeat, and for several to run at once.
    """
    with wiring.engine().connect() as connection:
        before = schema.is_current(connection)
    schema.upgrade(wiring.engine())
    words.say("the tables are those of this version already" if before else "the tables are now those of this version")


@click.command()
@options.as_json
def settings(as_json: bool) -> None:
    """List every setting and its meaning.

    A setting is an environment variable. Of secrets it is only said whether they are set.
    """
    found = list(rows(wiring.settings()))
    if as_json:
        words.tell([asdict(row) for row in found])
        return
    words.table(
        ("setting", "value", "default", "meaning"), [(row.name, row.value, row.default, row.meaning) for row in found]
    )
