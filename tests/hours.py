"""scripts/hours: all tests with every clock shifted, so that nothing depends on the hour at which they are run.

The shift reaches every process that a run starts, however bare the environment it is given: in a copy of the project
Python hands libfaketime's variables on to whatever it starts (`tests.shifted`). Steady clocks stay as they are.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests import wrong_clock

PROJECT: Final = Path(__file__).resolve().parents[1]

HOURS: Final = (
    "2026-12-21T20:25:00Z",  # five minutes before a day and a month end in Tehran
    "2026-12-05T23:50:00Z",  # before a day ends in UTC, well after it did in Tehran
    "2027-01-31T23:50:00Z",  # before a month ends
    "2026-12-31T23:50:00Z",  # before a year ends
    "2027-03-20T20:20:00Z",  # before the Persian year ends
)
"""A few minutes before each edge: a run goes across it."""


def main() -> None:
    """Run all tests from each hour named on, or from each of HOURS. The exit code is 1 where any failed."""
    parser = argparse.ArgumentParser(prog="scripts/hours", description="Run all tests with every clock shifted.")
    parser.add_argument(
        "hours",
        nargs="*",
        metavar="HOUR",
        type=datetime.fromisoformat,
        default=[datetime.fromisoformat(hour) for hour in HOURS],
        help=f"when the run begins, as in 2026-12-31T23:50:00Z; by default {', '.join(HOURS)}",
    )
    hours = parser.parse_args().hours
    if not wrong_clock.library():
        sys.exit("hours: no process can have a shifted clock here: there is no libfaketime for this machine")
    with TemporaryDirectory(prefix="campaigns-hours-") as folder:
        copy = _copied(Path(folder))
        failed = [f"{hour:%Y-%m-%d %H:%M}" for hour in hours if not _passes(copy, hour)]
    if failed:
        sys.exit(f"hours: the tests failed at {', '.join(failed)}")


def _copied(folder: Path) -> Path:
    folder.chmod(0o755)  # PostgreSQL runs as another user where we are root, and loads the library from there
    subprocess.run([PROJECT / "scripts" / "copy", folder], check=True)
    subprocess.run([folder / "scripts" / "setup", "--dev"], check=True)
    (packages,) = (folder / ".venv" / "lib").glob("python3.*/site-packages")
    shutil.copy(PROJECT / "tests" / "shifted.py", packages / "shifted.py")
    (packages / "shifted.pth").write_text("import shifted\n")
    return folder


def _passes(copy: Path, at: datetime) -> bool:
    sys.stdout.write(f"hours: the tests from {at:%Y-%m-%d %H:%M} UTC on\n")
    sys.stdout.flush()
    ahead_s = (at - datetime.now(UTC)).total_seconds()
    done = subprocess.run(
        [
            copy / ".venv" / "bin" / "python",
            "-c",
            _RUN,
            "-q",
            "-n",
            "3",
            "--dist",
            "loadfile",
            "--no-loadscope-reorder",
        ],
        cwd=copy,
        env={**os.environ, "SHIFTED_BY": str(ahead_s)},
        check=False,
    )
    return done.returncode == 0


_RUN: Final = """
import os, sys
from tests import wrong_clock
shifted = wrong_clock.environment(float(os.environ["SHIFTED_BY"])) | {"NO_FAKE_STAT": "1"}
os.execve(sys.executable, [sys.executable, "-m", "pytest", *sys.argv[1:]], {**os.environ, **shifted})
"""

if __name__ == "__main__":
    main()
