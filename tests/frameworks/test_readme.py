"""The README's other Python lines: a plain script, a name sent over Celery, and one-time passwords."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import kombu
import pytest
import redis
from celery import Celery
from kombu import Connection as Broker
from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from kavenegar_worker.tasks import create
from tests.frameworks.snippets import every_snippet, run, uploads
from tests.worker.test_otp import environment
from tests.world import Sandbox


def test_every_python_snippet_of_the_readme_is_one_that_is_run_here() -> None:
    matches = [
        re.search(
            r"^def enqueue\((.*?)\)|^import kavenegar_campaigns as campaigns|^from kavenegar_worker import otp"
            r"|^with kombu",
            each,
            re.MULTILINE,
        )
        for each in every_snippet()
    ]

    assert [each and each[0].partition("(")[0] for each in matches] == [
        "import kavenegar_campaigns as campaigns",
        "def enqueue",
        "def enqueue",
        "def enqueue",
        "with kombu",
        "from kavenegar_worker import otp",
    ]


def test_the_first_snippet_creates_a_campaign_once(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads(tmp_path)
    monkeypatch.chdir(tmp_path)

    found = [run(every_snippet()[0], {"engine": engine})["campaign"] for _ in range(2)]

    with engine.connect() as connection:
        [campaign] = campaigns.newest(connection)
    assert found == [campaign.id, campaign.id]
    assert (campaign.state, campaign.messages) == ("running", 2)


def test_a_task_sent_by_a_shops_app_comes_to_our_broker_and_is_one_of_ours_with_its_arguments(
    broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shop's own broker is another one, and Celery's variable names it, too."""
    [source] = [each for each in every_snippet() if "kombu.Connection" in each]
    shops = f"{broker_url.rpartition('/')[0]}/1"
    monkeypatch.setenv("CAMPAIGNS_BROKER_URL", broker_url)
    monkeypatch.setenv("CELERY_BROKER_URL", shops)
    with Celery("a shop", broker=shops, set_as_current=False) as app:
        app.conf.task_serializer = "pickle"
        run(source, {"app": app, "kombu": kombu, "os": os})
    with Broker(broker_url) as broker, broker.SimpleQueue("maint") as queue:
        message = queue.get(timeout=10)
        message.ack()
    inspect.signature(create.run).bind(**message.payload[1])  # raises TypeError for what the task does not take
    assert message.headers["task"] == create.name
    assert message.content_type == "application/json"
    with redis.Redis.from_url(shops) as client:
        assert client.keys() == []


def test_the_one_time_password_leaves(engine: Engine, broker_url: str, sandbox: Sandbox) -> None:
    sandbox.turn(templates={"login": "کد: %token"})
    source = every_snippet()[-1]
    done = subprocess.run(
        [sys.executable, "-c", f"from types import SimpleNamespace\nattempt = SimpleNamespace(id=1)\n{source}"],
        env=environment(engine, broker_url, sandbox),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sandbox.summary()["messages"] == 1
