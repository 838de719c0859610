"""Real processes with short times, an audited database, and a gateway that sends repeated localids again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.chaos import audit
from tests.chaos.workshop import SHORT_TIMES, Workshop
from tests.devkit.conftest import PROJECT
from tests.world import SENDER, Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A gateway that sends again when a localid is repeated."""
    with Sandbox.start(dedupe=False, order="shuffled") as gateway:
        yield gateway


@pytest.fixture
def audited(engine: Engine) -> Engine:
    """The test's database, with the audit of backward moves installed."""
    audit.install(engine)
    return engine


@pytest.fixture
def workshop(
    audited: Engine, database_url: str, broker_url: str, sandbox: Sandbox, tmp_path: Path
) -> Iterator[Workshop]:
    """A workshop without running processes."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT),
        "HOME": str(tmp_path),
        "CAMPAIGNS_HOME": str(tmp_path),
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "KAVENEGAR_API_KEY": sandbox.api_key,
        "KAVENEGAR_BASE_URL": sandbox.url,
        "KAVENEGAR_SENDER": SENDER,
        **SHORT_TIMES,
    }
    found = Workshop(audited, sandbox, environment, tmp_path)
    yield found
    if found.processes is not None:
        found.processes.stop(grace_s=1)
