"""The main job over Celery, while things die."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
import redis
from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from campaigns_devkit import Supervisor
from kavenegar_campaigns.rules.states import MessageState
from tests.waiting import PATIENCE_S, until
from tests.world import Sandbox, counters, running, states

pytestmark = pytest.mark.timeout(5 * PATIENCE_S)

VERDICTS = {"delivered", "undelivered", "failed", "blocked"}


def _accepted(engine: Engine, campaign: int) -> int:
    with engine.connect() as connection:
        progress = campaigns.progress(connection, campaign)
    return progress.campaign.messages - progress.counts[MessageState.PENDING]


def _finished(engine: Engine, campaign: int) -> bool:
    with engine.connect() as connection:
        return campaigns.get(connection, campaign).finished_at is not None


def _restarts(workers: Supervisor, *, at_least: int) -> bool:
    """Whether so many deaths were made good; waits until they were."""
    return workers.wait_for(lambda states: sum(state.restarts for state in states) >= at_least, within_s=PATIENCE_S)


def test_a_campaign_survives_killed_workers_and_a_flushed_broker_without_a_double_or_a_loss(
    engine: Engine, sandbox: Sandbox, workers: Supervisor, broker_url: str
) -> None:
    sandbox.turn(dedupe=False, latency_ms=300)  # so that whoever is killed has requests under way
    campaign = running(engine, 20_000, text="سلام {name} عزیز")

    until(lambda: _accepted(engine, campaign) >= 2_000, "the first acceptance")
    workers.signal("worker-send", signal.SIGKILL)
    assert _restarts(workers, at_least=1)
    until(lambda: _accepted(engine, campaign) >= 8_000, "going on after a kill")
    workers.signal("worker-send", signal.SIGKILL)
    workers.signal("worker-poll", signal.SIGKILL)
    with redis.Redis.from_url(broker_url) as broker:
        broker.flushall()
    until(lambda: _finished(engine, campaign), "the end of the campaign")

    sent = sandbox.summary()
    assert sent["messages"] == 20_000
    assert sent["localids_sent_twice"] == 0
    found = states(engine, campaign)
    assert sum(found.values()) == 20_000
    assert set(found) <= VERDICTS
    with engine.connect() as connection:
        assert counters(connection, campaign) == found
    assert _restarts(workers, at_least=3)


def test_no_log_of_any_process_holds_a_number_a_text_or_the_key(
    engine: Engine, sandbox: Sandbox, workers: Supervisor, tmp_path: Path
) -> None:
    sandbox.turn(account_code=0)
    sandbox.arm("accept_then_drop", "sms/sendarray", count=1)
    sandbox.arm("http_5xx_html_after", "sms/sendarray", count=1)
    campaign = running(engine, 1_000, text="متن محرمانه برای {name}")

    until(lambda: _finished(engine, campaign), "the end of the campaign")

    logged = "".join(path.read_text() for path in (tmp_path / "logs").glob("*.log"))
    assert "batch outcome unknown" in logged
    assert "محرمانه" not in logged
    assert not re.search(r"(?<!\d)(?:0|98)?912\d{7}(?!\d)", logged)
    assert f"/v1/{sandbox.api_key}/" not in logged
