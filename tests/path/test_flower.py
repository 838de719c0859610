"""What Flower shows of a running context, and how much of it it keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from benchmarks.flower import AUTH, Watched, await_subscription, feed
from campaigns_devkit import Supervisor, servers
from campaigns_devkit.supervisor import procfile_commands
from tests.waiting import PATIENCE_S, until
from tests.world import numbers, running

pytestmark = pytest.mark.timeout(5 * PATIENCE_S)

Start = Callable[..., Watched]


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Starts Flower, and other processes of the Procfile beside it."""
    started: list[Supervisor] = []

    def begin(*names: str, **settings: str) -> Watched:
        port = servers.find_free_port()
        flower = {"FLOWER_PORT": str(port), "FLOWER_BASIC_AUTH": ":".join(AUTH)}
        watched = Watched(f"http://127.0.0.1:{port}")
        for these in (["flower"], names):
            supervisor = Supervisor(procfile_commands(these), {**environment, **flower, **settings}, tmp_path / "logs")
            started.append(supervisor)
            supervisor.start()
            until(watched.answers, "the start of Flower")
            await_subscription(environment["BROKER_URL"], watched)
        return watched

    yield begin
    for supervisor in reversed(started):
        supervisor.stop(grace_s=10)


def _tasks(flower: Watched, name: str) -> list[dict[str, Any]]:
    return [task for task in flower.tasks_kept().values() if task["name"] == f"campaigns.{name}"]


def test_each_batch_is_shown_with_its_campaign_and_no_tick_is_shown(engine: Engine, start: Start) -> None:
    flower = start("worker-send", "worker-poll", "beat")
    campaign = running(engine, 600, text="سلام {name} عزیز")

    def finished() -> bool:
        with engine.connect() as connection:
            return campaigns.get(connection, campaign).finished_at is not None

    until(finished, "the end of the campaign")
    until(
        lambda: len([task for task in _tasks(flower, "send_batch") if task["result"]]) >= 3, "three batches in Flower"
    )
    assert {task["kwargs"] for task in _tasks(flower, "send_batch")} == {
        repr({"campaign": campaign, "messages": f"{first}-{first + 199}/600"}) for first in (1, 201, 401)
    }
    assert "'accepted'" in {task["result"] for task in _tasks(flower, "send_batch")}
    assert _tasks(flower, "poll_statuses")
    assert not _tasks(flower, "tick") + _tasks(flower, "chores")
    shown = repr(flower.tasks_kept())
    assert "سلام" not in shown
    assert not [number for number in numbers(600) if number in shown]


def test_a_number_that_an_app_writes_into_an_order_is_not_shown(start: Start, broker_url: str) -> None:
    flower = start("worker-poll")
    with Celery("a web app", broker=broker_url, set_as_current=False) as app:
        order = {"recipients": "09121234567.csv", "text_file": "text.txt", "key": "of 09121234567"}
        app.send_task("campaigns.create", kwargs=order, queue="maint")

    until(lambda: [task["state"] for task in _tasks(flower, "create")] == ["FAILURE"], "the refusal of the order")
    assert "of 09***4567" in repr(flower.tasks_kept())
    assert "09121234567" not in repr(flower.tasks_kept())


def test_a_tick_that_failed_is_shown_without_what_must_not_be_told(engine: Engine, start: Start) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("""
            CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
                $$BEGIN RAISE EXCEPTION 'no room for 09121234567'; END$$;
            CREATE TRIGGER fail BEFORE UPDATE ON sms.installation FOR EACH ROW EXECUTE FUNCTION fail()
        """)
    flower = start("worker-poll", "beat")

    until(lambda: bool(_tasks(flower, "tick")), "a failed tick")
    tick, *_ = _tasks(flower, "tick")
    until(lambda: flower.tasks_kept()[tick["uuid"]]["state"] == "FAILURE", "how it failed")
    failed = flower.tasks_kept()[tick["uuid"]]
    assert "no room for 09***4567" in failed["exception"]
    assert "Traceback" in failed["traceback"]
    assert "09121234567" not in repr(failed)


def test_flower_keeps_the_newest_tasks_and_no_more_than_it_is_told_to(broker_url: str, start: Start) -> None:
    flower = start(FLOWER_MAX_TASKS="50")
    feed(broker_url, flower, up_to=300)

    kept = flower.tasks_kept()
    assert len(kept) == 50
    assert {task["args"] for task in kept.values()} == {f"({number},)" for number in range(250, 300)}


def test_flower_keeps_ten_thousand_tasks_and_writes_none_to_a_disk_unless_it_is_told_to() -> None:
    [[_, _, command]] = procfile_commands(["flower"]).values()
    assert "--max_tasks=${FLOWER_MAX_TASKS:-10000} --persistent=False" in command
