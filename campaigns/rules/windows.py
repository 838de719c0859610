"""How long the gateway can still be asked about a message by our own id.

Source: kavenegar-rest, sms/statuslocalmessageid: messages of the last 12 hours. Later, "100" proves nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

LOCALID_WINDOW: Final = timedelta(hours=12)
"""How long the gateway can be asked by our own ids, at most. Source: kavenegar-rest, sms/statuslocalmessageid."""
STATUS_WINDOW: Final = timedelta(hours=48)
"""How long it tells a message's status, at most. Source: kavenegar-rest, sms/status."""

CLOCKS_DIFFER: Final = timedelta(minutes=5)
"""How far the gateway's clock, by which it dates messages, may be from ours."""

MARGIN: Final = 12
"""We stop a twelfth of the window early: clocks differ, and a request takes its time."""


def forgotten_before(now: datetime, *, window: timedelta) -> datetime:
    """What was sent first by this moment can no longer be asked about: "never seen" proves nothing any more."""
    return now - window + window / MARGIN


def may_resend(first_sent_at: datetime, now: datetime, *, window: timedelta) -> bool:
    """Whether "never seen" is still proof that a message sent first at `first_sent_at` does not exist."""
    return first_sent_at > forgotten_before(now, window=window)
