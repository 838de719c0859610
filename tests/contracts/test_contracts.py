"""What the project promised itself, held against every file of it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from kavenegar_campaigns.kavenegar import codes, methods
from kavenegar_sandbox import methods as sandbox_methods

ROOT = Path(__file__).resolve().parents[2]
CODE = ("campaigns", "worker", "sandbox", "devkit", "benchmarks", "tests")
OURS = {"kavenegar_campaigns", "kavenegar_worker", "kavenegar_sandbox", "campaigns_devkit"}

# Table 1 of kavenegar-rest and the tables of errors beside its methods; then what clients met on the real service.
DOCUMENTED = {
    200, 400, 401, 402, 403, 404, 405, 406, 407, 409, 411, 412, 413, 414, 415, 416, 417, 418, 419, 420, 422, 424, 426,
    427, 428, 429, 431, 432, 451, 501, 604, 607,
}  # fmt: skip
SEEN = {430, 449}
STATUSES = {1, 2, 4, 5, 6, 10, 11, 13, 14, 100}


@cache
def committed() -> tuple[Path, ...]:
    """Every file that is or would be committed."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = (ROOT / name for name in listed.stdout.decode().split("\0") if name)
    return tuple(path for path in paths if path.is_file())


@cache
def text_of(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(text_of(path), str(path))


def python(*folders: str) -> Iterator[Path]:
    """The Python files below these folders of the project."""
    for path in committed():
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in folders:
            yield path


def place(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


def imports(path: Path) -> Iterator[str]:
    """The modules a file imports, wherever in it."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_imports_run_one_way() -> None:
    """The contracts stand in pyproject.toml."""
    command = Path(sys.executable).with_name("lint-imports")
    checked = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    assert "0 broken" in checked.stdout


def test_the_sandbox_and_the_client_know_nothing_of_each_other() -> None:
    for path in python("campaigns", "worker", "sandbox", "devkit"):
        name = path.relative_to(ROOT).as_posix()
        imported = {each.split(".")[0] for each in imports(path)}
        if name.startswith("sandbox/"):
            assert not imported & {"kavenegar_campaigns", "kavenegar_worker", "campaigns_devkit"}, name
        if name.startswith("campaigns/"):
            assert not imported & {"kavenegar_worker", "kavenegar_sandbox", "campaigns_devkit"}, name
        if name.startswith("worker/") and name != "worker/extras.py":
            assert not imported & {"kavenegar_sandbox", "campaigns_devkit"}, name
        if name.startswith("devkit/"):
            assert "kavenegar_sandbox" not in imported, name


def test_only_the_settings_read_the_environment() -> None:
    readers = {
        path.relative_to(ROOT).as_posix()
        for path in python("campaigns", "worker")
        if ROOT / "worker/settings" not in path.parents
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }
    # `manage.py campaigns` reads no setting: it passes its environment on to the command, with DATABASE_URL in it.
    assert readers == {"campaigns/django/management/commands/campaigns.py"}


_RUNS_FOREIGN_CODE = {"campaigns/rules/arguments.py"}
"""It calls `__str__` of a caller's object, which may raise anything: that becomes a BadInput with the object's type."""


def test_nothing_swallows_everything() -> None:
    """An error that nobody expected has to be seen; who only cleans up passes it on."""
    found = [
        place(path, node)
        for path in python(*CODE)
        if path.relative_to(ROOT).as_posix() not in _RUNS_FOREIGN_CODE
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node.type) and not _passes_on(node)
    ]
    assert found == []


def _passes_on(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def _catches_everything(kind: ast.expr | None) -> bool:
    if kind is None:
        return True
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(isinstance(each, ast.Name) and each.id in {"Exception", "BaseException"} for each in kinds)


def test_no_test_replaces_a_part_of_ours_by_a_false_one() -> None:
    """Tests run against a false world, never against false functions.

    But for mutants, which are false on purpose: their tests show that the checker sees what they do.
    """
    found = []
    for path in python("tests"):
        if ROOT / "tests/chaos/mutants" in path.parents:
            continue
        if any(name.startswith(("unittest.mock", "mock", "pytest_mock")) for name in imports(path)):
            found.append(f"{path.relative_to(ROOT)}: mock")
        ours = {name.split(".")[-1] for name in imports(path) if name.split(".")[0] in OURS}
        found += [place(path, call) for call in _replacements(path) if _root(call.args[0]) in ours]
    assert found == []


def _replacements(path: Path) -> Iterator[ast.Call]:
    """Every `monkeypatch.setattr(…)` of a file."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "setattr":
            yield node


def _root(target: ast.expr) -> str:
    """The name at the left end of `a.b.c`, or the first word of "a.b.c"."""
    while isinstance(target, ast.Attribute):
        target = target.value
    if isinstance(target, ast.Constant):
        return str(target.value).split(".")[0]
    return target.id if isinstance(target, ast.Name) else ""


# ── the gateway's numbers ──


def test_every_code_and_every_status_has_its_source() -> None:
    rows = [*codes.RETURN_CODES.values(), *codes.STATUSES.values()]
    assert {row.source for row in rows} <= set(get_args(codes.Source))
    assert not [row for row in rows if row.source == "ours"]
    assert all(row.advice for row in codes.RETURN_CODES.values())


def test_no_documented_number_is_missing() -> None:
    assert set(codes.RETURN_CODES) == DOCUMENTED | SEEN
    assert {code for code, row in codes.RETURN_CODES.items() if row.source == "seen"} == SEEN
    assert {status for status, row in codes.STATUSES.items() if row.source == "table 2"} == STATUSES


def test_the_sandbox_answers_every_method_that_the_client_has_by_the_verb_that_the_client_uses() -> None:
    answered = {path: row.verbs for path, row in sandbox_methods.METHODS.items()}
    assert {row.path for row in methods.METHODS} == set(answered)
    assert [row.path for row in methods.METHODS if row.verb not in answered[row.path]] == []


# ── what a file may not be ──


def test_no_file_is_left_unfinished() -> None:
    unfinished = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in python(*CODE)
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if unfinished.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("folder", ["campaigns", "worker", "sandbox", "devkit"])
def test_files_and_functions_stay_as_long_as_can_be_read_at_once(folder: str) -> None:
    long = [
        f"{path.relative_to(ROOT)}: {len(text_of(path).splitlines())} lines"
        for path in python(folder)
        if len(text_of(path).splitlines()) > 300 and "migrations" not in path.parts
    ]
    long += [
        f"{place(path, node)} {node.name}"
        for path in python(folder)
        if "migrations" not in path.parts
        for node in ast.walk(tree_of(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and _length(node) > 45
    ]
    assert long == []


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a body; a table that is only returned may be as long as it has rows."""
    last = function.body[-1]
    if isinstance(last, ast.Return) and isinstance(last.value, ast.Dict):
        last = function.body[0]
    return (last.end_lineno or 0) - function.body[0].lineno + 1


def test_no_module_is_named_after_nothing() -> None:
    vague = {"utils", "helpers", "common", "manager", "misc", "util", "helper"}
    assert [str(path) for path in python(*CODE) if path.stem in vague] == []
