"""uncertain, epoch: what only a person can decide."""

from __future__ import annotations

from dataclasses import asdict

import click

import campaigns
from campaigns.store import epochs, uncertain
from worker import wiring
from worker.cli import options, words
from worker.cli.exits import Exit

_NOT_KNOWN = (
    "Nobody can know any more whether these messages were sent: the gateway answers for our ids for 12 hours only. "
    "Look one of them up in Kavenegar's panel. If it is not there, `campaigns uncertain send ID` sends them; if it is, "
    "leave them: the report keeps them as uncertain."
)


@click.group("uncertain")
def uncertain_() -> None:
    """Messages of which nobody knows whether they were sent: list them, or send them."""


@uncertain_.command("list")
@click.option("--campaign", "campaign_id", type=click.IntRange(1, options.LARGEST_ID), help="Of this campaign only.")
@options.as_json
@click.pass_context
def list_(context: click.Context, campaign_id: int | None, as_json: bool) -> None:
    """Show batches with uncertain messages; the exit code is 1 where there are any."""
    with wiring.engine().connect() as connection:
        found = uncertain.waiting(connection, campaign_id=campaign_id)
    if as_json:
        words.tell([asdict(batch) for batch in found])
    elif found:
        rows = [(each.campaign_id, each.batch_id, each.messages, each.first_sent_at, each.trouble) for each in found]
        words.table(
            ("campaign", "batch", "messages", "sent at", "trouble"), rows, right=("campaign", "batch", "messages")
        )
        words.say("", _NOT_KNOWN)
    else:
        words.say("nothing is uncertain")
    context.exit(Exit.NO if found else Exit.FINE)


@uncertain_.command()
@options.campaign_id
@click.option("--yes", is_flag=True, help="Do not ask.")
def send(campaign_id: int, yes: bool) -> None:
    """Send a campaign's uncertain messages again; whoever got one already gets a second."""
    options.confirm(yes, f"send the uncertain messages of campaign {campaign_id} again, perhaps a second time?")
    with wiring.engine().begin() as connection:
        count = campaigns.send_uncertain(connection, campaign_id)
    words.say(f"{count:,} messages are ready to leave again")


@click.group()
def epoch() -> None:
    """The number that keeps our message ids apart from another database's on the same account."""


@epoch.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def renew(yes: bool) -> None:
    """Begin a new epoch: after restoring a backup, after copying production, or after a collision.

    Whatever has not left gets new ids; what the gateway has keeps its own.
    """
    options.confirm(yes, "give new ids to every message that has not left?")
    database = wiring.database()
    began = database(epochs.renew, now=database.now())
    moved = 0
    while page := database(epochs.reissue):
        moved += page
    words.say(
        f"epoch {began}: {moved:,} batches have new ids",
        "campaigns that a collision paused go on with `campaigns resume ID`",
    )
