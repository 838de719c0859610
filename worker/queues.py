"""The broker's queues: their names, which task goes where, and how many messages may wait in each.

No message of ours carries `expires`, `eta` or `countdown`: each is a moment on the clock of the host that publishes,
and the host that consumes compares it with its own clock. What bounds the queues while workers are away is their
length, which is looked at before anything is published. A message that is left out loses nothing: the database holds
what is due, and the next tick publishes it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from redis import Redis

NAMES: Final = ("otp", "send", "poll", "inbox", "maint")
DEFAULT: Final = "maint"
ROUTES: Final[Mapping[str, str]] = {
    "campaigns.send_batch": "send",
    "campaigns.resolve_batch": "send",
    "campaigns.withdraw_batch": "send",
    "campaigns.poll_statuses": "poll",
    "campaigns.heed_callbacks": "poll",
    "campaigns.pull_inbox": "inbox",
    "campaigns.hand_inbound": "inbox",
    "campaigns.send_otp": "otp",
    "campaigns.follow_otps": "poll",
}

FULL: Final[Mapping[str, int]] = {"otp": 200, "send": 1000, "poll": 100, "inbox": 20, "maint": 10}
"""A queue in which so many messages wait gets no more of them: about what its workers answer within seconds. Together
they hold 2 MB of the broker's memory."""

BEAT: Final = "campaigns:beat"
"""The sign of life that every beat leaves in the broker, the time of its host in it. The broker takes it away, by its
own clock."""
BEAT_LASTS_S: Final = 30
PROBE: Final = "campaigns:doctor"
"""What the doctor writes to see whether the broker takes it: a replica, or a full one, only lets itself be read."""


def of_task(name: str) -> str:
    """The queue that a task of ours goes to."""
    return ROUTES.get(name, DEFAULT)


def lengths(broker: Redis) -> dict[str, int]:
    """How many messages wait in each queue, in one round trip. Raises: RedisError."""
    with broker.pipeline(transaction=False) as pipeline:
        for name in NAMES:
            pipeline.llen(name)
        return dict(zip(NAMES, pipeline.execute(), strict=True))


def sign_of_beat(broker: Redis, queue: str) -> int:
    """Leave beat's sign of life; how many messages wait in `queue`. One round trip. Raises: RedisError."""
    with broker.pipeline(transaction=False) as pipeline:
        pipeline.set(BEAT, repr(time.time()), ex=BEAT_LASTS_S)
        pipeline.llen(queue)
        _, waiting = pipeline.execute()
    return int(waiting)


def clock_of_beat(broker: Redis) -> float | None:
    """What time it is by the clock of beat's host, in seconds since 1970; None without a sign of life within
    BEAT_LASTS_S. Raises: RedisError."""
    with broker.pipeline(transaction=False) as pipeline:
        pipeline.get(BEAT)
        pipeline.pttl(BEAT)
        told, left_ms = pipeline.execute()
    if told is None or left_ms < 0:
        return None
    return float(told) + BEAT_LASTS_S - float(left_ms) / 1000


def check_writes(broker: Redis) -> None:
    """Write something that goes by itself. Raises: RedisError where the broker answers and takes nothing."""
    broker.set(PROBE, 1, ex=BEAT_LASTS_S)
