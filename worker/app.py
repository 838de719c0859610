"""The Celery app, and its task class, whose events show nothing secret in Flower.

Every line of the configuration has a reason, and was measured under faults. Celery on Redis loses and doubles messages
whatever its settings. So a task is only a hint: it carries an id, and a claim in PostgreSQL decides whether there is
work.

A tick a second, each with three events, would push every other task out of Flower within hours, so ticks send no
events. A tick that fails still sends two events: that it was received, and how it failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from celery import Task as CeleryTask
from celery.worker import request
from kombu import Queue

from kavenegar_campaigns.frames import without_locals
from kavenegar_worker import queues, wiring
from kavenegar_worker.addresses import celery_broker_settings
from kavenegar_worker.isolation import IsolatedCelery
from kavenegar_worker.logs import redact


def configuration() -> dict[str, Any]:
    """Return Celery's settings. Celery calls this when the app is first used."""
    return {
        # where the broker is, and how its TLS is verified
        **celery_broker_settings(wiring.endpoints().broker_url or "redis://broker-url-is-not-set.invalid"),
        "broker_connection_retry_on_startup": True,  # the order in which processes start does not matter
        "broker_connection_max_retries": None,  # the default gives up after 100
        "broker_transport_options": {
            "socket_timeout": 10,  # without a timeout, a publish to a half-open connection hangs for ever
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "visibility_timeout": 300,  # only covers tasks that a worker reserved before it died
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,  # the default checks every 100 s
            "max_connections": 64,
        },
        "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2},
        "task_ignore_result": True,  # results are in PostgreSQL
        "result_backend": None,
        "task_acks_late": False,  # the lease redelivers; a late ack doubles every task on a TCP reset
        "task_reject_on_worker_lost": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,  # cancelling would make unknown outcomes
        "worker_prefetch_multiplier": 1,
        "task_serializer": "json",
        "accept_content": ["json"],
        "event_serializer": "json",
        "task_create_missing_queues": False,  # a misspelt queue is an error, not a queue without a worker
        "task_queues": [Queue(name, routing_key=name) for name in queues.NAMES],
        "task_default_queue": queues.DEFAULT,
        "task_routes": {task: {"queue": queue} for task, queue in queues.ROUTES.items()},
        "worker_send_task_events": True,  # Flower
        "task_send_sent_event": False,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "timezone": "UTC",
        "enable_utc": True,
        "imports": ["kavenegar_worker.tasks", "kavenegar_worker.process"],
        "beat_scheduler": "kavenegar_worker.process:Scheduler",  # on the steady clock; nothing to a full queue
        "beat_schedule": {
            "tick": {"task": "campaigns.tick", "schedule": 1.0, "options": {"queue": "maint"}},
            "chores": {"task": "campaigns.chores", "schedule": 10.0, "options": {"queue": "maint"}},
        },
        # Deliberately absent: task_time_limit (threads cannot be stopped; every call has a total deadline instead),
        # rate_limit (it counts per worker), eta, countdown and retry (Redis doubles them past the visibility timeout),
        # expires (the clocks of two hosts would have to agree: see kavenegar_worker.queues).
    }


app = IsolatedCelery("campaigns", configuration, task_cls="kavenegar_worker.app:RedactedTask")


# ── tasks whose events show no key, password or full number in Flower ──

TASK_FAILED: Final = "task-failed"


class RedactedRequest(request.Request):  # type: ignore[misc]  # celery ships no types
    """One task in a worker; its events and its log lines are redacted."""

    @property
    def argsrepr(self) -> str:
        """Return the arguments as Flower and the log show them."""
        return redact(super().argsrepr)

    @property
    def kwargsrepr(self) -> str:
        """Return the keyword arguments as Flower and the log show them."""
        return redact(super().kwargsrepr)

    def send_event(self, type: str, **fields: Any) -> None:  # noqa: A002 - Celery's name
        """Send an event without keys, passwords and full numbers. A task without events sends only its failure."""
        if self.task.send_events:
            super().send_event(type, **_redact_fields(fields))
        elif type == TASK_FAILED and self.eventer and self.eventer.enabled:
            self.eventer.send("task-received", uuid=self.id, name=self.name, args=self.argsrepr, kwargs=self.kwargsrepr)
            self.eventer.send(type, uuid=self.id, **_redact_fields(fields))


class RedactedTask(CeleryTask):  # type: ignore[misc]  # celery ships no types
    """A task whose requests are `RedactedRequest`, which redacts their events."""

    Request = "kavenegar_worker.app:RedactedRequest"

    @without_locals
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task. An error leaves it without local variables: error trackers show those of every frame."""
        return self.run(*args, **kwargs)


class FailureEventsOnly(RedactedTask):
    """A task that beat publishes at an interval. Flower shows only the runs that failed."""

    abstract = True
    send_events = False


def _redact_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: redact(value) if isinstance(value, str) else value for name, value in fields.items()}
