"""The matrix of docs/in-your-project.md: its rows and the test files behind them agree, and no cell is invented."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import matrix
from tests.frameworks.snippets import ROOT

ROWS = matrix.rows()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["what"])
def test_the_files_behind_a_row_hold_tests(row: dict[str, Any]) -> None:
    for file in row["tests"]:
        assert "\ndef test_" in (ROOT / file).read_text(encoding="utf-8"), file


def test_each_test_of_a_framework_stands_behind_a_row() -> None:
    listed = {file for row in ROWS for file in row["tests"]}
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests" / "frameworks").glob("test_*.py")}

    assert there - listed == set()
    assert len(listed) == sum(len(row["tests"]) for row in ROWS), "a file stands behind one row"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["what"])
def test_a_cell_was_measured_with_the_files_and_the_packages_of_its_row(row: dict[str, Any]) -> None:
    for end, measured in row.get("measured", {}).items():
        assert end in matrix.ENDS
        assert measured["tests"] == row["tests"]
        assert list(measured["versions"]) == row["packages"]
        assert measured["passed"] > 0


def test_a_row_whose_tests_fail_or_are_skipped_is_not_recorded(tmp_path: Path) -> None:
    file, project = tmp_path / "matrix.json", tmp_path / "project"
    project.mkdir()
    names = ("good", "bad", "skipped", "left_out")
    matrix.write(file, [{"what": name, "packages": ["pytest"], "tests": [f"test_{name}.py"]} for name in names])
    for name, line in (("good", "pass"), ("bad", "assert False"), ("skipped", "import pytest; pytest.skip()")):
        (project / f"test_{name}.py").write_text(f"def test_it():\n    {line}\n", encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.matrix", "--matrix", "newest", f"--matrix-file={file}"],
        cwd=project,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert {row["what"]: list(row.get("measured", {})) for row in matrix.rows(file)} == {
        "good": ["newest"],
        "bad": [],
        "skipped": [],
        "left_out": [],
    }
