"""How long the gateway can still be asked about a message by our own id.

Source: kavenegar-rest, sms/statuslocalmessageid: messages of the last 12 hours. Later, "100" proves nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

MARGIN: Final = 12
"""We stop a twelfth of the window early: clocks differ, and a request takes its time."""


def may_resend(first_sent_at: datetime, now: datetime, *, window: timedelta) -> bool:
    """Whether "never seen" is still proof that a message sent first at `first_sent_at` does not exist."""
    return now < first_sent_at + window - window / MARGIN
