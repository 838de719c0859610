"""A worker that fails at the crash points of a plan: `celery -A tests.chaos.failing_app worker …`.

Replacing parts of the product is allowed here and nowhere else: there is no other way to die between two
instructions of it.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, cast

from celery import Task
from celery.signals import before_task_publish, task_postrun, task_prerun

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.kavenegar.paced_client import PacedClient
from kavenegar_worker import wiring
from kavenegar_worker.app import app
from tests.chaos.failpoints import PLAN_VARIABLE, FailingDatabase, FailingGateway, Plan, Publishing, Walk, here

__all__ = ["app"]

TASKS = {
    "campaigns.send_batch": "send",
    "campaigns.resolve_batch": "resolve",
    "campaigns.poll_statuses": "poll",
    "campaigns.tick": "tick",
}

plan = Plan(Path(os.environ[PLAN_VARIABLE]))
walk = Walk()
publishing = Publishing(plan, walk)
real_context = wiring.context


@cache
def failing_context() -> Context:
    """Return the context of this process with a failing database and gateway, and the real clock."""
    context = real_context()
    gateway = FailingGateway(context.gateway, wiring.endpoints().base_url, plan, walk)
    return replace(
        context, database=FailingDatabase(context.database, plan, walk), gateway=cast("PacedClient", gateway)
    )


wiring.context = cast("Any", failing_context)


@task_prerun.connect(weak=False)  # type: ignore[untyped-decorator]  # celery ships no types
def _begin(task: Task, **_: Any) -> None:
    walk.begin(TASKS.get(task.name, ""))
    here.point = ""


@task_postrun.connect(weak=False)  # type: ignore[untyped-decorator]  # celery ships no types
def _end(**_: Any) -> None:
    if here.point:
        plan.outlive(here.point)


@before_task_publish.connect(weak=False)  # type: ignore[untyped-decorator]  # celery ships no types
def _before_publish(**_: Any) -> None:
    publishing.before_publish()
