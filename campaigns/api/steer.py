"""Steer a campaign: start, pause, resume, cancel, and send uncertain messages again."""

from __future__ import annotations

from datetime import datetime

from campaigns.api import Bind, database_now, writing_connection
from campaigns.stages import plan
from campaigns.store.records import Campaign


def start(bind: Bind, campaign_id: int, *, at: datetime | None = None, at_gateway: bool = False) -> Campaign:
    """Approve a draft and let it run, now or at `at` (with a time zone).

    Until then our database holds it, and starting it again with another `at` changes the time. With `at_gateway` it is
    handed to the gateway at once with its date, and from there only `cancel` takes it back. Returns the campaign.

    Raises: NotFound; BadInput for a time without a zone, of another calendar or long past, and for `at_gateway` without
    a time; IllegalMove for a campaign that is paused or over, and for another time for one that runs.
    """
    connection = writing_connection(bind)
    return plan.start(connection, campaign_id, now=database_now(connection), at=at, at_gateway=at_gateway)


def pause(bind: Bind, campaign_id: int, *, reason: str = "paused by hand") -> Campaign:
    """Pause a campaign: from the next batch on nothing is sent until `resume`. Raises: NotFound, IllegalMove.

    It does not stop what the gateway holds for its date: `progress(…).held_by_gateway(now)` tells how much that is.
    """
    connection = writing_connection(bind)
    return plan.pause(connection, campaign_id, now=database_now(connection), reason=reason)


def resume(bind: Bind, campaign_id: int, *, sender: str | None = None) -> Campaign:
    """Let a paused campaign go on where it stopped; with `sender`, from another line.

    A new line holds for messages that have not left. Messages that left, or may have left, keep the line they have.
    Raises: NotFound, IllegalMove, BadInput.
    """
    connection = writing_connection(bind)
    return plan.resume(connection, campaign_id, now=database_now(connection), sender=sender)


def cancel(bind: Bind, campaign_id: int) -> Campaign:
    """Cancel a campaign for good; messages that left are followed to their verdict. Raises: NotFound, IllegalMove.

    Messages that the gateway holds for their date are withdrawn; the report tells how many, and the refund in rial.
    """
    connection = writing_connection(bind)
    return plan.cancel(connection, campaign_id, now=database_now(connection))


def send_uncertain(bind: Bind, campaign_id: int) -> int:
    """Send a campaign's uncertain messages again, perhaps a second time; only a person can decide that.

    Returns how many messages. Raises: NotFound, IllegalMove.
    """
    connection = writing_connection(bind)
    return plan.send_uncertain(connection, campaign_id, now=database_now(connection))
