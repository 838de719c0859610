"""Two installations, each with a database of its own, on one database of the broker."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, make_url

import campaigns_devkit
from campaigns_devkit import Supervisor
from campaigns_devkit.supervisor import procfile_commands
from tests.conftest import _create
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.timeout(5 * PATIENCE_S)

PROJECT = Path(__file__).resolve().parents[2]
WORKERS = ("worker-send", "worker-poll")


@pytest.fixture
def other_url(servers: campaigns_devkit.Attached, _template: str, engine: Engine) -> str:
    """Another installation's database."""
    other = _create(servers, f"another_of_{engine.url.database}", _template)
    url = other.url.render_as_string(hide_password=False)
    other.dispose()
    return url


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Whatever is to stop at the end."""
    with ExitStack() as found:
        yield found


def start(stack: ExitStack, environment: dict[str, str], folder: Path) -> None:
    """The workers of one installation; their names tell which."""
    renamed = {name: [*shell, line.replace("@%h", f"@{folder.name}")] for name, (*shell, line) in
               procfile_commands(WORKERS).items()}  # fmt: skip
    supervisor = Supervisor(renamed, environment, folder / "logs")
    supervisor.start()
    stack.callback(supervisor.stop, grace_s=10)


def findings(environment: dict[str, str]) -> dict[str, dict[str, Any]]:
    """What the doctor of an installation finds."""
    command = [sys.executable, "-m", "kavenegar_worker.cli", "doctor", "--json"]
    done = subprocess.run(command, env=environment, cwd=PROJECT, capture_output=True, text=True, check=False)
    return {each["name"]: each for each in json.loads(done.stdout)["findings"]}


def test_the_doctor_sees_the_workers_of_another_installation_and_counts_none_of_them(
    environment: dict[str, str], other_url: str, stack: ExitStack, tmp_path: Path
) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "ours").mkdir()
    start(stack, {**environment, "DATABASE_URL": other_url}, tmp_path / "theirs")
    until(lambda: len(findings(environment).get("installations", {}).get("says", "").split("@")) == 3, "both workers")

    found = findings(environment)
    assert found["installations"]["level"] == "bad"
    database = make_url(other_url).database
    assert found["installations"]["says"].startswith(
        f"poll@theirs, send@theirs work for another database, {database} ("
    )
    assert "another number at the end of its CAMPAIGNS_BROKER_URL" in found["installations"]["do"]
    assert found["workers"]["level"] == "bad"
    assert found["workers"]["says"].startswith("none of this database answered")

    start(stack, environment, tmp_path / "ours")
    until(lambda: findings(environment)["workers"]["says"] == "2 answer: poll@ours, send@ours", "our own workers")
    assert "queues" not in findings(environment)
    assert findings(environment)["installations"]["level"] == "bad"
    seen = findings({**environment, "DATABASE_URL": other_url})["installations"]["says"]
    assert seen.startswith("poll@ours, send@ours work for another database")


def test_a_database_of_the_broker_for_each_keeps_two_installations_apart(
    environment: dict[str, str], other_url: str, stack: ExitStack, tmp_path: Path
) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "ours").mkdir()
    theirs = {
        **environment,
        "DATABASE_URL": other_url,
        "BROKER_URL": environment["BROKER_URL"].removesuffix("/0") + "/1",
    }
    start(stack, theirs, tmp_path / "theirs")
    start(stack, environment, tmp_path / "ours")

    for each, name in ((environment, "ours"), (theirs, "theirs")):
        until(lambda e=each, n=name: findings(e)["workers"]["says"] == f"2 answer: poll@{n}, send@{n}", f"{name}")
        assert "installations" not in findings(each)
