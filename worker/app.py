"""The Celery app. Every line of its configuration has a reason; they were measured under faults.

Celery on Redis loses and doubles messages whatever its settings, so it only rings the bell: a task carries an id,
and a claim in PostgreSQL decides whether there is work.
"""

from __future__ import annotations

from typing import Any

from celery import Celery
from kombu import Queue

from worker import queues, task_logs, wiring
from worker.broker_address import for_celery

assert task_logs  # noqa: S101 - importing it connects our logging to Celery's signals


def configuration() -> dict[str, Any]:
    """Celery's settings; asked for only when the app is first used."""
    return {
        # where the broker is, and how its TLS is verified
        **for_celery(wiring.places().broker_url or "redis://broker-url-is-not-set.invalid"),
        "broker_connection_retry_on_startup": True,  # the order in which processes start does not matter
        "broker_connection_max_retries": None,  # the default gives up after 100
        "broker_transport_options": {
            "socket_timeout": 10,  # without it a publish to a half-open connection hangs for ever
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "visibility_timeout": 300,  # only covers rings reserved by a worker that died
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,  # the default looks every 100 s
            "max_connections": 64,
        },
        "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2},
        "task_ignore_result": True,  # the result stands in PostgreSQL
        "result_backend": None,
        "task_acks_late": False,  # the lease redelivers; a late ack doubles every task on a TCP reset
        "task_reject_on_worker_lost": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,  # it would make unknown outcomes
        "worker_prefetch_multiplier": 1,
        "task_serializer": "json",
        "accept_content": ["json"],
        "event_serializer": "json",
        "task_create_missing_queues": False,  # a misspelt queue is an error, not a queue nobody reads
        "task_queues": [Queue(name, routing_key=name) for name in queues.NAMES],
        "task_default_queue": queues.DEFAULT,
        "task_routes": {task: {"queue": queue} for task, queue in queues.ROUTES.items()},
        "worker_send_task_events": True,  # Flower
        "task_send_sent_event": False,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "timezone": "UTC",
        "enable_utc": True,
        "imports": ["worker.tasks", "worker.starting", "worker.watchdog", "worker.remote"],
        "beat_scheduler": "worker.beat:Scheduler",  # on the steady clock; full queues get no more
        "beat_schedule": {
            "tick": {"task": "campaigns.tick", "schedule": 1.0, "options": {"queue": "maint"}},
            "chores": {"task": "campaigns.chores", "schedule": 10.0, "options": {"queue": "maint"}},
        },
        # Deliberately absent: task_time_limit (threads cannot be stopped; every call has a total deadline instead),
        # rate_limit (it counts per worker), eta, countdown and retry (Redis doubles them past the visibility timeout),
        # expires (the clocks of two hosts would have to agree: see worker.queues).
    }


app = Celery("campaigns", set_as_current=True, task_cls="worker.events:Task")
app.add_defaults(configuration)
