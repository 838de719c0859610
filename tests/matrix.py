"""Record which rows of the matrix passed, and with which versions: a plugin of pytest that scripts/matrix loads.

docs/matrix.json holds the rows: what is measured, the test files behind it, and the packages whose versions
are shown. A row is recorded where all of its files ran and no test failed or was skipped. docs/pages.py makes a table.
`python -m tests.matrix` prints the files.
"""

from __future__ import annotations

import json
import platform
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pytest

FILE: Final = Path(__file__).resolve().parents[1] / "docs" / "matrix.json"
ENDS: Final = ("lowest", "newest")


def rows(file: Path = FILE) -> list[dict[str, Any]]:
    """The rows of the matrix, with what was measured."""
    found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["rows"]
    return found


def write(file: Path, found: list[dict[str, Any]]) -> None:
    """Write the rows, one field a line, so that a diff shows what changed."""
    file.write_text(json.dumps({"rows": found}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the end of the ranges that is installed, and the file to record it in."""
    parser.addoption("--matrix", choices=ENDS, required=True)
    parser.addoption("--matrix-file", type=Path, required=True)


def pytest_configure(config: pytest.Config) -> None:
    """Record in the process that has all results: with pytest-xdist, not in its workers."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(config.getoption("matrix"), config.getoption("matrix_file")))


class Recorder:
    """Counts the results of each test file, and records the rows at the end."""

    def __init__(self, end: str, file: Path) -> None:
        self._end, self._file = end, file
        self._passed, self._bad = Counter[str](), Counter[str]()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test that passed; and one that failed, or was skipped, so that its row is not whole."""
        file = report.nodeid.partition("::")[0]
        if report.outcome != "passed":
            self._bad[file] += 1
        elif report.when == "call":
            self._passed[file] += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count a file that cannot be read."""
        if report.failed:
            self._bad[report.nodeid.partition("::")[0]] += 1

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Record each row whose files all ran. A run that was interrupted records nothing."""
        if exitstatus not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
            return
        found = rows(self._file)
        for row in found:
            if all(self._passed[file] for file in row["tests"]):
                self._record(row)
        write(self._file, found)

    def _record(self, row: dict[str, Any]) -> None:
        """Record a row, or remove what was recorded: a row that failed is not one that passed once."""
        measured = row.setdefault("measured", {})
        measured.pop(self._end, None)
        if not any(self._bad[file] for file in row["tests"]):
            measured[self._end] = {
                "on": datetime.now(UTC).date().isoformat(),
                "python": platform.python_version(),
                "versions": {name: version(name) for name in row["packages"]},
                "tests": row["tests"],
                "passed": sum(self._passed[file] for file in row["tests"]),
            }


if __name__ == "__main__":
    print(*sorted({file for row in rows() for file in row["tests"]}), sep="\n")  # noqa: T201
