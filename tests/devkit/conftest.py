"""A home for the servers of one test, and other processes that use it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from campaigns_devkit import attach
from campaigns_devkit.home import Attached, Reaper
from campaigns_devkit.postgres import Postgres
from campaigns_devkit.sandbox_gateway import SandboxGateway
from campaigns_devkit.valkey import Valkey
from tests.waiting import PATIENCE_S

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def used_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that somebody used before: its data is made, and nothing runs."""
    folder = tmp_path_factory.mktemp("used") / "home"
    with attach(folder):
        pass
    return folder


@pytest.fixture
def home(used_home: Path, tmp_path: Path) -> Iterator[Path]:
    """A used home of the test's own; whatever it leaves running there is stopped."""
    folder = shutil.copytree(used_home, tmp_path / "home")
    yield folder
    stop_all(folder)


@pytest.fixture
def new_home(tmp_path: Path) -> Iterator[Path]:
    """A home in which nothing was ever started."""
    folder = tmp_path / "home"
    yield folder
    stop_all(folder)


def stop_all(home: Path) -> None:
    """Whatever runs in a home, whoever uses it."""
    for daemon in (Reaper(home), SandboxGateway(home), Valkey(home), Postgres(home)):
        daemon.stop()


class User:
    """Another process that is attached to a home until it leaves or is killed."""

    def __init__(self, home: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("user.py")), str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
        )

    def urls(self) -> dict[str, Any]:
        """Where it found the servers, once it is attached."""
        assert self._process.stdout is not None
        return dict(json.loads(self._process.stdout.readline()))

    def leave(self) -> None:
        self._process.communicate(timeout=PATIENCE_S)
        assert self._process.returncode == 0

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=PATIENCE_S)


@pytest.fixture
def users() -> Iterator[Callable[[Path], User]]:
    """Starts other users of a home; those that still live at the end are killed."""
    started: list[User] = []

    def start(home: Path) -> User:
        started.append(User(home))
        return started[-1]

    yield start
    for user in started:
        user.kill()


@contextmanager
def session(attached: Attached) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the database of a home, committing each statement."""
    url = str(attached.database_url).replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection
