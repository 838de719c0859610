"""Deliver inbound messages to the user's own code: enqueue the user's Celery task, or post to a webhook.

The task carries the message's id alone, never a number or a text. It is enqueued again at growing intervals until the
user's code has called `campaigns.acknowledge(connection, id)` in a transaction of its own.
"""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from functools import cache
from typing import Any, Final

from kombu import Queue
from kombu.exceptions import OperationalError
from kombu.pools import producers
from redis.exceptions import RedisError

from kavenegar_campaigns.api import work
from kavenegar_campaigns.context import Context
from kavenegar_worker import wiring
from kavenegar_worker.addresses import celery_broker_settings
from kavenegar_worker.app import app
from kavenegar_worker.settings import revealed

log = logging.getLogger(__name__)

MAX_QUEUED: Final = 1000
"""Messages in the user's queue at most: while no worker consumes it, no more are added."""
BACKLOG_THRESHOLD: Final = 100
REDELIVER_IN_BACKLOG_AFTER: Final = timedelta(hours=1)
"""When the queue has a backlog, earlier tasks probably still wait in it. They are enqueued again only after this time:
a slow consumer is not made slower, and a consumer that failed still gets them."""
_CONCURRENCY: Final = threading.BoundedSemaphore(2)  # so that a slow receiver leaves threads for other tasks


def deliver_due(context: Context) -> str:
    """Deliver due messages. Returns a summary for Flower. More than two at once would hold threads that polls need."""
    if not _CONCURRENCY.acquire(blocking=False):
        return "others deliver"
    try:
        webhook, task = wiring.webhook(), wiring.settings().inbox_task
        if webhook is not None:
            return work.deliver_by_webhook(context, webhook).summary
        return (
            "no inbound messages are delivered"
            if task is None
            else _enqueue_user_task(context, task, wiring.settings().inbox_task_queue)
        )
    finally:
        _CONCURRENCY.release()


def _enqueue_user_task(context: Context, task: str, queue: str) -> str:
    """Enqueue the user's task for each due message. A lost task is enqueued again."""
    enqueued = 0
    try:
        with inbox_task_producers().acquire(block=True, timeout=5) as producer:
            waiting = producer.channel.queue_declare(queue=queue).message_count
            for message in _due_messages(context, waiting=waiting):
                app.send_task(
                    task,
                    args=(message.id,),
                    queue=Queue(queue, routing_key=queue),
                    producer=producer,
                    ignore_result=True,
                )
                enqueued += 1
    except (OperationalError, RedisError) as why:
        log.warning("enqueue failed", extra={"enqueued_task": task, "enqueued": enqueued, "error": type(why).__name__})
    return f"{enqueued} enqueued"


@cache
def inbox_task_producers() -> Any:
    """Return the producers for the user's task: on INBOX_TASK_BROKER, or on our broker."""
    url = revealed(wiring.settings().inbox_task_broker)
    if url is None:
        return app.producer_pool
    server = celery_broker_settings(url)
    return producers[app.connection_for_write(server["broker_url"], ssl=server.get("broker_use_ssl", False))]


def _due_messages(context: Context, *, waiting: int) -> list[work.Inbound]:
    """Return the messages to enqueue when `waiting` messages are in the queue."""
    overdue = REDELIVER_IN_BACKLOG_AFTER if waiting >= BACKLOG_THRESHOLD else timedelta(0)
    most = MAX_QUEUED - waiting
    return work.claim_deliveries(context, most=most, overdue=overdue) if most > 0 else []
