"""The storm itself: the same seed is the same storm, and whoever interrupts it is left with nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.storm import acts, schedule
from tests.chaos.workshop import PATIENCE_S
from tests.devkit.conftest import PROJECT

DECKS = {
    "cards": {act.__name__: copies for act, copies in acts.CARDS.items()},
    "rare": {act.__name__: copies for act, copies in acts.RARE.items()},
}


def test_a_seed_decides_everything_before_anything_starts() -> None:
    first, again, other = (schedule.plan(seed, lasting_s=600, **DECKS) for seed in (7, 7, 8))

    assert first == again
    assert first != other


def test_a_storm_of_ten_minutes_sees_every_kind_of_harm() -> None:
    for seed in range(20):
        played = {cue.act for cue in schedule.plan(seed, lasting_s=600, **DECKS)}
        assert played == set(acts.ACTS)


@pytest.mark.timeout(2 * PATIENCE_S)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows processes as files")
def test_a_storm_that_is_interrupted_leaves_nothing_running_and_nothing_behind(tmp_path: Path) -> None:
    storm = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.storm", "1", "--messages", "1600", "--seed", "5"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert storm.stdout is not None
    for line in storm.stdout:
        if "killed" in line or "gateway" in line:
            break
    storm.send_signal(signal.SIGINT)

    _, said = storm.communicate(timeout=PATIENCE_S)

    assert storm.returncode == 130
    assert "everything it started is stopped" in said
    assert _processes_about(tmp_path) == []
    assert sorted(path.name for path in (tmp_path / ".campaigns").iterdir()) == ["chaos-5.jsonl"]


def _processes_about(folder: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            started_with = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if str(folder).encode() in started_with:
            found.append(process.name)
    return found
