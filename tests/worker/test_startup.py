"""What a process makes sure of before it begins: usable settings, a key, tables of its version. Real processes."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

import campaigns_devkit
from campaigns_devkit import supervisor
from kavenegar_campaigns.store.migrate import is_ahead, is_behind, revisions, upgrade
from kavenegar_worker.process import EXIT_BAD_SETTINGS, WAITING_FOR_MIGRATE
from tests.conftest import _create
from tests.waiting import PATIENCE_S, until
from tests.worker.conftest import Command
from tests.world import Sandbox

PROJECT = Path(__file__).resolve().parents[2]
PROGRAMS = f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"
_numbers = itertools.count()

pytestmark = pytest.mark.timeout(4 * PATIENCE_S)


@pytest.fixture
def old(servers: campaigns_devkit.Attached) -> Iterator[Engine]:
    """A database as the version before left it."""
    engine = _create(servers, f"behind_{next(_numbers)}")
    upgrade(engine, revision=revisions()[-2].revision)
    yield engine
    engine.dispose()


@pytest.fixture
def environment(broker_url: str, sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": PROGRAMS,
        "HOME": str(tmp_path),
        "CAMPAIGNS_HOME": str(tmp_path),
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere",
        "BROKER_URL": broker_url,
        "KAVENEGAR_API_KEY": sandbox.api_key,
        "KAVENEGAR_BASE_URL": sandbox.url,
    }


def ended(name: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A process of the Procfile that ends by itself."""
    return subprocess.run(
        ["/bin/sh", "-c", supervisor.read_procfile()[name]],
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@contextmanager
def runs(name: str, environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the Procfile; what it says is in `log`."""
    with (
        log.open("wb") as said,
        subprocess.Popen(
            ["/bin/sh", "-c", supervisor.read_procfile()[name]], env=environment, cwd=PROJECT, stdout=said, stderr=said
        ) as process,
    ):
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)


@pytest.mark.parametrize("name", ["worker-send", "worker-poll"])
def test_a_worker_without_a_key_ends_with_one_sentence(name: str, environment: dict[str, str]) -> None:
    del environment["KAVENEGAR_API_KEY"]
    asked = ended(name, environment)
    assert asked.returncode == EXIT_BAD_SETTINGS
    own = asked.stderr.splitlines()[-1]  # above it stand Celery's warnings, where the tests run as root
    assert own == "cannot start: KAVENEGAR_API_KEY is not set: nothing can be asked of the gateway without it"
    assert "Traceback" not in asked.stderr
    assert "ready" not in asked.stdout


def test_a_worker_whose_pace_has_a_name_needs_a_key_all_the_same(environment: dict[str, str]) -> None:
    del environment["KAVENEGAR_API_KEY"]
    asked = ended("worker-send", {**environment, "PACE_NAME": "shop"})
    assert asked.returncode == EXIT_BAD_SETTINGS
    assert "cannot start: KAVENEGAR_API_KEY is not set" in asked.stderr


@pytest.mark.parametrize("name", ["worker-send", "worker-poll", "beat"])
def test_a_process_whose_settings_cannot_be_read_ends_with_one_sentence(name: str, environment: dict[str, str]) -> None:
    asked = ended(name, {**environment, "HTTP_DEADLINE": "soon"})
    assert asked.returncode == EXIT_BAD_SETTINGS
    assert "cannot start: HTTP_DEADLINE: 'soon' is not" in asked.stderr
    assert len(asked.stderr.splitlines()) == 1


def test_a_key_file_that_is_not_there_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    asked = ended("worker-send", {**environment, "KAVENEGAR_API_KEY_FILE": str(tmp_path / "key")})
    assert asked.returncode == EXIT_BAD_SETTINGS
    assert f"cannot start: KAVENEGAR_API_KEY_FILE: {tmp_path / 'key'} cannot be read" in asked.stderr


def test_a_beat_without_a_broker_ends_with_one_sentence(environment: dict[str, str]) -> None:
    del environment["BROKER_URL"]
    asked = ended("beat", environment)
    assert asked.returncode == EXIT_BAD_SETTINGS
    assert asked.stderr == "cannot start: CAMPAIGNS_BROKER_URL is not set: Celery's queues are there\n"


@pytest.mark.parametrize("name", ["worker-send", "worker-poll"])
def test_a_worker_waits_for_the_migration_and_then_begins(
    name: str, old: Engine, environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    url = old.url.render_as_string(hide_password=False)
    with runs(name, {**environment, "DATABASE_URL": url}, log) as worker:
        until(lambda: WAITING_FOR_MIGRATE in log.read_text(), "the worker saying what it waits for")
        assert "ready." not in log.read_text()
        upgrade(old)
        until(lambda: "ready." in log.read_text(), "the worker's begin")
        assert worker.poll() is None
    assert log.read_text().count(WAITING_FOR_MIGRATE) == 1
    assert "alembic" not in log.read_text()


def test_a_worker_waits_for_a_database_that_has_no_tables_at_all(
    servers: campaigns_devkit.Attached, environment: dict[str, str], tmp_path: Path
) -> None:
    empty, log = _create(servers, f"bare_start_{next(_numbers)}"), tmp_path / "log"
    url = empty.url.render_as_string(hide_password=False)
    with runs("worker-send", {**environment, "DATABASE_URL": url}, log):
        until(lambda: WAITING_FOR_MIGRATE in log.read_text(), "the worker saying what it waits for")
        upgrade(empty)
        until(lambda: "ready." in log.read_text(), "the worker's begin")
    empty.dispose()


def test_a_worker_that_waits_ends_at_once_when_it_is_told_to(
    old: Engine, environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    url = old.url.render_as_string(hide_password=False)
    with runs("worker-send", {**environment, "DATABASE_URL": url}, log) as worker:
        until(lambda: WAITING_FOR_MIGRATE in log.read_text(), "the worker saying what it waits for")
    assert worker.returncode is not None


def test_a_database_of_a_newer_version_is_not_waited_for(engine: Engine) -> None:
    with engine.begin() as connection:
        assert not is_behind(connection)
        assert not is_ahead(connection)
        connection.execute(text("UPDATE sms.alembic_version SET version_num = '9999'"))
        assert not is_behind(connection)
        assert is_ahead(connection)


def test_a_database_whose_upgrade_has_not_run_to_its_end_is_behind(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM sms.identity"))
        assert is_behind(connection)


def test_doctor_says_which_of_the_two_is_older(engine: Engine, command: Command) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE sms.alembic_version SET version_num = '9999'"))
    newer = command("doctor").out
    assert "warn schema: a newer version has upgraded the tables" in newer
    assert "broker: it answers" in newer
    with engine.begin() as connection:
        connection.execute(text("UPDATE sms.alembic_version SET version_num = :old"), {"old": revisions()[-2].revision})
    older = command("doctor")
    assert older.exit == 1
    assert "bad  schema: the tables are older than this version: its workers wait" in older.out
