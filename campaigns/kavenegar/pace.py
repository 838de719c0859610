"""Lanes, and views of the pace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Lane(Enum):
    """Who goes before whom: in the order written.

    `share` is the part of the rate that a lane may take ahead of everybody's queue; they sum to less than 1. `cap` is
    the part it is held to while a lane before it waits. What a lane leaves of its share the others have; a lane that
    is alone has everything.
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
class Learnt:
    """What the gateway has taught us. It is worth keeping: whoever begins without it begins low.

    `rate` is the most calls a second that it took without a complaint; `refused` the least at which it complained, None
    if it never did; `at` is when it was last confirmed, on the clock of the Redis server.
    """

    rate: float
    refused: float | None
    at: datetime


@dataclass(frozen=True, slots=True)
class LaneView:
    """A lane's part: calls in the last 60 seconds, and whether a call of it has to wait."""

    calls: int
    waiting: bool


@dataclass(frozen=True, slots=True)
class PaceView:
    """The pace at a moment, all rates in calls a second, all times on the clock of the Redis server.

    `queue_s` is how far ahead lies the next free slot of an ordinary call; `refusals` counts the answers "too many" and
    `pauses` the times that all calls paused, both of the last hour. `paused_until` and `code`, the return code that
    paused the calls, are None while calls flow.
    """

    at: datetime
    rate: float
    max_rate: float
    fixed: bool
    learnt: Learnt | None
    queue_s: float
    paused_until: datetime | None
    code: int | None
    refusals: int
    pauses: int
    lanes: Mapping[Lane, LaneView]
