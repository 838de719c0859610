"""Inbound messages to the user's own code: a Celery task of theirs is rung with an id, or a webhook is posted to.

A task's ring carries the id alone, never a number or a text, and is rung again at growing intervals until that code
has said `campaigns.taken(connection, id)` in a transaction of its own.
"""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from typing import Final

from kombu import Queue
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from campaigns.house import House
from campaigns.inbox import hand
from campaigns.store import inbound
from campaigns.store.inbound import Inbound
from worker import wiring
from worker.app import app

log = logging.getLogger(__name__)

MOST_WAITING: Final = 1000
"""Messages in the user's queue: while nobody consumes it, no more are added."""
BACKLOG: Final = 100
AGAIN_IN_BACKLOG: Final = timedelta(hours=1)
"""In a queue of so many messages, those of before probably still wait. They are added again only so much later: a
consumer that is slow is not made slower, and one that failed still gets them."""
_AT_ONCE: Final = threading.BoundedSemaphore(2)  # so that a slow receiver leaves threads for everything else


def run(house: House) -> str:
    """Hand over what is due; what came of it, for Flower. More than two at once would hold threads that polls need."""
    if not _AT_ONCE.acquire(blocking=False):
        return "others hand over"
    try:
        webhook, task = wiring.webhook(), wiring.settings().inbox_task
        if webhook is not None:
            return hand.by_webhook(house, webhook).summary
        return "nobody is to be told" if task is None else _ring(house, task, wiring.settings().inbox_task_queue)
    finally:
        _AT_ONCE.release()


def _ring(house: House, task: str, queue: str) -> str:
    """Ring the user's task for what is due. A ring that is lost is rung again."""
    rung = 0
    try:
        with app.producer_pool.acquire(block=True, timeout=5) as producer:
            waiting = producer.channel.queue_declare(queue=queue).message_count
            for message in _due(house, waiting=waiting):
                app.send_task(
                    task,
                    args=(message.id,),
                    queue=Queue(queue, routing_key=queue),
                    producer=producer,
                    ignore_result=True,
                )
                rung += 1
    except (OperationalError, RedisError) as why:
        log.warning("enqueue failed", extra={"enqueued_task": task, "enqueued": rung, "error": type(why).__name__})
    return f"{rung} rung"


def _due(house: House, *, waiting: int) -> list[Inbound]:
    """What is to be added to a queue in which so many messages wait."""
    overdue = AGAIN_IN_BACKLOG if waiting >= BACKLOG else timedelta(0)
    most = MOST_WAITING - waiting
    return house.database(inbound.hand, now=house.now(), most=most, overdue=overdue) if most > 0 else []
