"""Processes that a test can kill, campaigns for them to send, and the check of the result; or one context alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from campaigns_devkit import Supervisor
from campaigns_devkit.supervisor import procfile_commands
from kavenegar_campaigns.context import Context
from tests import waiting
from tests.chaos import checker, instants
from tests.chaos.checker import Findings
from tests.chaos.failpoints import KILL, PLAN_VARIABLE, Plan
from tests.world import SENDER, Sandbox, numbers, run_due_work

SHORT_TIMES = {
    "STATUS_POLLS": "1s,2s,3s,4s,5s,6s,8s,10s,12s,15s,20s,25s,30s,45s,60s",
    "LEASE": "4s",
    "UNKNOWN_GRACE": "2s",
    "HTTP_DEADLINE": "2s",
    "REENQUEUE_AFTER": "2s",
    "HOLD_RECHECK": "1s",
    "PACE_START": "100",
    "PACE_MAX": "100",
    "SEND_THREADS": "2",
    "POLL_THREADS": "4",
}

ONE_EACH = {"worker-send": 1, "worker-poll": 1}

PATIENCE_S: Final = 240.0
"""Seconds to wait for chains of deaths and restarts; on an idle machine they take half a minute."""


class Workshop:
    """Runs worker processes, some of them in a failing context, and creates campaigns for them to send."""

    def __init__(self, engine: Engine, gateway: Sandbox, environment: Mapping[str, str], folder: Path) -> None:
        self.engine = engine
        self.gateway = gateway
        self.folder = folder
        self.campaigns: list[int] = []
        self.plan: Plan | None = None
        self.processes: Supervisor | None = None
        self._environment = dict(environment)
        self._overdue: frozenset[tuple[int, int]] = frozenset()
        self._ticked_at: datetime | None = None

    def start(
        self, app: str = "kavenegar_worker", *, roles: Mapping[str, int] = ONE_EACH, **settings: str
    ) -> Supervisor:
        """Start one beat and one worker of each kind of the Procfile, or `roles` workers of each kind from `app`."""
        chosen = procfile_commands(["beat"])
        for role in ONE_EACH:
            *shell, line = procfile_commands([role])[role]
            if role in roles:
                line = line.replace("-A kavenegar_worker", f"-A {app}")
            for number in range(1, roles.get(role, 1) + 1):
                chosen[f"{role}-{number}"] = [*shell, line.replace("--hostname ", f"--hostname {number}-")]
        self.processes = Supervisor(chosen, {**self._environment, **settings}, self.folder / "logs")
        self.processes.start()
        return self.processes

    def fail_at(self, *points: str, mode: str = KILL, **options: Any) -> Supervisor:
        """Start workers that meet `mode` at each of `points`, one after the other."""
        self.plan = Plan.write(self.folder / "plan", points, mode)
        self._environment[PLAN_VARIABLE] = str(self.plan.path)
        return self.start("tests.chaos.failing_app", **options)

    def campaign(self, recipients: int, *, wording: str = "سلام {name} عزیز", of_each: int = 30) -> None:
        """Create campaigns of `of_each` recipients: many small batches, so that one is always under way."""
        everybody = [(number, {"name": f"نام {place}"}) for place, number in enumerate(numbers(recipients))]
        for start in range(0, recipients, of_each):
            with self.engine.begin() as connection:
                campaign = campaigns.create(
                    connection, recipients=everybody[start : start + of_each], text=wording, sender=SENDER
                )
                campaigns.start(connection, campaign)
            self.campaigns.append(campaign)

    def until(self, condition: Callable[[], bool], what: str, *, look: bool = True) -> None:
        """Wait until it is true, and check meanwhile the invariants of every instant."""

        def happened() -> bool:
            if look:
                self.look()
            return condition()

        try:
            waiting.until(happened, what, within_s=PATIENCE_S, every_s=0.2)
        except AssertionError as why:
            raise AssertionError(f"{why}; the next failpoint is {self.plan and self.plan.next()}") from why

    def look(self) -> None:
        """Check I6 now, and I7 after each new tick of the dispatcher."""
        with self.engine.connect() as connection:
            assert instants.uneven(connection) == [], "I6"
            overdue, ticked_at = instants.overdue(connection), instants.ticked_at(connection)
        if ticked_at == self._ticked_at:
            return
        assert not overdue & self._overdue, f"I7: claimed past their lease: {overdue & self._overdue}"
        self._overdue, self._ticked_at = overdue, ticked_at

    def finished(self) -> bool:
        """Whether every campaign has finished."""
        with self.engine.connect() as connection:
            return all(campaigns.get(connection, each).finished_at is not None for each in self.campaigns)

    def all_reached(self) -> bool:
        """Whether every crash point of the plan was reached."""
        assert self.plan is not None
        return self.plan.next() is None

    def verdict(self) -> Findings:
        """Run the checker with the gateway's ledger. Returns its findings."""
        return checker.check(self.engine, self.gateway.url)


def to_the_end(context: Context, engine: Engine, sandbox: Sandbox) -> Findings:
    """Run ticks, and move time between them, until every campaign has finished. Returns the findings of the checker."""
    for _ in range(60):
        run_due_work(context)
        with engine.connect() as connection:
            if all(campaign.finished_at for campaign in campaigns.newest(connection)):
                break
        sandbox.advance(seconds=91)
    return checker.check(engine, sandbox.url)
