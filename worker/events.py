"""What Celery's events tell Flower: which campaign a task works for, failures of ticks, and nothing secret.

A tick a second, each with three events, would push everything else out of Flower within hours: its events are left
out. A tick that failed is told all the same, as its two events: that it was received, and how it failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any, Final

from celery import Task as CeleryTask
from celery.worker import request

from campaigns.store.batch_positions import Position
from worker.logs import redact

FAILED: Final = "task-failed"


class Request(request.Request):  # type: ignore[misc]  # celery ships no types
    """One task in a worker, and what is told of it."""

    @property
    def argsrepr(self) -> str:
        """The arguments as Flower and the log show them."""
        return redact(super().argsrepr)

    @property
    def kwargsrepr(self) -> str:
        """The keyword arguments as Flower and the log show them."""
        return redact(super().kwargsrepr)

    def send_event(self, type: str, **fields: Any) -> None:  # noqa: A002 - Celery's name
        """Send an event without keys, passwords and full numbers; of a task without events, its failure alone."""
        if self.task.send_events:
            super().send_event(type, **_redacted(fields))
        elif type == FAILED and self.eventer and self.eventer.enabled:
            self.eventer.send("task-received", uuid=self.id, name=self.name, args=self.argsrepr, kwargs=self.kwargsrepr)
            self.eventer.send(type, uuid=self.id, **_redacted(fields))


class Task(CeleryTask):  # type: ignore[misc]  # celery ships no types
    """A task whose events are those of `Request`."""

    Request = "worker.events:Request"


class FailuresOnly(Task):
    """A task that comes round by the clock: Flower is told of it where it failed."""

    abstract = True
    send_events = False


def shown(position: Position) -> str:
    """The keyword arguments that Flower shows of a batch's task. Its search finds them: `kwargs:campaign=17`."""
    return repr({"campaign": position.campaign_id, "messages": position.share})


def named(task: CeleryTask, arguments: Sequence[int | str]) -> str:
    """The arguments of any other task under the names of its parameters."""
    return repr(dict(zip(signature(task.run).parameters, arguments, strict=False)))


def _redacted(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: redact(value) if isinstance(value, str) else value for name, value in fields.items()}
