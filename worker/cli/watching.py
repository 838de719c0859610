"""list, show, watch: how campaigns stand."""

from __future__ import annotations

import click
from sqlalchemy import Connection

import campaigns
from campaigns import Campaign, CampaignState, Progress, Report, Waiting
from campaigns.store import campaigns as stored
from campaigns.store import senders
from campaigns.store.database import Database
from campaigns.waiting import each
from worker import wiring
from worker.cli import live, options, words
from worker.cli.exits import Exit
from worker.cli.standing import Glance, Standing, sentence, standing


@click.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@options.as_json
def list_(limit: int, as_json: bool) -> None:
    """List campaigns, the newest first, and why each of them waits."""
    with wiring.engine().connect() as connection:
        found = campaigns.newest(connection, limit=limit)
        total = stored.count(connection)
        waiting = _waiting(connection, found)
    if as_json:
        words.tell([{**words.campaign_answer(each), "waiting": waiting[each.id]} for each in found])
    elif found:
        words.table(
            ("id", "name", "kind", "state", "messages", "parts", "created", "finished", "waits because"),
            [
                (str(each.id), each.name, each.kind, each.state, each.messages, each.parts,
                 each.created_at, each.finished_at,
                 because.sentence if (because := waiting[each.id]) else each.hold_reason)
                for each in found
            ],
            right=("id", "messages", "parts"),
        )  # fmt: skip
    else:
        words.say("there are no campaigns yet: `campaigns create --help` tells how to make one")
    words.say_cut(len(found), limit, total=total)


def _waiting(connection: Connection, found: list[Campaign]) -> dict[int, Waiting | None]:
    live = any(campaign.finished_at is None for campaign in found)
    return each(connection, found, now=wiring.database().now(), pace=Glance().look() if live else None)


@click.command()
@options.campaign_id
@options.as_json
def show(campaign_id: int, as_json: bool) -> None:
    """Show how a campaign stands, and why it waits.

    With --json: its row, counts by state, `held_by_gateway` (messages that wait there for their date), `withdrawn` and
    `withdrawn_rial` where a cancellation took some back, and `waiting`, null when it is over, else an object of
    `reason` (a word), `sentence`, and `until` (a time, or null where nobody can say).
    """
    glance = Glance()
    now = _look(Database(wiring.engine(), patience_s=0), campaign_id, glance)
    found = _withdrawal(now.campaign)
    if as_json:
        taken_back = {"withdrawn": found.withdrawn, "withdrawn_rial": found.withdrawn_rial} if found else {}
        words.tell({**words.progress_answer(now.progress, now.at), **taken_back, "waiting": now.waiting})
    else:
        _say_standing(now, found, pace_trouble=glance.trouble)


def _withdrawal(campaign: Campaign) -> Report | None:
    """The figures of a campaign that was cancelled while the gateway held it; of others they cost more than a look."""
    if not campaign.at_gateway or campaign.state is not CampaignState.CANCELLED:
        return None
    with wiring.engine().connect() as connection:
        return campaigns.report(connection, campaign.id)


def _look(database: Database, campaign_id: int, glance: Glance) -> Standing:
    return database(standing, campaign_id, now=database.now(), pace=glance.look())


def _say_standing(now: Standing, found: Report | None, *, pace_trouble: str | None) -> None:
    campaign = now.campaign
    own = "personal" if campaign.personal else "the same for all"
    words.facts(
        [
            ("campaign", f"{campaign.id} ({campaign.name})"),
            ("state", campaign.state.value),
            ("waits because", sentence(now)),
            ("pace", f"not known: {pace_trouble}" if pace_trouble and now.waiting else None),
            ("at the gateway", words.at_gateway(now.progress, now.at)),
            ("withdrawn", words.withdrawn(found) if found else None),
            ("kind", words.along(campaign)),
            ("text", f"{campaign.template} ({own})"),
            ("sender", campaign.sender),
            ("other senders", _other_senders(campaign)),
            ("key", campaign.client_key),
            ("rows read", campaign.rows_read),
            ("to send", words.amount(campaign)),
            ("left out", f"{campaign.duplicates:,} duplicates, {campaign.rejects:,} rejects"),
            ("created", campaign.created_at),
            ("to begin", campaign.start_at),
            ("started", campaign.started_at),
            ("finished", campaign.finished_at),
            *_counts(now.progress),
        ]
    )


def _other_senders(campaign: Campaign) -> str | None:
    """From which other lines it left, where it was resumed with another one."""
    with wiring.engine().connect() as connection:
        kept = senders.kept(connection, campaign.id)
    told = [f"{line} ({count:,} messages)" for line, count in kept.items() if line != campaign.sender]
    return ", ".join(told) or None


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
    database, glance = wiring.database(), Glance()
    with wiring.engine().connect() as connection:  # a wrong address is told at once, a restart later is waited for
        campaigns.get(connection, campaign_id)
    for now in live.follow(lambda: _look(database, campaign_id, glance)):
        if now.campaign.finished_at is not None or now.waits_for_a_person:
            break
    if now.waits_for_a_person or now.campaign.state is CampaignState.CANCELLED:
        context.exit(Exit.NO)
