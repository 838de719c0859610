"""INBOX_TASK on the broker of the user's own workers: a real worker of a shop, on another database than ours."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from sqlalchemy import Engine

from kavenegar_campaigns.store import inbound
from tests.waiting import until
from tests.worker.conftest import Command
from tests.worker.test_inbound_delivery import run_delivery, wrote
from tests.worker.test_two_apps import WORKER, running

SHOP = """
import os
from celery import Celery, shared_task
app = Celery("shop", broker=os.environ["SHOP_BROKER"])
app.conf.worker_redirect_stdouts = False

@shared_task(name="shop.answered")
def answered(message_id):
    print("ANSWERED", message_id, flush=True)
"""


@pytest.fixture
def shops(broker_url: str) -> str:
    """The address of the shop's broker."""
    return f"{broker_url.rpartition('/')[0]}/1"


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a broker that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=20) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


def test_a_shops_worker_on_its_own_broker_gets_the_ids(
    engine: Engine, database_url: str, broker_url: str, shops: str, tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    log = tmp_path / "log"
    wrote(engine, 3)
    with running(["-A", "shop", *WORKER, "INFO"], {"SHOP_BROKER": shops}, log, tmp_path):
        assert run_delivery(database_url, broker_url, INBOX_TASK_BROKER=shops) == ["3 enqueued"]
        until(lambda: log.read_text().count("ANSWERED") == 3, "the shop's three tasks")
    assert sorted(line for line in log.read_text().splitlines() if "ANSWERED" in line) == [
        "ANSWERED 1",
        "ANSWERED 2",
        "ANSWERED 3",
    ]
    with redis.Redis.from_url(broker_url) as ours:
        assert not ours.exists("celery")


@pytest.mark.parametrize("fault", ["away", "silent"])
def test_a_broker_that_fails_loses_nothing_and_is_given_up_within_seconds(
    fault: str, engine: Engine, database_url: str, broker_url: str, shops: str, silent: str
) -> None:
    wrote(engine, 2)
    began = time.monotonic()
    its = {"away": "redis://127.0.0.1:1/0", "silent": silent}[fault]
    assert run_delivery(database_url, broker_url, INBOX_TASK_BROKER=its) == ["0 enqueued"]
    assert time.monotonic() - began < 60  # the start of a process on a busy machine among it
    with engine.connect() as connection:
        assert inbound.count_unacknowledged(connection) == (2, 0)
    assert run_delivery(database_url, broker_url, INBOX_TASK_BROKER=shops) == ["2 enqueued"]


def test_the_doctor_looks_at_the_broker_of_the_users_task(command: Command, shops: str) -> None:
    its = {"INBOX_TASK": "shop.answered", "INBOX_TASK_BROKER": shops}
    found = finding(command, "inbox task", **its)
    assert found["level"] == "ok"
    assert found["says"].startswith("shop.answered is sent to 127.0.0.1:")
    assert found["says"].endswith("/1; in the queue celery wait 0")

    away = finding(command, "inbox task", **its | {"INBOX_TASK_BROKER": "redis://:hunter2@127.0.0.1:1/1"})
    assert away["level"] == "bad"
    assert away["says"].startswith("INBOX_TASK_BROKER does not take it: ")
    assert "hunter2" not in str(away)


def test_the_doctor_says_which_broker_celery_and_the_pace_use_and_which_variable_does_not_count(
    command: Command, broker_url: str, shops: str
) -> None:
    found = finding(command, "tasks", CAMPAIGNS_BROKER_URL=broker_url, BROKER_URL=shops)
    assert found["level"] == "ok"
    assert found["says"].startswith("tasks and the pace are at 127.0.0.1:")
    assert found["says"].partition("; ")[2] == (
        "BROKER_URL: another broker, which other Celery apps use and ours does not"
    )
    assert "; " not in finding(command, "tasks")["says"]


def finding(command: Command, name: str, **environment: str) -> dict[str, str]:
    """What the doctor finds under this name."""
    said = command("doctor", "--json", **environment)
    [found] = [each for each in said.answer["findings"] if each["name"] == name]
    assert isinstance(found, dict)
    return found
