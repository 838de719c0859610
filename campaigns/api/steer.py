"""Steer a campaign: start, pause, resume, cancel, and send uncertain messages again."""

from __future__ import annotations

from datetime import datetime

from campaigns.api import Bind, database_now, writing_connection
from campaigns.stages import plan
from campaigns.store.records import Campaign


def start(bind: Bind, campaign_id: int, *, at: datetime | None = None, at_gateway: bool = False) -> Campaign:
    """Approve a draft and let it run, now or at `at` (with a time zone).

    Until then we hold it, and starting it again with another `at` changes the time; `at_gateway` hands it over at once
    with its date, and from there only `cancel` takes it back. Raises: NotFound, IllegalMove, BadInput.
    """
    connection = writing_connection(bind)
    return plan.start(connection, campaign_id, now=database_now(connection), at=at, at_gateway=at_gateway)


def pause(bind: Bind, campaign_id: int, *, reason: str = "paused by hand") -> Campaign:
    """Send nothing more until `resume`; bites before the next batch. Raises: NotFound, IllegalMove.

    Not on what the gateway holds for its date: `progress(…).held_by_gateway(now)` tells how much that is.
    """
    connection = writing_connection(bind)
    return plan.pause(connection, campaign_id, now=database_now(connection), reason=reason)


def resume(bind: Bind, campaign_id: int, *, sender: str | None = None) -> Campaign:
    """Go on where it stopped, with `sender` from another line. Raises: NotFound, IllegalMove, BadInput.

    The new line holds for whatever has not left. What left, or may have left, keeps the line it has.
    """
    connection = writing_connection(bind)
    return plan.resume(connection, campaign_id, now=database_now(connection), sender=sender)


def cancel(bind: Bind, campaign_id: int) -> Campaign:
    """Send nothing more, for good; what has left is followed to its verdict. Raises: NotFound, IllegalMove.

    What the gateway holds for its date is withdrawn; the report tells how much, and the refund.
    """
    connection = writing_connection(bind)
    return plan.cancel(connection, campaign_id, now=database_now(connection))


def send_uncertain(bind: Bind, campaign_id: int) -> int:
    """A person decided to send a campaign's uncertain messages again; how many. Raises: NotFound, IllegalMove."""
    connection = writing_connection(bind)
    return plan.send_uncertain(connection, campaign_id, now=database_now(connection))
