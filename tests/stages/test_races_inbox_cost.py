"""What a bank would find in production about what the inbox costs others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
import redis
from sqlalchemy import Connection, Engine, event, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.store import inbound, lines
from kavenegar_campaigns.store.inbound import Arrival, InboundPolicy, Via
from tests.store.test_due_cost import nodes
from tests.world import SENDER, Sandbox, numbers

DAY = timedelta(days=1)


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def test_who_wrote_is_found_among_all_campaigns_without_reading_their_batches(context: Context, engine: Engine) -> None:
    """Where numbers got many large campaigns a page must not take the 60 s after which a statement is stopped."""
    with engine.begin() as connection:
        for place in range(3):
            campaign = running_row(connection)
            first = (place + 1) * 10_000_000
            connection.execute(
                text("""
                    INSERT INTO sms.messages (id, campaign_id, gateway_id, row_no, parts, state, number, status)
                    SELECT :first + g * 4000, :campaign, :first + g, g + 1, 1, 'accepted',
                           '0912' || lpad(g::text, 7, '0'), 4 FROM generate_series(0, 99) AS g
                """),
                {"first": first, "campaign": campaign},
            )
            connection.execute(
                text("""
                    INSERT INTO sms.batches (campaign_id, first_id, last_id, state, due_at, accepted_at, closes_at,
                                             poll_at, pending, accepted)
                    SELECT :campaign, :first + g * 200, :first + g * 200 + 199, 'accepted', now(),
                           now() - interval '1 h', now() + interval '40 h', now() + interval '1 h', 0, 200
                      FROM generate_series(0, 1999) AS g
                """),
                {"first": first, "campaign": campaign},
            )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE sms.batches, sms.messages"))
    came = [Arrival(5_000_000 + place, f"0912{place:07d}", "سلام", context.now()) for place in range(100)]
    seen: list[Any] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if "INSERT INTO sms.inbound" in statement:
            seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        with engine.connect() as connection:
            inbound.store_new(connection, SENDER, came, via=Via.RECEIVE, watch=InboundPolicy(), now=context.now())
            connection.rollback()
            event.remove(engine, "before_cursor_execute", note)
            statement, parameters = seen[0]
            explained = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
            found = explained.scalar_one()
            connection.rollback()
    finally:
        if event.contains(engine, "before_cursor_execute", note):
            event.remove(engine, "before_cursor_execute", note)
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    looked_at = sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in nodes(plan)
        if node.get("Relation Name") == "batches"
    )
    assert looked_at <= 3 * 100 * 10, looked_at


def running_row(connection: Connection) -> int:
    """A campaign without messages of its own."""
    campaign = campaigns.create(connection, recipients=numbers(1), text="سلام", sender=SENDER)
    campaigns.start(connection, campaign)
    return campaign


# ── who has their turn ──

PULL = """
import sys
from kavenegar_worker.tasks import pull_inbox
print(pull_inbox(sys.argv[1]))
"""


def test_a_line_with_more_to_come_waits_behind_one_that_has_been_due_for_longer(
    context: Context, engine: Engine, sandbox: Sandbox, database_url: str, broker_url: str
) -> None:
    """Three lines with a backlog that ring for themselves keep every other line waiting until they are empty."""
    long_ago = context.now() - timedelta(minutes=10)
    for line, due_at in ((SENDER, context.now() - timedelta(minutes=5)), ("30002626", long_ago)):
        context.database(lines.change, line, every=timedelta(minutes=1), enabled=True, otherwise=DAY, now=due_at)
    with engine.begin() as connection:  # somebody died over the first: it is gone through, and has more to do then
        connection.execute(
            text("UPDATE sms.lines SET needs_reconcile_since = :at, complete_to = :at WHERE line = :line"),
            {"at": long_ago, "line": SENDER},
        )
    done = subprocess.run(
        [sys.executable, "-c", PULL, SENDER],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "DATABASE_URL": database_url,
            "BROKER_URL": broker_url,
            "KAVENEGAR_API_KEY": sandbox.api_key,
            "KAVENEGAR_BASE_URL": sandbox.url,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "more to come" in done.stdout, done.stderr
    with redis.Redis.from_url(broker_url) as broker:
        assert broker.llen("inbox") == 0
