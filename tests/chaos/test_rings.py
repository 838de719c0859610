"""Rings that come late, or twice, or too many: they cost next to nothing, so that what is due still gets its turn.

While no worker answers, rings pile up in the broker; when one is back, every stale ring comes before a fresh one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from campaigns import dispatch, submit
from campaigns.house import House
from campaigns.kavenegar.pace import Lane
from campaigns.kavenegar.throttle import Throttle, connect
from campaigns.submit import Outcome
from tests.chaos.workshop import to_the_end
from tests.world import Sandbox, answer_bells, batch_ids, running

pytestmark = pytest.mark.usefixtures("audited")


@pytest.mark.parametrize("ring", [submit.run, submit.resolve])
def test_a_ring_that_comes_too_late_spends_no_slot_of_the_pace(
    house: House, engine: Engine, sandbox: Sandbox, ring: Callable[[House, int], Outcome]
) -> None:
    (batch,) = batch_ids(engine, running(engine, 200))
    answer_bells(house)
    before = house.pace.view().lanes[Lane.SEND].calls

    assert [ring(house, batch) for _ in range(5)] == [Outcome.NOT_DUE] * 5

    assert house.pace.view().lanes[Lane.SEND].calls <= before
    assert to_the_end(house, engine, sandbox).broken == ()


def test_no_more_rings_are_on_their_way_for_unknown_batches_than_the_pace_can_answer(
    house: House, engine: Engine, sandbox: Sandbox, broker_url: str
) -> None:
    sandbox.arm("accept_then_drop", "sms/send", count=20)
    running(engine, 20 * 200)
    answer_bells(house)
    sandbox.advance(seconds=91)
    slow = replace(house, pace=Throttle(connect(broker_url), account="slow", start_rate=2, max_rate=2))

    rung = [dispatch.tick(slow, now=house.now() + timedelta(seconds=second)).resolve for second in range(5)]

    room = 2 * slow.policy.horizon.total_seconds()
    assert 0 < sum(map(len, rung)) <= room
