"""Time that a test moves, at the gateway and in a database whose clock can leap, and processes that use it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, text

from kavenegar_campaigns.clock import steady
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.stages import guards
from kavenegar_campaigns.store.database import Database, DatabaseClock
from tests.chaos import bent
from tests.world import Sandbox, run_due_work

STEP: Final = timedelta(seconds=5)
"""Time between two ticks: as long as a reading of the clock is used, and shorter than all of our times."""


class _Believing(DatabaseClock):
    """A mutant that trusts every reading of the clock, and so moves time back where a reading does."""

    def _believed(self, reading: Any) -> Any:
        self._shown = None
        return reading, None


@dataclass(slots=True)
class Time:
    """`passed` in all so far, and by how much the database's clock is `ahead` of it."""

    context: Context
    sandbox: Sandbox
    passed: timedelta = timedelta(0)
    ahead: timedelta = timedelta(0)

    def process(self, *, believing: bool = False) -> Context:
        """Return the context of a process that starts now, with its own reading of the database's clock.

        A `believing` one lacks our protection: it trusts every reading of the clock.
        """
        policy = self.context.policy
        database = Database(self.context.database.engine, believe_after=policy.quiet_period)
        clock = _Believing if believing else DatabaseClock
        database.clock = clock(
            partial(database, _clock_timestamp),
            believe_after=policy.quiet_period,
            on_leap=database._note_leap,
            now_s=lambda: steady() + self.passed.total_seconds(),
        )
        return replace(self.context, database=database, clock=database.now)

    def leap(self, by: timedelta) -> None:
        """Shift the database's clock ahead of the true one; zero makes it right again."""
        self.ahead = by
        self._bend()

    def let_pass(self, span: timedelta, *ticking: Context) -> None:
        """Move time in steps. After each step every context of `ticking` runs a tick and its chores."""
        over = self.passed + span
        while self.passed < over:
            step = min(STEP, over - self.passed)
            self.passed += step
            self.sandbox.advance(seconds=step.total_seconds())
            self._bend()
            for context in ticking:
                run_due_work(context)
                guards.pull_back_unless_leapt(context)

    def _bend(self) -> None:
        self.context.database(bent.bend, self.passed + self.ahead)


def _clock_timestamp(connection: Connection) -> datetime:
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment
