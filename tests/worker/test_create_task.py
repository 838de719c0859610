"""Campaigns ordered by name over Celery, by an app that knows nothing of us but a name and a folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from sqlalchemy import Engine, text

import campaigns_devkit
import kavenegar_campaigns as campaigns
from tests.conftest import _create
from tests.waiting import PATIENCE_S
from tests.worker.celery_worker import celery_worker
from tests.world import SENDER, numbers, running

# Reads orders, one JSON object each, and tells what each comes to; an order without a folder finds none configured.
ORDER = """
import json, os, sys
from kavenegar_campaigns.errors import CampaignsError
from kavenegar_worker import create_task, wiring
results = []
for order in json.load(sys.stdin):
    if order.pop("folder", True) is None:
        del os.environ["INTAKE_FOLDER"]
        wiring.settings.cache_clear()
    given = {"recipients": "people.csv", "text_file": "text.txt", "key": None, "sender": None, "name": None,
             "number_column": None, "start": False} | order
    try:
        results.append(create_task.create_campaign(**given))
    except (CampaignsError, ValueError, OSError) as why:
        results.append(f"{type(why).__name__}: {why}")
json.dump(results, sys.stdout)
"""
OUTSIDE = [
    "../secret.csv",
    "deeper/../../secret.csv",
    "../intake-of-others/secret.csv",
    "link.csv",
    "/etc/passwd",
    "",
    ".",
    "none.csv",
    "a\0b",
    "x" * 300,
]
IN_ORDER: list[dict[str, Any]] = [
    {"key": "spring"},
    {"key": "spring"},
    {"key": "spring", "recipients": "others.csv"},
    {"key": "deep", "recipients": "deeper/people.csv", "start": True},
    {"key": "latin", "text_file": "latin.txt"},
    {"key": "sender", "sender": "not a line"},
    {"key": "text", "text_file": "../secret.csv"},
    {"key": "long", "text_file": "long.txt"},
    {"key": "when", "start_at": "1405-13-01T10:00"},
    {"key": "when", "start_at": "2020-12-01T10:00", "start": True},
    {"key": "later", "start_at": "۱۴۱۹/۰۹/۱۰ 10:00", "start": True},
    {"key": "header", "header_row": 2},
    {"key": "folder", "folder": None},
]


def _intake(beside: Path) -> Path:
    """The folder that orders are read from, and files beside it that nobody may order."""
    inside = beside / "intake"
    (inside / "deeper").mkdir(parents=True)
    (inside / "people.csv").write_text("\n".join(numbers(5)))
    (inside / "others.csv").write_text("\n".join(numbers(6)))
    (inside / "text.txt").write_text("\ufeffسلام\n", encoding="utf-8")
    (inside / "latin.txt").write_bytes(b"caf\xe9")
    (inside / "long.txt").write_text("a" * 70_000)
    (inside / "deeper" / "people.csv").write_text(numbers(9)[8])
    (beside / "secret.csv").write_text("\n".join(numbers(7)))
    (beside / "intake-of-others").mkdir()
    (beside / "intake-of-others" / "secret.csv").write_text("\n".join(numbers(7)))
    (inside / "link.csv").symlink_to(beside / "secret.csv")
    return inside


def _environment(database: Engine, broker_url: str, folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "DATABASE_URL": database.url.render_as_string(hide_password=False),
        "BROKER_URL": broker_url,
        "KAVENEGAR_API_KEY": "sandbox",
        "KAVENEGAR_BASE_URL": "http://127.0.0.1:1",
        "KAVENEGAR_SENDER": SENDER,
        "INTAKE_FOLDER": str(folder),
    }


def _campaigns_in(engine: Engine) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT client_key, state, template, messages FROM sms.campaigns ORDER BY id"))
        return [tuple(row) for row in rows]


@dataclass(frozen=True)
class Results:
    """What each order came to, a campaign's id or the refusal, and the campaigns there are afterwards."""

    outside: list[Any]
    answers: list[Any]
    campaigns: list[tuple[object, ...]]


@pytest.fixture(scope="module")
def results(servers: campaigns_devkit.Attached, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """One process is given all orders, one after the other."""
    folder, engine = _intake(tmp_path_factory.mktemp("orders")), _create(servers, "orders", _template)
    absolute = str(folder.parent / "secret.csv")
    outside = [{"recipients": name, "key": f"outside {place}"} for place, name in enumerate([*OUTSIDE, absolute])]
    done = subprocess.run(
        [sys.executable, "-c", ORDER],
        input=json.dumps([*outside, *IN_ORDER]),
        env=_environment(engine, str(servers.broker_url), folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    found = Results(answers[: len(outside)], answers[len(outside) :], _campaigns_in(engine))
    engine.dispose()
    return found


def test_only_files_of_the_folder_are_read_whatever_is_ordered(results: Results) -> None:
    assert not any(isinstance(answer, int) for answer in results.outside)
    assert results.answers[6].startswith("BadInput")
    assert [key for key, *_ in results.campaigns] == ["spring", "deep", "later", "header"]


def test_a_name_that_no_file_can_have_is_refused_with_a_sentence(results: Results) -> None:
    assert [answer.partition(":")[0] for answer in results.outside] == ["BadInput"] * len(results.outside)


def test_an_order_is_carried_out_as_a_whole_or_refused_with_a_sentence(results: Results) -> None:
    assert results.answers[0] == results.answers[1]
    assert results.answers[2].startswith("KeyConflict")
    assert isinstance(results.answers[3], int)
    assert results.answers[4] == "BadInput: latin.txt: the text must be UTF-8: save it as UTF-8"
    assert results.answers[5].startswith("BadInput")
    assert results.campaigns == [
        ("spring", "draft", "سلام", 5),
        ("deep", "running", "سلام", 1),
        ("later", "scheduled", "سلام", 5),
        ("header", "draft", "سلام", 3),
    ]


def test_a_text_file_that_is_far_too_long_is_not_read(results: Results) -> None:
    assert results.answers[7] == "BadInput: long.txt: it is far longer than a text may be: is it the file you meant?"


def test_a_time_to_begin_is_read_in_both_calendars_and_refused_where_it_has_passed(results: Results) -> None:
    assert results.answers[8] == "BadInput: 1405-13-01 is no day of the Persian calendar"
    assert "2020-12-01 10:00 (Tehran) has passed" in results.answers[9]


def test_without_a_folder_nothing_can_be_ordered(results: Results) -> None:
    assert results.answers[12].startswith("BadInput: INTAKE_FOLDER is not set")


@pytest.fixture
def worker(engine: Engine, broker_url: str, tmp_path: Path) -> Iterator[Path]:
    """A worker that takes orders; the path of its log."""
    log, environment = tmp_path / "worker.log", _environment(engine, broker_url, _intake(tmp_path))
    with celery_worker(environment, log, queues="maint", threads=2, loglevel="INFO"):
        yield log


def test_an_app_that_only_speaks_celery_orders_twice_and_gets_one_campaign(
    engine: Engine, broker_url: str, worker: Path
) -> None:
    order = {"recipients": "people.csv", "text_file": "text.txt", "key": "spring"}
    with Celery("somebody else's app", broker=broker_url, set_as_current=False) as app:
        for changed in ({}, {}, {"text_file": "../../secret.csv", "key": "theirs"}, {"recipients": "others.csv"}):
            app.send_task("campaigns.create", kwargs=order | changed, queue="maint")
    _until(lambda: worker.read_text().count("BadInput") + worker.read_text().count("KeyConflict") >= 2)
    assert _campaigns_in(engine) == [("spring", "running", "سلام", 5)]


def test_an_app_that_only_speaks_celery_lets_a_paused_campaign_go_on_from_another_line(
    engine: Engine, broker_url: str, worker: Path
) -> None:
    campaign = running(engine, 3)
    with engine.begin() as connection:
        campaigns.pause(connection, campaign)
    with Celery("somebody else's app", broker=broker_url, set_as_current=False) as app:
        for line in ("30002626", "30002626", "sales"):
            app.send_task("campaigns.resume", args=[campaign], kwargs={"sender": line}, queue="maint")
        _until(lambda: "is no line of yours" in worker.read_text(), within_s=PATIENCE_S)
    with engine.connect() as connection:
        found = campaigns.get(connection, campaign)
    assert (found.state, found.sender) == (campaigns.CampaignState.RUNNING, "30002626")
    assert worker.read_text().count("sender changed") == 1


def _until(condition: Callable[[], bool], within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
