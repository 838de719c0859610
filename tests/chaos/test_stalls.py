"""Something stands still for a moment, at the worst moment: a lock, a commit, a reading of the clock, an answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.stages import dispatch, submit, track
from kavenegar_campaigns.stages.submit import Outcome
from kavenegar_campaigns.store import batches
from kavenegar_campaigns.store.database import READING_WITHIN, READINGS_MAX, Database
from tests.chaos.tampering import Row, tampered
from tests.chaos.workshop import to_the_end
from tests.waiting import PATIENCE_S
from tests.world import Sandbox, at, batch_ids, run_due_work, running, states

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def test_a_worker_that_stands_still_with_one_batch_in_hand_stops_no_other(context: Context, engine: Engine) -> None:
    """A frozen process keeps its transaction open, and with it the rows it was writing."""
    (held,) = batch_ids(engine, running(engine, 200))
    (free,) = batch_ids(engine, running(engine, 200))
    with engine.connect() as frozen:
        frozen.execute(text("SELECT FROM sms.batches WHERE id = :id FOR UPDATE"), {"id": held})

        due_work = dispatch.tick(replace(context, database=Database(engine, patience_s=1)), now=context.now())

    assert free in due_work.send


def test_a_worker_that_stands_still_with_an_unknown_batch_in_hand_stops_no_other(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.arm("accept_then_drop", "sms/send", count=2)
    held, free = batch_ids(engine, running(engine, 400))
    run_due_work(context)
    sandbox.advance(seconds=91)
    with engine.connect() as frozen:
        frozen.execute(text("SELECT FROM sms.batches WHERE id = :id FOR UPDATE"), {"id": held})

        due_work = dispatch.tick(replace(context, database=Database(engine, patience_s=1)), now=context.now())

    assert free in due_work.resolve


class _Late(Database):
    """A database that was away for a while just when it was to commit a claim."""

    def __init__(self, engine: Engine, away_s: float) -> None:
        super().__init__(engine)
        self._away_s = away_s

    def __call__(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if work is batches.claim_ready:
            time.sleep(self._away_s)
        return super().__call__(work, *args, **kwargs)


def test_nothing_leaves_under_a_lease_that_is_over_before_the_request_could_be_made(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """The claim was decided, but its commit took longer than it holds: others may have the batch already."""
    (batch,) = batch_ids(engine, running(engine, 200))
    short = replace(context.policy, lease=timedelta(seconds=1.5), deadline=timedelta(seconds=0.5))
    late = replace(context, policy=short, database=_Late(engine, 1.2))

    assert submit.send_batch(late, batch) is not Outcome.ACCEPTED

    assert sandbox.summary()["requests"].get("sms/send", 0) == 0
    assert to_the_end(context, engine, sandbox).broken == ()


def test_a_slow_reading_of_the_clock_does_not_set_it_back(engine: Engine) -> None:
    """A clock that runs behind makes every lease end early, while the request it was made for is under way."""
    slow: list[datetime] = []

    def stand_still(*about: Any) -> None:
        if "clock_timestamp" in about[2]:
            time.sleep(READING_WITHIN.total_seconds() + 0.1)
            slow.append(_truly(engine))

    database = Database(engine)
    event.listen(engine, "after_cursor_execute", stand_still)
    shown = database.now()
    event.remove(engine, "after_cursor_execute", stand_still)
    assert len(slow) == READINGS_MAX
    assert slow[-1] <= shown

    database.clock.check_leap()
    assert shown <= database.now()
    assert _truly(engine) <= database.now()


def _truly(engine: Engine) -> datetime:
    with engine.connect() as connection:
        moment: datetime = connection.exec_driver_sql("SELECT now()").scalar_one()
    return moment


def test_an_answer_that_comes_after_its_batch_was_split_reaches_the_halves(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """Its lease was over, another worker sent the batch again and had it refused, and then the first answer came."""
    sandbox.turn(dedupe=True)
    campaign = running(engine, 200)
    (batch,) = batch_ids(engine, campaign)
    with _on_its_way(
        sandbox, "sms/send", lambda url: submit.send_batch(at(context, url, deadline_s=PATIENCE_S), batch)
    ):
        _lease_ends_and_nothing_is_found(context, sandbox)
        sandbox.arm("code", "sms/send", count=1, code=411)
        assert submit.send_batch(context, batch) is Outcome.HALVED

    assert states(engine, campaign) == {"accepted": 200}
    assert to_the_end(context, engine, sandbox).broken == ()


@contextmanager
def _on_its_way(sandbox: Sandbox, method: str, call: Callable[[str], object]) -> Iterator[None]:
    """A call that the gateway gets at the end of the block; when this is over, so is the call."""
    left, over = threading.Event(), threading.Event()

    def hold() -> None:
        left.set()
        over.wait(PATIENCE_S)

    with tampered(sandbox.url, method, hold=hold) as url, ThreadPoolExecutor(1) as pool:
        made = pool.submit(call, url)
        try:
            assert left.wait(PATIENCE_S)
            yield
        finally:
            over.set()
        made.result(PATIENCE_S)


def _lease_ends_and_nothing_is_found(context: Context, sandbox: Sandbox) -> None:
    sandbox.advance(seconds=121)
    dispatch.tick(context, now=context.now())
    sandbox.advance(seconds=91)
    for batch in dispatch.tick(context, now=context.now()).resolve:
        assert submit.resolve_batch(context, batch) is Outcome.SENT_AGAIN


def _last_thirty_never_seen(rows: list[Row]) -> list[Row]:
    return [{**row, "status": 100, "messageid": 0} for row in rows]


def test_a_verdict_that_comes_after_its_batch_was_split_reaches_the_halves(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(dedupe=True, order="same")
    campaign = running(engine, 200)
    (batch,) = batch_ids(engine, campaign)
    sandbox.arm("missing_rows", "sms/send", count=1, rows=30)
    assert submit.send_batch(context, batch) is Outcome.UNKNOWN
    sandbox.advance(minutes=6)
    with _on_its_way(sandbox, "sms/status", lambda url: track.poll_statuses(at(context, url, deadline_s=PATIENCE_S))):
        with tampered(sandbox.url, "sms/statuslocalmessageid", _last_thirty_never_seen) as url:
            assert submit.resolve_batch(at(context, url), batch) is Outcome.SENT_AGAIN
        sandbox.arm("code", "sms/send", count=1, code=411)
        with tampered(sandbox.url, "sms/statuslocalmessageid", _last_thirty_never_seen) as url:
            assert submit.send_batch(at(context, url), batch) is Outcome.HALVED

    assert to_the_end(context, engine, sandbox).broken == ()
