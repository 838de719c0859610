"""Time settings that are incompatible: with them a message could be lost, sent twice, or never sent.

Every span is counted by a clock that also counts the time a machine sleeps.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from campaigns.rules.windows import LOCALID_WINDOW, STATUS_WINDOW

SHORTEST_DEADLINE: Final = timedelta(seconds=1)
"""A gateway far away takes some hundred milliseconds; what is cut off sooner is unknown every time."""

QUESTIONS: Final = 10
"""So many rounds of a lease and of settling must fit into the time in which the gateway can be asked."""


def objections(
    *,
    http_deadline: timedelta,
    unknown_grace: timedelta,
    lease: timedelta,
    localid_window: timedelta,
    status_window: timedelta,
    stuck_after: timedelta,
) -> Iterator[str]:
    """What is wrong with these times, a sentence each: what must hold, and what would happen otherwise."""
    if http_deadline < SHORTEST_DEADLINE:
        yield "HTTP_DEADLINE must be at least 1s: a request cut off before its answer can come is unknown every time"
    if unknown_grace < http_deadline:
        yield (
            "UNKNOWN_GRACE must be at least HTTP_DEADLINE: a request that was given up may still be on its way, and "
            "the gateway may act on it later; asked before that, it says that it never saw it, and it is sent twice"
        )
    if lease < http_deadline + unknown_grace:
        yield (
            "LEASE must be at least HTTP_DEADLINE and UNKNOWN_GRACE together: a request must be over before its lease "
            "is, tries and waits included, or it never leaves; and the gateway must have had its time by then"
        )
    if localid_window > LOCALID_WINDOW:
        yield (
            "LOCALID_WINDOW must be at most 12h: the gateway answers for our own ids of the last 12 hours; later, "
            '"never seen" proves nothing, and what was sent would be sent again'
        )
    if localid_window < QUESTIONS * (lease + unknown_grace):
        yield (
            f"LOCALID_WINDOW must be at least {QUESTIONS} times LEASE and UNKNOWN_GRACE together: in a shorter time "
            "the gateway cannot be asked, and every unanswered message becomes uncertain"
        )
    if status_window > STATUS_WINDOW:
        yield "STATUS_WINDOW must be at most 48h: the gateway tells no status after that"
    if stuck_after <= http_deadline:
        yield (
            "STUCK_AFTER must be longer than HTTP_DEADLINE: a worker whose threads all wait for the gateway consumes "
            "nothing meanwhile, and would end itself"
        )
