"""Whoever pulls a line dies, or stands still and wakes when it is somebody else's: nothing is lost by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.stages.inbox import pull
from kavenegar_campaigns.store import lines
from kavenegar_campaigns.store.database import Database
from tests.stages.inboxes import DAY_S, at_rest, crowd, line_added, line_claimed, missing, row
from tests.world import SENDER, Sandbox


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


class Death(BaseException):
    """The process ends here: nothing after it happens."""


class Deadly(Database):
    """Dies before or inside the commit of this number, or right after it."""

    def __init__(self, engine: Engine, *, at: int, where: str) -> None:
        super().__init__(engine)
        self._left, self._where = at, where

    def __call__(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._left -= 1
        if self._left or self._where == "between":
            found = super().__call__(work, *args, **kwargs)
            self._die(where="between")
            return found
        self._die(where="before")

        def dying(connection: Connection) -> Any:
            found = work(connection, *args, **kwargs)
            self._die(where="inside")
            return found

        return super().__call__(dying)

    def _die(self, *, where: str) -> None:
        if not self._left and self._where == where:
            raise Death


def _dies(context: Context, engine: Engine, sandbox: Sandbox, *, at: int, where: str) -> None:
    """A turn that ends at a commit; then time for its lease to lapse and its last request to settle."""
    with pytest.raises(Death):
        pull.pull_line(replace(context, database=Deadly(engine, at=at, where=where)), SENDER)
    sandbox.advance(seconds=121 + 90)


@pytest.mark.parametrize("where", ["before", "inside", "between"])
def test_a_worker_that_dies_at_any_commit_loses_nothing(
    context: Context, engine: Engine, sandbox: Sandbox, where: str
) -> None:
    """Its turn: whether the line waits, the claim, three pages, the look back with its counts, and the end."""
    short = replace(context, policy=replace(context.policy, inbox_lookback=timedelta(days=7)))
    for at_commit in range(1, 11):
        _as_new(engine)
        line_added(short)
        crowd(sandbox, 250, age_s=6 * DAY_S, seed=1000 * at_commit)

        _dies(short, engine, sandbox, at=at_commit, where=where)

        at_rest(short, sandbox)
        assert missing(engine, sandbox) == 0, f"{where} commit {at_commit}"


def test_a_worker_that_dies_while_it_reconciles_loses_nothing(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    short = replace(context, policy=replace(context.policy, inbox_lookback=timedelta(days=7)))
    for at_commit in range(3, 16):
        _as_new(engine)
        line_added(short)
        crowd(sandbox, 700, age_s=6 * DAY_S, seed=1000 * at_commit)
        sandbox.arm("accept_then_drop", "sms/receive", count=1)
        pull.pull_line(short, SENDER)
        sandbox.advance(seconds=91)

        _dies(short, engine, sandbox, at=at_commit, where="before")

        assert row(engine).needs_reconcile_since is not None
        at_rest(short, sandbox)
        assert missing(engine, sandbox) == 0, f"commit {at_commit}"


def _as_new(engine: Engine) -> None:
    """Nobody has ever pulled the line; what was stored of it stays."""
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE sms.lines"))


def test_an_answer_lost_by_somebody_who_has_lost_the_line_puts_it_in_doubt_all_the_same(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """A worker that stood still past its lease learns late that its answer never came; another has the line by then."""
    line_added(context)
    frozen = line_claimed(context)
    sandbox.advance(seconds=121 + 90)
    present = line_claimed(context)

    context.database(
        lines.record_lost_answer,
        frozen,
        complete_to=None,
        now=context.now(),
        unknown_grace=context.policy.unknown_grace,
        trouble="lost",
    )
    ending = lines.LineEnding(due_at=context.now(), needs_reconcile_since=None, complete_to=context.now())

    assert not context.database(lines.release, present, ending)
    line = row(engine)
    assert line.needs_reconcile_since == frozen.claimed_at
    assert line.complete_to is None
