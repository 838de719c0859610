"""The `campaigns` command as a shell sees it: a process with an environment, two outputs and an exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.world import SENDER, Sandbox

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Said:
    """What one run of the command came to."""

    exit: int
    out: str
    err: str

    @property
    def answer(self) -> Any:
        """Its JSON."""
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """Its complaint; there is one, and no traceback."""
        assert "Traceback" not in self.err + self.out
        assert self.err.startswith("campaigns: "), self
        return self.err.removeprefix("campaigns: ")


class Warm:
    """A process that has everything imported and forks for each run: see `warm`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.worker.warm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
        )

    def run(self, arguments: list[str], environment: dict[str, str], streams: list[Path]) -> int:
        """Its exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"arguments": arguments, "environment": environment, "streams": [str(stream) for stream in streams]}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=60)


class Command:
    """Runs `campaigns` with the environment of one world; `environment` changes or, with None, removes a variable."""

    def __init__(self, environment: dict[str, str], warm: Warm, folder: Path) -> None:
        self._environment = environment
        self._warm = warm
        self._streams = [folder / name for name in ("stdin", "stdout", "stderr")]

    def __call__(self, *arguments: str | Path | int, stdin: str = "", **environment: str | None) -> Said:
        given, out, err = self._streams
        for stream, content in zip(self._streams, (stdin, "", ""), strict=True):
            stream.write_text(content, encoding="utf-8")
        code = self._warm.run([*map(str, arguments)], self._changed(environment), [given, out, err])
        return Said(code, out.read_text(encoding="utf-8-sig"), err.read_text(encoding="utf-8"))

    def _changed(self, environment: dict[str, str | None]) -> dict[str, str]:
        return {name: value for name, value in {**self._environment, **environment}.items() if value is not None}

    def start(
        self, *arguments: str | Path | int, stdout: int = subprocess.PIPE, **environment: str | None
    ) -> subprocess.Popen[bytes]:
        """The command in a process of its own from the first instruction on, still running; it hears Ctrl-C."""
        return subprocess.Popen(
            [sys.executable, "-m", "kavenegar_worker.cli", *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=subprocess.PIPE,
            cwd=PROJECT,
            env=self._changed(environment),
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
        )


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """Imported once for all tests."""
    process = Warm()
    yield process
    process.close()


@pytest.fixture
def command(database_url: str, broker_url: str, sandbox: Sandbox, warm: Warm, tmp_path: Path) -> Command:
    """The command in a world where everything is there."""
    return Command(
        {
            "PATH": os.environ["PATH"],
            "CAMPAIGNS_HOME": str(tmp_path / "home"),
            "DATABASE_URL": database_url,
            "BROKER_URL": broker_url,
            "KAVENEGAR_API_KEY": sandbox.api_key,
            "KAVENEGAR_BASE_URL": sandbox.url,
            "KAVENEGAR_SENDER": SENDER,
            "PACE_START": "200",
            "PACE_MAX": "200",
        },
        warm,
        tmp_path,
    )


@pytest.fixture
def alone(warm: Warm, tmp_path: Path) -> Command:
    """The command where there is nothing: every address in it leads to a closed port."""
    return Command(
        {
            "PATH": os.environ["PATH"],
            "CAMPAIGNS_HOME": str(tmp_path / "home"),
            "DATABASE_URL": "postgresql://somebody:hunter2@127.0.0.1:1/nowhere",
            "BROKER_URL": "redis://:hunter2@127.0.0.1:1/0",
            "KAVENEGAR_API_KEY": "sandbox",
            "KAVENEGAR_BASE_URL": "http://127.0.0.1:1",
            "KAVENEGAR_SENDER": SENDER,
        },
        warm,
        tmp_path,
    )


@pytest.fixture
def recipients(tmp_path: Path) -> Path:
    """Six rows: three good ones in three spellings, one wrong, one without a name, one double."""
    file = tmp_path / "customers.csv"
    file.write_text(
        "name,mobile\nعلی,09701234567\nمریم,+989701234568\nزهرا,۰۹۷۰۱۲۳۴۵۶۹\n"
        "کوتاه,0970123\n,09701234570\nدوباره,9701234567\n",
        encoding="utf-8",
    )
    return file
