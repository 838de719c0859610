"""The broker's queues: their names, the queue of each task, how many messages may wait in each; and publishing to them.

No message of ours carries `expires`, `eta` or `countdown`: each is a moment on the clock of the host that publishes,
and the host that consumes compares it with its own clock. While workers are away, a maximum length bounds each queue;
the publisher reads the length first. A message that is not published loses nothing: the database holds the due work,
and the next tick publishes it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from inspect import signature
from typing import Final

from celery import Task
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

from kavenegar_campaigns.api.work import BatchPosition
from kavenegar_worker import wiring

log = logging.getLogger(__name__)

NAMES: Final = ("otp", "send", "poll", "inbox", "maint")
DEFAULT: Final = "maint"
ROUTES: Final[Mapping[str, str]] = {
    "campaigns.send_batch": "send",
    "campaigns.resolve_batch": "send",
    "campaigns.withdraw_batch": "send",
    "campaigns.poll_statuses": "poll",
    "campaigns.confirm_callbacks": "poll",
    "campaigns.pull_inbox": "inbox",
    "campaigns.deliver_inbound": "inbox",
    "campaigns.send_otp": "otp",
    "campaigns.follow_otps": "poll",
}

MAX_LENGTH: Final[Mapping[str, int]] = {"otp": 200, "send": 1000, "poll": 100, "inbox": 20, "maint": 10}
"""Messages that may wait in each queue: about as many as its workers process within seconds. A queue of this length
gets no more. Full queues together hold 2 MB of the broker's memory."""

BEAT_KEY: Final = "campaigns:beat"
"""The key of beat's heartbeat in the broker. Its value is the time of beat's host. It expires by the broker's clock."""
BEAT_EXPIRES_S: Final = 30
WRITE_PROBE_KEY: Final = "campaigns:doctor"
"""The key that the doctor writes to check that the broker takes writes: a replica, or a full broker, refuses them."""


def queue_of_task(name: str) -> str:
    """Return the queue of one of our tasks."""
    return ROUTES.get(name, DEFAULT)


def lengths(broker: Redis) -> dict[str, int]:
    """Return how many messages wait in each queue, in one round trip. Raises: RedisError."""
    with broker.pipeline(transaction=False) as pipeline:
        for name in NAMES:
            pipeline.llen(name)
        return dict(zip(NAMES, pipeline.execute(), strict=True))


def record_beat(broker: Redis, queue: str) -> int:
    """Record beat's heartbeat. Returns how many messages wait in `queue`. One round trip. Raises: RedisError."""
    with broker.pipeline(transaction=False) as pipeline:
        pipeline.set(BEAT_KEY, repr(time.time()), ex=BEAT_EXPIRES_S)
        pipeline.llen(queue)
        _, waiting = pipeline.execute()
    return int(waiting)


def read_beat_clock(broker: Redis) -> float | None:
    """Return the time by the clock of beat's host, in seconds since 1970; None where BEAT_KEY has expired.
    Raises: RedisError."""
    with broker.pipeline(transaction=False) as pipeline:
        pipeline.get(BEAT_KEY)
        pipeline.pttl(BEAT_KEY)
        beat_s, left_ms = pipeline.execute()
    if beat_s is None or left_ms < 0:
        return None
    return float(beat_s) + BEAT_EXPIRES_S - float(left_ms) / 1000


def check_writes(broker: Redis) -> None:
    """Write a key that expires. Raises: RedisError where the broker answers and refuses the write."""
    broker.set(WRITE_PROBE_KEY, 1, ex=BEAT_EXPIRES_S)


# ── publishing hints, as many as the queues have room for ──

_NOTHING_SHOWN: Final[Mapping[tuple[int | str, ...], str]] = {}
_NO_CAMPAIGNS: Final[Mapping[tuple[int | str, ...], int]] = {}


class Publisher:
    """Publishes the hints of one task. It reads the queues' lengths once, before the first hint.

    A hint that is not published, because its queue is full or the broker is away, is published by a later tick: only
    seconds are lost. Once the broker has failed, this publisher tries no more.
    """

    def __init__(self) -> None:
        self._room: dict[str, int] | None = None
        self._broker_failed = False

    def batches(self, task: Task, batch_ids: Sequence[int], positions: Mapping[int, BatchPosition]) -> None:
        """Publish `task` once for each batch. Flower shows the batch's campaign and its position in the campaign."""
        shown: dict[tuple[int | str, ...], str] = {(each,): describe_batch(place) for each, place in positions.items()}
        campaigns: dict[tuple[int | str, ...], int] = {(each,): place.campaign_id for each, place in positions.items()}
        self(task, [(batch_id,) for batch_id in batch_ids], shown=shown, campaigns=campaigns)

    def __call__(
        self,
        task: Task,
        arguments: Iterable[tuple[int | str, ...]],
        *,
        shown: Mapping[tuple[int | str, ...], str] = _NOTHING_SHOWN,
        campaigns: Mapping[tuple[int | str, ...], int] = _NO_CAMPAIGNS,
    ) -> None:
        """Publish `task` once for each of `arguments`; `shown` holds the text that Flower shows instead of them.

        `campaigns` holds the campaign of each, which travels as a header and which the worker's log names.

        Hints with a shown text are published in the order of their arguments. That order does not change which hints
        are left out of a full queue.
        """
        wanted = list(arguments)
        if not wanted or self._broker_failed:
            return
        published = 0
        try:
            fitting = wanted[: self._free_slots(queue_of_task(task.name), len(wanted))]
            with task.app.producer_pool.acquire(block=True, timeout=5) as producer:
                for each in sorted(fitting) if shown else fitting:
                    task.apply_async(
                        each,
                        producer=producer,
                        kwargsrepr=shown.get(each) or repr(name_arguments(task, each)),
                        headers={"campaign_id": campaigns[each]} if each in campaigns else None,
                    )
                    published += 1
        except (OperationalError, RedisError) as why:
            self._broker_failed = True
            facts = {"enqueued_task": task.name, "enqueued": published, "error": type(why).__name__}
            log.warning("enqueue failed", extra=facts)

    def _free_slots(self, queue: str, wanted: int) -> int:
        """Return how many of `wanted` messages the queue has room for; they count as published. Raises: RedisError."""
        if self._room is None:
            waiting = lengths(wiring.broker())
            self._room = {name: max(0, MAX_LENGTH[name] - waiting[name]) for name in NAMES}
        fitting = min(wanted, self._room[queue])
        self._room[queue] -= fitting
        if fitting < wanted:
            log.info("queue full", extra={"queue": queue, "left_out": wanted - fitting})
        return fitting


def describe_batch(position: BatchPosition) -> str:
    """Return the keyword arguments that Flower shows of a batch's task. Its search finds them: `kwargs:campaign=17`."""
    return repr({"campaign": position.campaign_id, "messages": position.share})


def name_arguments(task: Task, arguments: Sequence[int | str]) -> dict[str, int | str]:
    """Return the arguments of a task under the names of its parameters."""
    return dict(zip(signature(task.run).parameters, arguments, strict=False))
