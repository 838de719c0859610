"""The demo, whole: it comes true, it leaves nothing behind however it ends, and it is never in its own way."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from campaigns_devkit.demo.environment import FLOWER_USER
from campaigns_devkit.demo.runner import read_endpoints
from tests.worker.conftest import Command

pytestmark = pytest.mark.timeout(240)

GONE_WITHIN_S = 40


@pytest.fixture
def home(alone: Command, tmp_path: Path) -> Iterator[Path]:
    """The demo's folder; whatever still runs in it at the end of the test is stopped."""
    folder = tmp_path / "home" / "demo"
    yield folder
    alone("demo", "--stop")


def test_a_demo_comes_true_and_stays_when_it_is_told_to(alone: Command, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("name,mobile\nعلی,09701234567\nمریم,+989701234568\n", encoding="utf-8")

    first = alone("demo", "--recipients", 300, "--keep", "--out", tmp_path / "report.csv")
    assert first.exit == 0, first
    assert "DATABASE_URL, CAMPAIGNS_BROKER_URL, KAVENEGAR_API_KEY: set, and left alone" in first.out
    assert "sent twice: 0; to a wrong number: 0; accepted and never sent: 0" in first.out
    assert "everything is true" in first.out
    assert len((tmp_path / "report.csv").read_text(encoding="utf-8").splitlines()) == 301
    assert _processes(home)

    doctor = alone("doctor", "--json", CAMPAIGNS_HOME=str(home), DATABASE_URL=None, BROKER_URL=None,
                   KAVENEGAR_API_KEY=None)  # fmt: skip
    assert doctor.exit == 0, doctor
    assert {each["name"]: each["level"] for each in doctor.answer["findings"]}["workers"] == "ok"

    place = read_endpoints(home)
    assert place is not None
    text = requests.get(place.metrics_url, auth=(FLOWER_USER, place.flower_password), timeout=30).text
    assert 'kavenegar_up{part="redis"} 1.0' in text
    assert 'kavenegar_up{part="postgresql"} 1.0' in text
    assert re.search(r'kavenegar_pace_calls_last_minute\{lane="send"\} [1-9]', text)

    again = alone("demo", file, "--text", "سلام {name}")
    assert again.exit == 0, again
    assert "is running already: using it" in again.out
    assert "2 messages sent; sent twice: 0" in again.out

    held = alone("demo", file, "--text", "سلام {name}", "--sender", "999")
    assert held.exit == 1
    assert "412" in held.out

    assert "the demo is stopped" in alone("demo", "--stop").out
    assert _processes(home) == []


def test_an_interrupted_demo_leaves_nothing_and_the_next_goes_on_where_it_stopped(alone: Command, home: Path) -> None:
    interrupted = _until_it_sends(alone)
    interrupted.send_signal(signal.SIGINT)
    _, said = interrupted.communicate(timeout=GONE_WITHIN_S)
    assert interrupted.returncode == 130
    assert said.endswith(b"campaigns: interrupted\n")
    assert b"Traceback" not in said
    assert _processes(home) == []

    killed = _until_it_sends(alone)
    killed.kill()
    killed.communicate(timeout=GONE_WITHIN_S)
    _wait_until_gone(home)

    last = alone("demo", "--recipients", 2000)
    assert last.exit == 0, last
    assert "campaign 1 was interrupted: it goes on where it stopped" in last.out
    assert "sent twice: 0; to a wrong number: 0; accepted and never sent: 0" in last.out
    assert _processes(home) == []


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 99, b"mobile\n123\n"])
def test_a_file_that_cannot_be_used_is_told_before_anything_is_started(
    content: bytes, alone: Command, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.csv").write_bytes(content)

    said = alone("demo", tmp_path / "bad.csv")

    assert said.exit == 2
    assert said.sentence
    assert not home.exists()


def _until_it_sends(alone: Command) -> subprocess.Popen[bytes]:
    """A demo in the middle of its campaign."""
    demo = alone.start("demo", "--recipients", 2000)
    assert demo.stdout is not None
    while line := demo.stdout.readline():
        if b"verdicts 0 (0.0%)" in line and b"sending 0 of" not in line:
            return demo
    raise AssertionError(demo.communicate())


def _processes(home: Path) -> list[str]:
    """What runs in or for the demo's folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:  # it has just ended
            continue
        if str(home).encode() in text:
            found.append(text.partition(b"\0\0")[0].decode(errors="replace")[:200])
    return found


def _wait_until_gone(home: Path) -> None:
    """What a kill -9 has left behind ends by itself."""
    deadline = time.monotonic() + GONE_WITHIN_S
    while left := _processes(home):
        assert time.monotonic() < deadline, left
        time.sleep(0.2)
