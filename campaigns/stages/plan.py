"""Plan and steer a campaign: start (split into batches), pause, resume, cancel.

All of it happens in the caller's transaction and needs neither broker nor API key. Pause and cancel are one row: a
batch is claimed only while its campaign runs, so they bite before the next batch.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from kavenegar_campaigns.errors import BadInput, IllegalMove
from kavenegar_campaigns.rules.dates import check_moment, check_start
from kavenegar_campaigns.rules.message_options import CampaignKind
from kavenegar_campaigns.rules.states import CampaignState
from kavenegar_campaigns.store import campaigns, epochs, gate, loading, messages, outcomes, report
from kavenegar_campaigns.store import campaigns as store
from kavenegar_campaigns.store.records import Campaign

log = logging.getLogger(__name__)

_START_TIME: Final = "the time to begin"
STARTABLE: Final = frozenset({CampaignState.DRAFT, CampaignState.SCHEDULED, CampaignState.RUNNING})


def start(
    connection: Connection,
    campaign_id: int,
    *,
    now: datetime,
    at: datetime | None = None,
    at_gateway: bool = False,
) -> Campaign:
    """Start a draft: drop suppressed numbers, split the others into batches, and run now or at `at`.

    Until `at` we hold the campaign, pausable and cheap to change; with `at_gateway` it is handed over at once with its
    date, and the gateway holds it: only `cancel` takes it back from there. One that is scheduled can be given another
    time; one that runs stays so.
    Raises: NotFound; BadInput for a time without a zone, of another calendar or long past, and for `at_gateway` without
    any; IllegalMove for a campaign that is paused or over, and for another time for one that runs.
    """
    if at is not None:
        check_moment(at, _START_TIME)
    campaign = store.read_locked(connection, campaign_id)
    if campaign.state not in STARTABLE:
        way = f": `campaigns resume {campaign_id}` lets it go on" if campaign.state is CampaignState.PAUSED else ""
        raise IllegalMove(f"campaign {campaign_id} is {campaign.state} and cannot be started{way}")
    begins_at = at or campaign.start_at
    if campaign.state is CampaignState.RUNNING:
        _check_time(campaign, at, now=now)
    elif begins_at is not None and (at is not None or campaign.state is CampaignState.DRAFT):
        check_start(begins_at, _START_TIME, now=now)
    if at_gateway and begins_at is None and campaign.state is not CampaignState.RUNNING:
        raise BadInput(f"campaign {campaign_id} has no time at which the gateway could send it: give one")
    later = begins_at is not None and begins_at > now and not at_gateway
    if campaign.state is not CampaignState.RUNNING:
        store.schedule(connection, campaign_id, start_at=begins_at, at_gateway=at_gateway)
        target = CampaignState.SCHEDULED if later else CampaignState.RUNNING
        store.move(connection, campaign_id, target, now=now)
    if campaign.state is CampaignState.DRAFT:
        _split_into_batches(connection, campaign_id, now=now)
    return store.read(connection, campaign_id)


def _check_time(campaign: Campaign, at: datetime | None, *, now: datetime) -> None:
    """Refuse a future time for a campaign that runs already."""
    if at is None or at <= now or at == campaign.start_at:
        return
    way = f"`campaigns pause {campaign.id}` stops what has not left"
    if campaign.waits_at_gateway(now):
        way = f"the gateway has its messages with their date, and `campaigns cancel {campaign.id}` takes them back"
    raise IllegalMove(f"campaign {campaign.id} is running and cannot be given another time: {way}")


def _split_into_batches(connection: Connection, campaign_id: int, *, now: datetime) -> None:
    """Split a campaign into batches, all due at once: only the state of the campaign holds them back.

    Calls of personal texts leave in batches of one text each, since call/maketts takes one: where neighbouring rows
    have the same, up to 200 at once. Who is suppressed is left out here; but where the campaign may have left before
    the database was restored, only when a batch is claimed, after it was asked about.
    """
    campaign = store.read(connection, campaign_id)
    by_text = campaign.personal and campaign.kind is CampaignKind.VOICE
    born = loading.split_into_batches(connection, campaign_id, due_at=now, by_text=by_text)
    may_have_left = epochs.mark_unknown_if_lost(connection, campaign_id, now=now)
    if not may_have_left and gate.may_end(connection) and store.suppress_recipients(connection, campaign_id, now=now):
        messages.recount(connection, born, now=now)
    while epochs.reissue_ids(connection, campaign_id=campaign_id):
        pass  # loaded before ids collided: a page of batches at a time


def pause(connection: Connection, campaign_id: int, *, now: datetime, reason: str = "paused by hand") -> Campaign:
    """Send nothing more until `resume`. What has left is still followed to its verdict. Raises: NotFound, IllegalMove.

    That includes messages that wait at the gateway for their date: they leave on it, paused or not.
    """
    store.move(connection, campaign_id, CampaignState.PAUSED, now=now, hold_reason=reason)
    return store.read(connection, campaign_id)


def resume(connection: Connection, campaign_id: int, *, now: datetime, sender: str | None = None) -> Campaign:
    """Resume a paused campaign; one whose time has not come waits for it.

    With `sender`, whatever has not left goes on from that line; what left, or may have left, keeps the line it has.
    Raises: NotFound; IllegalMove for a campaign that is not paused; BadInput for a line that cannot be.
    """
    campaign = store.read_locked(connection, campaign_id)
    if campaign.state is not CampaignState.PAUSED:
        raise IllegalMove(f"campaign {campaign_id} is {campaign.state}: only a paused campaign can be resumed")
    if sender is not None:
        _send_from(connection, campaign, sender, now=now)
    early = campaign.started_at is None and campaign.start_at is not None and campaign.start_at > now
    store.move(connection, campaign_id, CampaignState.SCHEDULED if early else CampaignState.RUNNING, now=now)
    return store.read(connection, campaign_id)


def _send_from(connection: Connection, campaign: Campaign, sender: str, *, now: datetime) -> None:
    line = campaign.options.sender_line(sender)
    found = loading.change_sender(connection, campaign.id, line=line, now=now)
    facts = {"campaign_id": campaign.id, "before": campaign.sender, "line": line}
    log.info("sender changed", extra={**facts, "batches": found.changed, "messages_kept": found.kept})


def cancel(connection: Connection, campaign_id: int, *, now: datetime) -> Campaign:
    """Send nothing more, for good. What has left is still followed to its verdict. Raises: NotFound, IllegalMove.

    Messages that wait at the gateway for their date are withdrawn there, and their cost comes back: see `withdraw`.
    """
    if store.read_locked(connection, campaign_id).state is CampaignState.DRAFT:
        _split_into_batches(connection, campaign_id, now=now)  # its messages are then cancelled like any others
    store.move(connection, campaign_id, CampaignState.CANCELLED, now=now, hold_reason="cancelled by hand")
    return store.read(connection, campaign_id)


def send_uncertain(connection: Connection, campaign_id: int, *, now: datetime) -> int:
    """Send the uncertain messages of a campaign again, under their old ids. Returns how many.

    Where the gateway did send them and no longer remembers, their recipients get a second message.
    Raises: NotFound; IllegalMove for a cancelled campaign.
    """
    campaign = store.read(connection, campaign_id)
    if campaign.state is CampaignState.CANCELLED:
        raise IllegalMove(f"campaign {campaign_id} is cancelled: nothing more of it is sent")
    count = outcomes.send_uncertain(connection, campaign_id, now=now)
    if count and campaign.state is CampaignState.FINISHED:
        store.reopen(connection, campaign_id)
    return count


# ── preview: the first text and the longest ──


@dataclass(frozen=True, slots=True)
class Preview:
    """The text of the first recipient and the longest text, each with its billed parts."""

    first_text: str = field(repr=False)
    first_parts: int
    longest_text: str = field(repr=False)
    longest_parts: int


def preview(connection: Connection, campaign_id: int) -> Preview:
    """Return the first text of a campaign and its longest, after reading all of them. Raises: NotFound."""
    personal = campaigns.read(connection, campaign_id).personal
    first = report.first_text(connection, campaign_id)
    longest = report.longest_text(connection, campaign_id) if personal else first
    return Preview(first.text, first.parts, longest.text, longest.parts)
