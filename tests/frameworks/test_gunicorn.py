"""A shop that uses us before it forks: gunicorn's `--preload` with requests, and Celery's prefork pool with tasks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from celery import Celery
from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from tests.stages.otp_requests import sent
from tests.waiting import PATIENCE_S
from tests.world import SENDER, Sandbox

WORKERS = 4
REQUESTS = 120

DISPOSE = """
def post_fork(server, worker):
    from tests.frameworks.forked_shop import engine
    engine.dispose(close=False)
"""


@pytest.fixture
def environment(database_url: str, broker_url: str, sandbox: Sandbox) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "CAMPAIGNS_BROKER_URL": broker_url,
        "KAVENEGAR_API_KEY": sandbox.api_key,
        "KAVENEGAR_BASE_URL": sandbox.url,
        "PACE_FIXED": "10000",
        "SHOP_ENGINE": "ours",
    }


@pytest.fixture
def drafts(engine: Engine) -> list[int]:
    """Campaigns whose ids differ."""
    with engine.begin() as connection:
        return [
            campaigns.create(connection, recipients=["09121234567"], text=f"{number}", sender=SENDER)
            for number in range(10)
        ]


@contextmanager
def gunicorn(tmp_path: Path, environment: dict[str, str], *, hooks: str = "") -> Iterator[str]:
    """The shop behind gunicorn, loaded once and forked. Yields its URL."""
    config, log = tmp_path / "config.py", tmp_path / "log"
    config.write_text(f"def when_ready(server):\n    print(server.LISTENERS[0], flush=True)\n{hooks}", encoding="utf-8")
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", str(WORKERS), "--threads", "2"]
    command += ["--bind", "127.0.0.1:0", "--timeout", "90", "--config", str(config), "tests.frameworks.forked_shop:app"]
    with log.open("w") as written, running(command, environment, stdout=subprocess.PIPE, stderr=written) as server:
        url = server.stdout.readline().decode().strip()
        assert url.startswith("http://"), log.read_text(encoding="utf-8")
        yield url


@contextmanager
def running(command: list[str], environment: dict[str, str], **streams: Any) -> Iterator[Any]:
    """A process that is terminated at the end."""
    with subprocess.Popen(command, env=environment, **streams) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def answers(url: str, drafts: list[int]) -> list[dict[str, Any]]:
    """The answers to many requests, eight at a time."""

    def ask(place: int) -> dict[str, Any]:
        answer = requests.get(f"{url}/campaigns/{drafts[place % len(drafts)]}", timeout=PATIENCE_S)
        found: dict[str, Any] = {"status": answer.status_code, **answer.json()}
        return found

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(ask, range(REQUESTS)))


def test_requests_to_a_preloaded_shop_get_their_own_rows_and_send_their_own_passwords(
    tmp_path: Path, environment: dict[str, str], drafts: list[int], sandbox: Sandbox
) -> None:
    with gunicorn(tmp_path, environment) as url:
        seen = answers(url, drafts)

    assert Counter((each["status"], each.get("right")) for each in seen) == {(200, True): REQUESTS}
    assert len({each["pid"] for each in seen}) > 1
    assert sent(sandbox) == 1 + REQUESTS


def test_a_shops_own_engine_from_before_the_fork_is_refused_and_no_request_gets_wrong_rows(
    tmp_path: Path, environment: dict[str, str], drafts: list[int]
) -> None:
    with gunicorn(tmp_path, {**environment, "SHOP_ENGINE": "its own"}) as url:
        seen = answers(url, drafts)

    endings = Counter((each["status"], each.get("right")) for each in seen)
    refused = [each for each in seen if each["status"] == 400]
    assert set(endings) == {(200, True), (400, None)}
    assert all("call `engine.dispose(close=False)` in each child" in each["refused"] for each in refused)
    assert len(refused) <= WORKERS * 4  # each connection once: after that the engine opens others


def test_a_shops_own_engine_that_each_worker_disposes_of_works(
    tmp_path: Path, environment: dict[str, str], drafts: list[int]
) -> None:
    with gunicorn(tmp_path, {**environment, "SHOP_ENGINE": "its own"}, hooks=DISPOSE) as url:
        seen = answers(url, drafts)

    assert Counter((each["status"], each.get("right")) for each in seen) == {(200, True): REQUESTS}


def test_tasks_in_a_prefork_pool_get_their_own_rows_and_send_their_own_passwords(
    tmp_path: Path, environment: dict[str, str], drafts: list[int], sandbox: Sandbox
) -> None:
    command = [sys.executable, "-m", "celery", "-A", "tests.frameworks.forked_shop:celery", "worker", "-P", "prefork"]
    command += ["--concurrency", str(WORKERS), "--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
    shop = Celery("caller", broker=environment["BROKER_URL"], backend=environment["BROKER_URL"], set_as_current=False)
    with (tmp_path / "log").open("w") as written, running(command, environment, stdout=written, stderr=written):
        tasks = [shop.send_task("shop.look", (drafts[place % len(drafts)],), queue="shop") for place in range(REQUESTS)]
        seen = [task.get(timeout=PATIENCE_S) for task in tasks]
    shop.close()

    assert [each["right"] for each in seen] == [True] * REQUESTS
    assert len({each["pid"] for each in seen}) > 1
    assert sent(sandbox) == 1 + REQUESTS
