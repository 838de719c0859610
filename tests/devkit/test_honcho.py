"""`honcho start`, as on one's own machine: the real honcho, the real Procfile, and tables that are made meanwhile."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine

import campaigns_devkit
import kavenegar_campaigns as campaigns
from campaigns_devkit import servers
from campaigns_devkit.supervisor import PROCFILE, read_procfile
from kavenegar_worker.process import WAITING_FOR_MIGRATE
from tests.conftest import _create
from tests.waiting import PATIENCE_S, until
from tests.world import SENDER, Sandbox, running

PROJECT = PROCFILE.parent
_numbers = itertools.count()

pytestmark = pytest.mark.timeout(5 * PATIENCE_S)


@pytest.fixture
def bare(servers: campaigns_devkit.Attached) -> Iterator[Engine]:
    """A database without our tables."""
    engine = _create(servers, f"honcho_{next(_numbers)}")
    yield engine
    engine.dispose()


@pytest.fixture
def folder(tmp_path: Path, bare: Engine, broker_url: str, sandbox: Sandbox) -> Path:
    """A folder with the Procfile and an `.env` made of the example."""
    shutil.copy(PROCFILE, tmp_path)
    example = (PROJECT / ".env.example").read_text(encoding="utf-8")
    values = {
        "DATABASE_URL": bare.url.render_as_string(hide_password=False),
        "BROKER_URL": broker_url,
        "KAVENEGAR_API_KEY": sandbox.api_key,
        "KAVENEGAR_BASE_URL": sandbox.url,
        "KAVENEGAR_SENDER": SENDER,
        "FLOWER_BASIC_AUTH": "somebody:a-password",
        "METRICS_BASIC_AUTH": "somebody:a-password",
        "CALLBACK_TOKEN": "a-token-that-is-long-enough-for-anybody-at-all",
        "STATUS_POLLS": "1s,2s,3s,5s,10s,30s",
        "PACE_START": "100",
        "PACE_MAX": "100",
        **{f"{name}_PORT": str(servers.find_free_port()) for name in ("FLOWER", "METRICS", "WEB")},
    }
    kept = [line for line in example.splitlines() if line.partition("=")[0] not in values]
    (tmp_path / ".env").write_text("\n".join([*kept, *(f"{name}={value}" for name, value in values.items())]))
    return tmp_path


def honcho(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "honcho", "--procfile", str(folder / "Procfile"), *arguments]


def environment(folder: Path) -> dict[str, str]:
    """What a terminal has; all settings stand in `.env`."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"
    return {"PATH": programs, "HOME": str(folder), "PYTHONPATH": str(PROJECT)}


@contextmanager
def started(folder: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`honcho start`, ended by Ctrl-C."""
    with (
        log.open("wb") as said,
        subprocess.Popen(
            honcho(folder, "start"), cwd=folder, env=environment(folder), stdout=said, stderr=said
        ) as process,
    ):
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE_S)


def test_honcho_start_runs_all_processes_and_a_campaign_is_sent_once_the_tables_are_made(
    folder: Path, bare: Engine, sandbox: Sandbox
) -> None:
    log = folder / "log"
    with started(folder, log) as process:
        for name in ("worker-send", "worker-poll", "web"):
            waits = re.compile(rf"{name}\.\d+ .*{re.escape(WAITING_FOR_MIGRATE)}")
            until(lambda waits=waits: bool(waits.search(log.read_text())), f"{name} saying what it waits for")
        migrated = subprocess.run(
            honcho(folder, "run", "campaigns", "migrate"),
            cwd=folder,
            env=environment(folder),
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert migrated.returncode == 0, migrated.stderr.decode()
        campaign = running(bare, 300)
        until(lambda: _finished(bare, campaign), "the end of the campaign")
        assert process.poll() is None, log.read_text()
    assert sandbox.summary()["messages"] == 300
    said = log.read_text()
    assert all(re.search(rf"{name}\.\d+ started", said) for name in read_procfile())
    before_ctrl_c = said.partition("SIGINT")[0]
    assert "stopped (rc=" not in before_ctrl_c


def _finished(engine: Engine, campaign: int) -> bool:
    with engine.connect() as connection:
        return campaigns.get(connection, campaign).finished_at is not None
