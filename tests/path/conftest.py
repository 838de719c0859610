"""Real Celery workers, started as the Procfile starts them and raised again when they die."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from campaigns_devkit import Supervisor
from campaigns_devkit.supervisor import procfile_commands
from tests.world import SENDER, Sandbox

SHORT_TIMES = {
    "STATUS_POLLS": "2s,3s,4s,5s,6s,8s,10s,15s,20s,30s,60s",
    "UNKNOWN_GRACE": "3s",
    "HTTP_DEADLINE": "3s",
    "LEASE": "6s",
    "REENQUEUE_AFTER": "3s",
    "PACE_START": "200",
    "PACE_MAX": "200",
}


@pytest.fixture
def environment(database_url: str, broker_url: str, sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    """The settings of every process, with times short enough for a test."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "CAMPAIGNS_HOME": str(tmp_path),
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "KAVENEGAR_API_KEY": sandbox.api_key,
        "KAVENEGAR_BASE_URL": sandbox.url,
        "KAVENEGAR_SENDER": SENDER,
        **SHORT_TIMES,
    }


@pytest.fixture
def workers(environment: dict[str, str], tmp_path: Path) -> Iterator[Supervisor]:
    """Both workers and the beat, as in production."""
    names = ("worker-send", "worker-poll", "beat")
    supervisor = Supervisor(procfile_commands(names), environment, tmp_path / "logs")
    supervisor.start()
    yield supervisor
    supervisor.stop(grace_s=10)
