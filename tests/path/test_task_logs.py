"""What the workers log while a campaign runs: each record names its task and its ids, and nothing secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from campaigns_devkit import Supervisor
from campaigns_devkit.supervisor import procfile_commands
from tests.waiting import PATIENCE_S, until
from tests.world import SENDER, Sandbox, batch_ids, numbers, running

pytestmark = pytest.mark.timeout(5 * PATIENCE_S)


def test_every_record_of_a_task_names_its_campaign_its_batch_and_its_task(
    environment: dict[str, str], engine: Engine, sandbox: Sandbox, tmp_path: Path
) -> None:
    settings = {**environment, "LOG_FORMAT": "json", "LOG_LEVEL": "INFO", "INBOX_LINES": SENDER}
    supervisor = Supervisor(procfile_commands(("worker-send", "worker-poll", "beat")), settings, tmp_path / "logs")
    supervisor.start()
    try:
        campaign = running(engine, 600, text="سلام {name} عزیز")
        until(lambda: _is_over(engine, campaign), "the end of the campaign")
        until(lambda: any("line" in each for each in _records(tmp_path)), "a pull of the line")
    finally:
        supervisor.stop(grace_s=10)

    records = _records(tmp_path)
    sends = [each for each in records if each.get("task") == "campaigns.send_batch"]
    batches = set(batch_ids(engine, campaign))
    assert {each["batch_id"] for each in sends} == batches
    assert {each["campaign_id"] for each in sends} == {campaign}
    assert len({each["task_id"] for each in sends}) >= len(batches)
    assert {each["event"] for each in sends} >= {"gateway answered"}
    assert {each["line"] for each in records if each.get("task") == "campaigns.pull_inbox"} == {SENDER}
    assert not [each for each in records if "batch_id" in each and each.get("task") == "campaigns.poll_statuses"]
    everything = json.dumps(records, ensure_ascii=False)
    assert not any(number[1:] in everything for number in numbers(600))
    assert "عزیز" not in everything
    assert sandbox.api_key not in everything


def _is_over(engine: Engine, campaign: int) -> bool:
    with engine.connect() as connection:
        return campaigns.get(connection, campaign).finished_at is not None


def _records(folder: Path) -> list[dict[str, Any]]:
    """Every record of the workers, none of which may be anything but an object."""
    lines = [line for log in folder.glob("logs/worker-*") for line in log.read_text(encoding="utf-8").splitlines()]
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
