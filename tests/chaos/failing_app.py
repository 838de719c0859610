"""A worker that fails where the plan says: `celery -A tests.chaos.failing_app worker …`.

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

from campaigns.house import House
from campaigns.kavenegar.gateway import Gateway
from tests.chaos.failpoints import PLAN_VARIABLE, FailingDatabase, FailingGateway, Plan, Publishing, Walk, here
from worker import wiring
from worker.app import app

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
real_house = wiring.house


@cache
def failing_house() -> House:
    """The house of this process; its clock stays the real one."""
    house = real_house()
    gateway = FailingGateway(house.gateway, wiring.places().base_url, plan, walk)
    return replace(house, database=FailingDatabase(house.database, plan, walk), gateway=cast("Gateway", gateway))


wiring.house = cast("Any", failing_house)


@task_prerun.connect(weak=False)  # type: ignore[untyped-decorator]  # celery ships no types
def _begin(task: Task, **_: Any) -> None:
    walk.begin(TASKS.get(task.name, ""))
    here.point = ""


@task_postrun.connect(weak=False)  # type: ignore[untyped-decorator]  # celery ships no types
def _end(**_: Any) -> None:
    if here.point:
        plan.outlive(here.point)


@before_task_publish.connect(weak=False)  # type: ignore[untyped-decorator]  # celery ships no types
def _rung(**_: Any) -> None:
    publishing.rung()
