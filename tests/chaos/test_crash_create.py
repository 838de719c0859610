"""A campaign exists whole or not at all, and once, whoever dies or hurries while it is made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from tests.chaos import failpoints
from tests.chaos.creating import KEY
from tests.chaos.failpoints import PLAN_VARIABLE, Plan
from tests.chaos.workshop import to_the_end
from tests.devkit.conftest import PROJECT
from tests.waiting import PATIENCE_S
from tests.world import SENDER, Sandbox, numbers, run_due_work

pytestmark = pytest.mark.usefixtures("audited")

RECIPIENTS = 3_000


def _create(database_url: str, plan: Plan) -> int:
    """The exit code of a process that creates the campaign."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT),
        "DATABASE_URL": database_url,
        PLAN_VARIABLE: str(plan.path),
    }
    command = [sys.executable, "-m", "tests.chaos.creating", str(RECIPIENTS)]
    return subprocess.run(command, env=environment, cwd=PROJECT, timeout=PATIENCE_S, check=False).returncode


def _rows(engine: Engine) -> dict[str, int]:
    tables = ("campaigns", "messages", "batches", "rejects")
    with engine.connect() as connection:
        return {table: connection.execute(text(f"SELECT count(*) FROM sms.{table}")).scalar_one() for table in tables}


@pytest.mark.parametrize("point", failpoints.CREATE)
def test_a_web_app_killed_while_it_creates_leaves_nothing_and_can_create_again(
    context: Context, engine: Engine, sandbox: Sandbox, database_url: str, tmp_path: Path, point: str
) -> None:
    plan = Plan.write(tmp_path / "plan", [point])

    assert _create(database_url, plan) == -signal.SIGKILL
    assert list(plan.reached()) == [point]
    run_due_work(context)
    assert set(_rows(engine).values()) == {0}

    assert _create(database_url, plan) == 0
    assert _create(database_url, plan) == 0
    assert _rows(engine) == {"campaigns": 1, "messages": RECIPIENTS, "batches": RECIPIENTS // 200, "rejects": 0}
    found = to_the_end(context, engine, sandbox)
    assert found.broken == ()
    assert found.sent == RECIPIENTS


def _both_at_once(work: Callable[[], None]) -> None:
    ready = threading.Barrier(2)

    def together() -> None:
        ready.wait()
        work()

    threads = [threading.Thread(target=together) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_an_upload_that_arrives_twice_at_the_same_moment_is_one_campaign(engine: Engine) -> None:
    found: list[int] = []

    def upload() -> None:
        with engine.begin() as connection:
            found.append(campaigns.create(connection, recipients=numbers(5_000), text="سلام", sender=SENDER, key=KEY))

    _both_at_once(upload)

    assert len(found) == 2
    assert len(set(found)) == 1
    assert _rows(engine) == {"campaigns": 1, "messages": 5_000, "batches": 0, "rejects": 0}


def test_a_campaign_that_is_started_twice_at_the_same_moment_is_cut_once(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=numbers(5_000), text="سلام", sender=SENDER)

    def start() -> None:
        with engine.begin() as connection:
            campaigns.start(connection, campaign)

    _both_at_once(start)

    assert _rows(engine)["batches"] == 25
    assert to_the_end(context, engine, sandbox).broken == ()
