"""start, pause, resume, cancel: the moves of a campaign."""

from __future__ import annotations

from datetime import datetime

import click
from sqlalchemy import Connection, func, select

import campaigns
from campaigns import BadInput, CampaignState, Progress
from worker import wiring
from worker.cli import options, words


@click.command()
@options.campaign_id
@options.starts_at
@click.option("--now", "at_once", is_flag=True, help="Begin at once, whatever time it was given before.")
@options.at_gateway
@options.as_json
def start(campaign_id: int, *, at: datetime | None, at_once: bool, at_gateway: bool, as_json: bool) -> None:
    """Start a draft, now or at a time.

    A campaign that is scheduled gets another time with --at, or begins with --now. Until its time it is held here,
    where it can be paused and changed; with --at-gateway the gateway holds it.
    """
    if at_once and (at is not None or at_gateway):
        raise BadInput("--now contradicts --at and --at-gateway: use one of them")
    with wiring.engine().begin() as connection:
        campaigns.start(connection, campaign_id, at=_now(connection) if at_once else at, at_gateway=at_gateway)
        _say_moved(connection, campaign_id, as_json=as_json)


@click.command()
@options.campaign_id
@click.option("--reason", default="paused by hand", show_default=True, help="For whoever finds it paused.")
@options.as_json
def pause(campaign_id: int, reason: str, as_json: bool) -> None:
    """Send nothing more until it is resumed.

    It bites before the next batch; what has left is followed to its verdict. What waits at the gateway for its date
    leaves on it all the same.
    """
    with wiring.engine().begin() as connection:
        campaigns.pause(connection, campaign_id, reason=reason)
        _say_moved(connection, campaign_id, as_json=as_json)


@click.command()
@options.campaign_id
@click.option("--sender", metavar="LINE", help="Another line, for what has not left.")
@options.as_json
def resume(campaign_id: int, sender: str | None, as_json: bool) -> None:
    """Go on where it stopped, with --sender from another line.

    What left, or may have left, keeps the line it left from: `campaigns show` tells how many messages that is.
    """
    with wiring.engine().begin() as connection:
        campaigns.resume(connection, campaign_id, sender=sender)
        _say_moved(connection, campaign_id, as_json=as_json)


@click.command()
@options.campaign_id
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.as_json
def cancel(campaign_id: int, yes: bool, as_json: bool) -> None:
    """Send nothing more, for good.

    What has left is followed to its verdict. What waits at the gateway for its date is withdrawn there: `campaigns
    show` and `campaigns report` tell how many messages that were, and how much came back.
    """
    with wiring.engine().connect() as connection:
        progress = campaigns.progress(connection, campaign_id)
        held = progress.held_by_gateway(_now(connection))
    campaign = progress.campaign
    also = f" {held:,} messages at the gateway are withdrawn." if held else ""
    options.confirm(yes, f"cancel campaign {campaign.id} ({campaign.name}, {campaign.state}) for good?{also}")
    with wiring.engine().begin() as connection:
        campaigns.cancel(connection, campaign_id)
        _say_moved(connection, campaign_id, as_json=as_json)


def _now(connection: Connection) -> datetime:
    """When the transaction began, by the database's clock: what is to happen then is due."""
    return connection.execute(select(func.now())).scalar_one()


def _say_moved(connection: Connection, campaign_id: int, *, as_json: bool) -> None:
    progress, now = campaigns.progress(connection, campaign_id), _now(connection)
    if as_json:
        held = progress.held_by_gateway(now)
        words.tell({**words.campaign_answer(progress.campaign), "held_by_gateway": held})
    else:
        words.say(*_moved(progress, now))


def _moved(progress: Progress, now: datetime) -> list[str]:
    campaign, held = progress.campaign, words.at_gateway(progress, now)
    begins = ""
    if campaign.start_at and campaign.state is CampaignState.SCHEDULED:
        begins = f", begins at {words.both_calendars(campaign.start_at)}"
    elif campaign.state is CampaignState.RUNNING and campaign.start_at and campaign.waits_at_gateway(now):
        begins = f", handed to the gateway, which sends it at {words.moment(campaign.start_at)}"
    return [f"campaign {campaign.id} is {campaign.state}{begins}", *([held] if held else [])]
