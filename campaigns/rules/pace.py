"""The pace as values: the lanes of calls, a learnt rate, and what the pace shows of itself.

`kavenegar.pace` keeps it in Redis. These are apart, so that a web app reads why a campaign waits without the wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Lane(Enum):
    """The classes of calls, in order of priority.

    `share` is the part of the rate that a lane may take ahead of the common queue; the shares sum to less than 1. `cap`
    is the lane's largest part while a lane before it waits. Other lanes get the unused part of a share; a lane without
    competitors gets the whole rate.
    """

    OTP = ("otp", 0.5, 1.0)
    CLOSING = ("closing", 0.2, 0.5)  # polls of messages whose window is about to close
    SEND = ("send", 0.0, 1.0)
    POLL = ("poll", 0.2, 0.5)
    HOUSEKEEPING = ("housekeeping", 0.02, 0.1)  # inbox, account, checks

    def __init__(self, label: str, share: float, cap: float) -> None:
        self.label = label
        self.share = share
        self.cap = cap


@dataclass(frozen=True, slots=True)
class LearntRate:
    """The learnt rate. The database keeps it too: without it the pace starts low.

    `rate` is the most calls a second that the gateway took without throttling; `refused` the lowest rate that it
    throttled, None if there was none; `at` is the time of the last confirmation, on the clock of the Redis server.
    """

    rate: float
    refused: float | None
    at: datetime


@dataclass(frozen=True, slots=True)
class LaneView:
    """A lane's use of the pace: calls in the last 60 seconds, and whether one of its calls waits."""

    calls: int
    waiting: bool


@dataclass(frozen=True, slots=True)
class PaceView:
    """The pace at a moment: all rates in calls a second, all times on the clock of the Redis server.

    `queue_s`: seconds until the next free slot of an ordinary call. `refusals` counts the answers "too many" and
    `pauses` the pauses of all calls, both of the last hour. `paused_until` and `code`, the return code that paused the
    calls, are None while there is no pause.
    """

    at: datetime
    rate: float
    max_rate: float
    fixed: bool
    learnt: LearntRate | None
    queue_s: float
    paused_until: datetime | None
    code: int | None
    refusals: int
    pauses: int
    lanes: Mapping[Lane, LaneView]
