"""When a batch is polled, by its age since the gateway accepted it; and when a callback is confirmed.

Source: kavenegar-rest, sms/status: a verdict can be expected from five minutes after hand-over; 48 hours after the
send the gateway no longer knows the message (status 100).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

AGES: Final = (
    *(timedelta(minutes=minutes) for minutes in (5, 10, 20, 40, 80)),
    *(timedelta(hours=hours) for hours in (3, 6, 12, 24, 36, 44, 47)),
)
"""Ages of a batch at which the statuses of its messages are asked for, where STATUS_POLLS says nothing else."""

CALM: Final = 72
"""Phones that are on have their message within a seventy-second of the window: within 40 minutes of 48 hours."""

LOOKS: Final = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=5), timedelta(hours=1))
"""Ages at which a callback without a match is looked at again: it may have overtaken our own commit."""


def next_poll(accepted_at: datetime, now: datetime, *, ages: Sequence[timedelta], closes_at: datetime) -> datetime:
    """The first of `ages` (ascending) that is still to come, or the end of the window.

    Ages that passed while nobody could ask are made up for by one poll, not by one each.
    """
    for age in ages:
        if accepted_at + age > now:
            return min(accepted_at + age, closes_at)
    return closes_at


def calm(window: timedelta) -> timedelta:
    """The age from which on few verdicts are still to come."""
    return window / CALM


def thinned(ages: Sequence[timedelta], *, window: timedelta) -> tuple[timedelta, ...]:
    """The `ages` that stay while callbacks bring the verdicts: the first, which checks them, and all quiet ones."""
    return tuple(age for place, age in enumerate(ages) if place == 0 or age >= calm(window))


def gathered_at(seen_at: datetime, *, gather: timedelta) -> datetime:
    """When the gateway is asked about a callback: the end of the span in which it came, and with it all others."""
    spans = seen_at.timestamp() // gather.total_seconds() + 1
    return datetime.fromtimestamp(spans * gather.total_seconds(), UTC)


def next_look(seen_at: datetime, now: datetime) -> datetime | None:
    """When a callback without a match is looked at again; None when it is given up."""
    return next((seen_at + age for age in LOOKS if seen_at + age > now), None)
