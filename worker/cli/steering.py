"""start, pause, resume, cancel: the moves of a campaign."""

from __future__ import annotations

from datetime import datetime

import click

import campaigns
from campaigns import Campaign, CampaignState
from worker import wiring
from worker.cli import options, words


@click.command()
@options.campaign_id
@options.starts_at
@options.at_gateway
@options.as_json
def start(campaign_id: int, *, at: datetime | None, at_gateway: bool, as_json: bool) -> None:
    """Start a draft, now or at a time."""
    with wiring.engine().begin() as connection:
        campaign = campaigns.start(connection, campaign_id, at=at, at_gateway=at_gateway)
    _say_moved(campaign, as_json=as_json)


@click.command()
@options.campaign_id
@click.option("--reason", default="paused by hand", show_default=True, help="For whoever finds it paused.")
@options.as_json
def pause(campaign_id: int, reason: str, as_json: bool) -> None:
    """Send nothing more until it is resumed.

    It bites before the next batch; what has left is followed to its verdict.
    """
    with wiring.engine().begin() as connection:
        campaign = campaigns.pause(connection, campaign_id, reason=reason)
    _say_moved(campaign, as_json=as_json)


@click.command()
@options.campaign_id
@options.as_json
def resume(campaign_id: int, as_json: bool) -> None:
    """Go on where it stopped."""
    with wiring.engine().begin() as connection:
        campaign = campaigns.resume(connection, campaign_id)
    _say_moved(campaign, as_json=as_json)


@click.command()
@options.campaign_id
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.as_json
def cancel(campaign_id: int, yes: bool, as_json: bool) -> None:
    """Send nothing more, for good.

    What has left is followed to its verdict.
    """
    with wiring.engine().connect() as connection:
        campaign = campaigns.get(connection, campaign_id)
    options.confirm(yes, f"cancel campaign {campaign.id} ({campaign.name}, {campaign.state}) for good?")
    with wiring.engine().begin() as connection:
        campaign = campaigns.cancel(connection, campaign_id)
    _say_moved(campaign, as_json=as_json)


def _say_moved(campaign: Campaign, *, as_json: bool) -> None:
    if as_json:
        words.tell(words.campaign_answer(campaign))
        return
    begins = (
        f", begins at {words.moment(campaign.start_at)}"
        if campaign.state is CampaignState.SCHEDULED and campaign.start_at
        else ""
    )
    words.say(f"campaign {campaign.id} is {campaign.state}{begins}")
