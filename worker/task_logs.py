"""What Celery's processes log: in the format that is set, and with the ids of the task bound once, before it runs."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from celery.signals import setup_logging, task_postrun, task_prerun
from structlog.contextvars import bind_contextvars, clear_contextvars

from campaigns.errors import BadInput
from worker import logs, wiring
from worker.logs import BOUND


@setup_logging.connect(weak=False)
def _configure(loglevel: int | str | None = None, **_: Any) -> None:
    try:
        log_format = wiring.settings().log_format
    except BadInput:
        log_format = "console"  # the process is about to end with a sentence on it
    logs.configure(logging.getLevelName(loglevel) if isinstance(loglevel, int) else loglevel or "INFO", log_format)


@task_prerun.connect(weak=False)
def _bind(task_id: str, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any], **_: Any) -> None:
    """Bind what every record of the task carries: its name, its id, and the ids it was given or was published with."""
    clear_contextvars()
    given = {**dict(zip(inspect.signature(task.run).parameters, args, strict=False)), **kwargs}
    known = {**{name: given.get(name, task.request.get(name)) for name in BOUND}, "task": task.name, "task_id": task_id}
    bind_contextvars(**{name: value for name, value in known.items() if value is not None})


@task_postrun.connect(weak=False)
def _forget(**_: Any) -> None:
    clear_contextvars()
