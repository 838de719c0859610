"""credit: what the gateway account has left."""

from __future__ import annotations

import click

from campaigns import account
from worker import wiring
from worker.cli import options, words
from worker.cli.words import tell


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
