"""Tasks that run late, twice or too often cost next to nothing, so that due work is still done in time.

While no worker runs, tasks pile up in the broker. When one is back, it runs every stale task before a fresh one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.kavenegar.redis_client import connect_redis
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_campaigns.stages import dispatch, submit
from kavenegar_campaigns.stages.submit import Outcome
from tests.chaos.workshop import to_the_end
from tests.world import Sandbox, batch_ids, run_due_work, running

pytestmark = pytest.mark.usefixtures("audited")


@pytest.mark.parametrize("run_task", [submit.send_batch, submit.resolve_batch])
def test_a_ring_that_comes_too_late_spends_no_slot_of_the_pace(
    context: Context, engine: Engine, sandbox: Sandbox, run_task: Callable[[Context, int], Outcome]
) -> None:
    (batch,) = batch_ids(engine, running(engine, 200))
    run_due_work(context)
    before = context.pace.view().lanes[Lane.SEND].calls

    assert [run_task(context, batch) for _ in range(5)] == [Outcome.NOT_DUE] * 5

    assert context.pace.view().lanes[Lane.SEND].calls <= before
    assert to_the_end(context, engine, sandbox).broken == ()


def test_no_more_unknown_batches_are_enqueued_than_the_pace_can_resolve(
    context: Context, engine: Engine, sandbox: Sandbox, broker_url: str
) -> None:
    sandbox.arm("accept_then_drop", "sms/send", count=20)
    running(engine, 20 * 200)
    run_due_work(context)
    sandbox.advance(seconds=91)
    slow = replace(context, pace=Throttle(connect_redis(broker_url), account="slow", start_rate=2, max_rate=2))

    enqueued = [dispatch.tick(slow, now=context.now() + timedelta(seconds=second)).resolve for second in range(5)]

    room = 2 * slow.policy.enqueue_horizon.total_seconds()
    assert 0 < sum(map(len, enqueued)) <= room
