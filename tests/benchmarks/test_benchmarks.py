"""Every case of scripts/bench runs to its end: each of them here once, as small as it goes. Speed is not looked at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from benchmarks.__main__ import main
from benchmarks.recipients import people

PROJECT: Final = Path(__file__).resolve().parents[2]
PATIENCE_S: Final = 600

CASES: Final = {
    "path": ("--messages", "400", "--latency", "0"),
    "memory": ("--small", "200", "--large", "400", "--rows", "10000"),
    "intake": ("--rows", "1000"),
    "tick": ("--stored", "200", "--stored", "1000"),
    "merge": ("--messages", "1000", "--stored", "0"),
    "imports": ("--times", "1"),
    "otp": ("--codes", "20"),
    "flower": ("--tasks", "1000", "--max-tasks", "100"),
    "pace": (
        *("--cases", "found", "--limits", "10", "--kinds", "token_bucket", "--penalties", "0", "--seconds", "30"),
        *("--plot", "pace.svg"),
    ),
}
"""The smallest of each."""


def test_every_case_is_tried_here() -> None:
    assert set(main.commands) == set(CASES)


@pytest.mark.parametrize("case", CASES)
def test_a_case_comes_to_its_right_end(case: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", case, *CASES[case], "--json"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(PROJECT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert _tables(json.loads(done.stdout.splitlines()[-1])["cases"])


def _tables(cases: dict[str, list[dict[str, Any]]] | list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was measured; `pace` lists its runs, and the others tables by their case."""
    return (
        cases
        if isinstance(cases, list)
        else [row for tables in cases.values() for each in tables for row in each["rows"]]
    )


def test_nobody_of_a_measured_campaign_was_written_to_before_the_clock_started() -> None:
    """Whoever opts out in the warm-up is suppressed afterwards, and the measured campaign would miss them."""
    measured = {number for number, *_ in people(20_000)}
    assert measured.isdisjoint(number for number, *_ in people(5_000, after=20_000))
