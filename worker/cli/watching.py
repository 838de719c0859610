"""list, show, watch: how campaigns stand."""

from __future__ import annotations

import click

import campaigns
from campaigns import CampaignState, Progress
from campaigns.store.database import Database
from worker import wiring
from worker.cli import live, options, waiting, words
from worker.cli.exits import Exit
from worker.cli.waiting import Standing


@click.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@options.as_json
def list_(limit: int, as_json: bool) -> None:
    """List campaigns, the newest first."""
    with wiring.engine().connect() as connection:
        found = campaigns.newest(connection, limit=limit)
    if as_json:
        words.tell([words.campaign_answer(campaign) for campaign in found])
    elif found:
        words.table(
            ("id", "name", "state", "messages", "parts", "created", "finished", "held because"),
            [
                (str(each.id), each.name, each.state, each.messages, each.parts, each.created_at, each.finished_at,
                 each.hold_reason)
                for each in found
            ],
            right=("id", "messages", "parts"),
        )  # fmt: skip
    else:
        words.say("there are no campaigns yet: `campaigns create --help` tells how to make one")


@click.command()
@options.campaign_id
@options.as_json
def show(campaign_id: int, as_json: bool) -> None:
    """Show how a campaign stands, and why it waits."""
    now = _look(Database(wiring.engine(), patience_s=0), campaign_id)
    if as_json:
        words.tell({**words.progress_answer(now.progress), "waiting_because": waiting.why(now)})
    else:
        _say_standing(now)


def _look(database: Database, campaign_id: int) -> Standing:
    return database(waiting.standing, campaign_id, now=database.now())


def _say_standing(now: Standing) -> None:
    campaign = now.campaign
    kind = "personal" if campaign.personal else "the same for all"
    words.facts(
        [
            ("campaign", f"{campaign.id} ({campaign.name})"),
            ("state", campaign.state.value),
            ("waits because", waiting.why(now)),
            ("text", f"{campaign.template} ({kind})"),
            ("sender", campaign.sender),
            ("key", campaign.client_key),
            ("rows read", campaign.rows_read),
            ("messages", f"{campaign.messages:,} in {campaign.parts:,} parts"),
            ("left out", f"{campaign.duplicates:,} duplicates, {campaign.rejects:,} rejects"),
            ("created", campaign.created_at),
            ("to begin", campaign.start_at),
            ("started", campaign.started_at),
            ("finished", campaign.finished_at),
            *_counts(now.progress),
        ]
    )


def _counts(progress: Progress) -> list[tuple[str, object]]:
    whole = progress.campaign.messages
    return [
        (state.value, f"{count:,} ({words.share(count, whole)})") for state, count in progress.counts.items() if count
    ]


@click.command()
@options.campaign_id
@click.pass_context
def watch(context: click.Context, campaign_id: int) -> None:
    """Follow a campaign until it is over.

    Ends with 1 where it waits for a person, or was cancelled. Ctrl-C harms nothing.
    """
    database = wiring.database()
    with wiring.engine().connect() as connection:  # a wrong address is told at once, a restart later is waited for
        campaigns.get(connection, campaign_id)
    for now in live.follow(lambda: _look(database, campaign_id)):
        if now.campaign.finished_at is not None or now.waits_for_a_person:
            break
    if now.waits_for_a_person or now.campaign.state is CampaignState.CANCELLED:
        context.exit(Exit.NO)
