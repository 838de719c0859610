"""Inbound messages on three lines, one answer in ten lost and workers killed: every one stored exactly once.

The same at full size: `python -m tests.chaos.inbox --messages 20000`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.chaos.inbox import loss
from tests.devkit.conftest import PROJECT
from tests.world import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A gateway with three lines."""
    with Sandbox.start(**loss.KNOBS) as gateway:
        yield gateway


@pytest.mark.timeout(2 * loss.WITHIN_S)
def test_every_inbound_message_is_stored_once_although_answers_are_lost_and_workers_die(
    engine: Engine, database_url: str, broker_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT),
        "HOME": str(tmp_path),
        "CAMPAIGNS_HOME": str(tmp_path),
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "KAVENEGAR_API_KEY": sandbox.api_key,
        "KAVENEGAR_BASE_URL": sandbox.url,
    }

    found = loss.run(engine, sandbox, environment, tmp_path, messages=3_000, kills=4, seed=11)

    assert (found.missing, found.wrong) == (0, 0)
    assert found.exact
    assert found.messages == 3_000
    assert found.answers_lost > 0
    assert found.kills == 4
