"""What came of one ring for a batch."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What came of one ring for a batch: Flower shows it, and `attempts` keeps it."""

    NOT_DUE = "not due"
    PUT_OFF = "put off"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    HALVED = "halved"
    REFUSED = "refused"
    COLLIDED = "collided"
    CAMPAIGN_PAUSED = "campaign paused"
    ACCOUNT_HELD = "account on hold"
    RESOLVED = "resolved"
    IDS_IN_DOUBT = "ids in doubt"
    SENT_AGAIN = "ready again"
    UNCERTAIN = "uncertain"
    FENCED = "another worker decided"
