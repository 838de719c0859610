"""Calls that a stalled database holds up, when each has its slot of the pace, do not leave together once it goes on."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.kavenegar.paced_client import CallRecord, PacedClient
from kavenegar_campaigns.kavenegar.redis_client import connect_redis
from kavenegar_campaigns.stages import submit
from kavenegar_campaigns.stages.submit import Outcome
from tests.waiting import until
from tests.world import Sandbox, batch_ids, running

BATCHES = 3
RATE = 2.0
SPREAD_S = (BATCHES - 1) / RATE
"""Between the first call and the last. Threads of a busy machine are late, so less than half of it is asserted."""

WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def waiting(engine: Engine) -> int:
    """How many sessions of this database wait for a lock."""
    with engine.connect() as connection:
        return int(connection.execute(WAITING).scalar_one())


def test_claims_that_waited_for_the_database_send_a_step_apart(
    context: Context, engine: Engine, sandbox: Sandbox, broker_url: str
) -> None:
    """Each has its slot when the lock comes in the way: a database that answers slowly does the same."""
    left: list[float] = []

    def note(call: CallRecord) -> None:
        left.append(time.monotonic() - call.ms / 1000)

    client = Client(sandbox.api_key, sandbox.url)
    throttle = Throttle(connect_redis(broker_url), account="stalled", start_rate=RATE, max_rate=RATE, fixed=True)
    stalled = replace(context, gateway=PacedClient(client, throttle, on_call=note), pace=throttle)
    batches = batch_ids(engine, running(engine, BATCHES * 200))
    with ThreadPoolExecutor(BATCHES) as pool:
        with engine.begin() as holder:
            holder.execute(text("LOCK TABLE sms.batches IN EXCLUSIVE MODE"))  # reads go on, claims wait
            sends = [pool.submit(submit.send_batch, stalled, batch) for batch in batches]
            until(lambda: waiting(engine) == BATCHES, "every claim waits")
        assert [send.result() for send in sends] == [Outcome.ACCEPTED] * BATCHES
    client.close()
    assert len(left) == BATCHES
    assert max(left) - min(left) >= 0.4 * SPREAD_S
