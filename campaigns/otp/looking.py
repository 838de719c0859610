"""When a one-time password is asked about: often while a call may follow it, as seldom as any message otherwise."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from campaigns.house import House
from campaigns.rules.polling import next_poll

TIGHT: Final = tuple(timedelta(seconds=age) for age in (5, 10, 20, 40, 80))
"""Ages at which an SMS is asked about beside the usual ones, while a call waits for its verdict."""


def next_look(
    house: House, *, sent_at: datetime, now: datetime, call_at: datetime | None, expires_at: datetime
) -> datetime:
    """When to ask next. With a call to come at `call_at`, not later than that, or than the code is worth something."""
    closes_at = sent_at + house.policy.status_window
    usual = house.next_poll(sent_at, now, closes_at)
    if call_at is None or min(call_at, expires_at) <= now:
        return usual
    return min(next_poll(sent_at, now, ages=TIGHT, closes_at=closes_at), usual, call_at, expires_at)
