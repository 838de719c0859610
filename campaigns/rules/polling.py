"""When a batch is asked about, by its age since the gateway accepted it.

Source: kavenegar-rest, sms/status: a verdict can be expected from five minutes after hand-over; 48 hours after the
send the gateway no longer knows the message (status 100).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta


def next_poll(accepted_at: datetime, now: datetime, *, ages: Sequence[timedelta], closes_at: datetime) -> datetime:
    """The first of `ages` (ascending) that is still to come, or the end of the window.

    Ages that passed while nobody could ask are made up for by one poll, not by one each.
    """
    for age in ages:
        if accepted_at + age > now:
            return min(accepted_at + age, closes_at)
    return closes_at
