"""A web app that creates and starts a campaign in one transaction: python -m tests.chaos.creating RECIPIENTS."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.store.engine import make_engine
from tests.chaos import failpoints
from tests.chaos.failpoints import PLAN_VARIABLE, Plan
from tests.world import SENDER, numbers

KEY = "the web app's own name for it"


def main(count: int) -> None:
    plan = Plan(Path(os.environ[PLAN_VARIABLE]))
    middle, before_commit = failpoints.CREATE
    engine = make_engine(os.environ["DATABASE_URL"])
    with engine.begin() as connection:
        campaign = campaigns.create(
            connection, recipients=_reaching(plan, middle, count), text="سلام", sender=SENDER, key=KEY
        )
        campaigns.start(connection, campaign)
        plan.reach(before_commit)


def _reaching(plan: Plan, point: str, count: int) -> Iterator[str]:
    for place, number in enumerate(numbers(count)):
        if place == count // 2:
            plan.reach(point)
        yield number


if __name__ == "__main__":
    main(int(sys.argv[1]))
