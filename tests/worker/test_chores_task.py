"""The task that comes round every few seconds does what is due by itself, and rings for the rest."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine

from tests.worker.test_app import run
from tests.world import running

CHORES = """
import json, sys
from kavenegar_worker.tasks import chores_
json.dump({"first": chores_(), "second": chores_()}, sys.stdout)
"""
PARKED = """
    UPDATE sms.messages SET state = 'accepted', gateway_id = id;
    UPDATE sms.batches SET state = 'accepted', pending = 0, accepted = 3, poll_at = now() + interval '46 hours',
                           accepted_at = now() - interval '2 hours', closes_at = now() + interval '46 hours'
"""


def test_chores_plan_the_polls_anew_that_a_shorter_schedule_has_parked(
    engine: Engine, database_url: str, broker_url: str
) -> None:
    running(engine, 3)
    with engine.begin() as connection:
        connection.exec_driver_sql(PARKED)

    summaries = run(
        CHORES,
        DATABASE_URL=database_url,
        BROKER_URL=broker_url,
        KAVENEGAR_API_KEY="4A6B7C8D9E0F",
        KAVENEGAR_BASE_URL="http://127.0.0.1:1",
        STATUS_POLLS="1h,3h,6h",
    )

    assert "watch" in summaries["first"]
    assert "watch" not in summaries["second"]
    with engine.connect() as connection:
        waits = connection.exec_driver_sql("SELECT poll_at - accepted_at FROM sms.batches").scalar_one()
    assert waits <= timedelta(hours=3)
