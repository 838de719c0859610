"""Publishes hints to the queues, as many as they have room for."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from celery import Task
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from campaigns.store.batch_positions import Position
from worker import events, queues, wiring
from worker.app import app

log = logging.getLogger(__name__)

_NONE: Final[Mapping[tuple[int | str, ...], str]] = {}
_NO_CAMPAIGNS: Final[Mapping[tuple[int | str, ...], int]] = {}


class Publisher:
    """Publishes the hints of one task. It looks at the queues' lengths once, before the first hint.

    A hint that is not published, because its queue is full or the broker is away, is published by a later tick: nothing
    is lost but seconds. Once the broker has failed, this publisher tries no more.
    """

    def __init__(self) -> None:
        self._room: dict[str, int] | None = None
        self._lost = False

    def batches(self, task: Task, batch_ids: Sequence[int], positions: Mapping[int, Position]) -> None:
        """Publish `task` once for each batch. Flower shows the campaign of each, and its position in the campaign."""
        shown: dict[tuple[int | str, ...], str] = {(each,): events.shown(place) for each, place in positions.items()}
        campaigns: dict[tuple[int | str, ...], int] = {(each,): place.campaign_id for each, place in positions.items()}
        self(task, [(batch_id,) for batch_id in batch_ids], shown=shown, campaigns=campaigns)

    def __call__(
        self,
        task: Task,
        arguments: Iterable[tuple[int | str, ...]],
        *,
        shown: Mapping[tuple[int | str, ...], str] = _NONE,
        campaigns: Mapping[tuple[int | str, ...], int] = _NO_CAMPAIGNS,
    ) -> None:
        """Publish `task` once for each of `arguments`; `shown` holds what Flower shows instead of them.

        `campaigns` holds the campaign of each, which travels as a header and which the worker's log names.

        What is shown is published in the order of its arguments; which are left out of a full queue stays as it was.
        """
        wanted = list(arguments)
        if not wanted or self._lost:
            return
        published = 0
        try:
            fitting = wanted[: self._room_in(queues.of_task(task.name), len(wanted))]
            with app.producer_pool.acquire(block=True, timeout=5) as producer:
                for each in sorted(fitting) if shown else fitting:
                    task.apply_async(
                        each,
                        producer=producer,
                        kwargsrepr=shown.get(each) or events.named(task, each),
                        headers={"campaign_id": campaigns[each]} if each in campaigns else None,
                    )
                    published += 1
        except (OperationalError, RedisError) as why:
            self._lost = True
            facts = {"enqueued_task": task.name, "enqueued": published, "error": type(why).__name__}
            log.warning("enqueue failed", extra=facts)

    def _room_in(self, queue: str, wanted: int) -> int:
        """How many of `wanted` messages the queue takes; they are counted as published. Raises: RedisError."""
        if self._room is None:
            waiting = queues.lengths(wiring.broker())
            self._room = {name: max(0, queues.FULL[name] - waiting[name]) for name in queues.NAMES}
        fitting = min(wanted, self._room[queue])
        self._room[queue] -= fitting
        if fitting < wanted:
            log.info("queue full", extra={"queue": queue, "left_out": wanted - fitting})
        return fitting
