"""`scripts/coverage` measures every package of ours, in every process, and only while it runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "coverage"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An installation in small: the hook, its configuration, and a module to measure."""
    shutil.copy(ROOT / "tests" / "measured.py", tmp_path)
    (tmp_path / "subject.py").write_text("import os\nos._exit(3)\n", encoding="utf-8")
    (tmp_path / "coverage.toml").write_text(
        '[tool.coverage.run]\nsource_pkgs = ["subject"]\nparallel = true\npatch = ["_exit"]\n', encoding="utf-8"
    )
    return tmp_path


def run(folder: Path, process: int) -> list[str]:
    """Run the subject with a bare environment while `process` is said to be measuring; the names of the data files."""
    named = f"{process}\n{folder / 'coverage.toml'}\n{folder / 'data'}\n"
    (folder / "measured.run").write_text(named, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", "import measured, subject"],
        env={"PYTHONPATH": str(folder)},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert done.stderr == ""
    return sorted(path.name for path in folder.glob("data.*"))


def settings() -> dict[str, Any]:
    read: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    return read


def test_a_process_with_a_bare_environment_is_measured_to_its_end(folder: Path) -> None:
    assert len(run(folder, os.getpid())) == 1


def test_what_a_killed_run_left_behind_measures_nothing(folder: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()

    assert run(folder, gone.pid) == []


def test_every_package_that_is_shipped_is_measured() -> None:
    shipped = {
        path.parent.name
        for project in (ROOT / "src", ROOT / "sandbox", ROOT / "devkit")
        for path in project.glob("*/__init__.py")
    }

    assert set(settings()["coverage"]["run"]["source_pkgs"]) == shipped


def test_there_is_a_floor_and_the_script_fails_below_it() -> None:
    assert settings()["coverage"]["report"]["fail_under"] >= 94
    assert "coverage report" in SCRIPT.read_text(encoding="utf-8")
    assert os.access(SCRIPT, os.X_OK)
