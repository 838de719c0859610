"""docs/crash-points.md names every failpoint there is, and only tests that exist."""

from __future__ import annotations

import ast
import re

from tests.chaos import failpoints
from tests.devkit.conftest import PROJECT

PAGE = (PROJECT / "docs" / "crash-points.md").read_text(encoding="utf-8")


def _rows() -> list[str]:
    return [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| the process dies |")]


def test_every_failpoint_has_one_row_and_no_row_names_another() -> None:
    named = [name for row in _rows() for name in re.findall(r'^\| "([^"]+)"', row)]

    assert named == list(failpoints.POINTS)


def test_every_other_row_names_a_test_that_exists() -> None:
    others = [row for row in _rows() if not row.startswith('| "') and not row.startswith("| what happens |")]
    named = [re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row) for row in others]

    assert all(named), [row for row, tests in zip(others, named, strict=True) if not tests]
    for path, name in (each for tests in named for each in tests):
        assert name in _functions(path), f"{path} has no {name}"


def test_the_settings_it_speaks_of_exist() -> None:
    from kavenegar_worker.settings.model import Settings

    spoken = set(re.findall(r"`([A-Z][A-Z_]+)`", PAGE))

    assert spoken <= {name.upper() for name in Settings.model_fields}


def _functions(path: str) -> set[str]:
    tree = ast.parse((PROJECT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
