"""How statements of SQL are written, where they stand, and how they are called."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.contracts.test_contracts import CODE, ROOT, imports, place, python, text_of, tree_of


def _statements(path: Path) -> Iterator[ast.stmt]:
    """The statements of SQL that stand at the top of a module, under a name of their own."""
    for node in tree_of(path).body:
        value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in {"text", "_sql"}:
            yield node


def test_every_statement_says_in_english_what_it_asks() -> None:
    found = []
    for path in python("campaigns", "worker", "devkit"):
        lines = text_of(path).splitlines()
        found += [place(path, node) for node in _statements(path) if not lines[node.lineno - 2].startswith("# ")]
    assert found == []


def test_statements_stand_in_the_store_alone() -> None:
    """Whoever needs one calls a function of `kavenegar_campaigns.store`: no other file can build one."""
    allowed = {"Connection", "Engine", "make_url"}
    found = [
        f"{place(path, node)}: {alias.name}"
        for path in python("campaigns", "worker")
        if path.relative_to(ROOT).parts[:2] != ("campaigns", "store")
        for node in ast.walk(tree_of(path))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
        if (isinstance(node, ast.Import) and alias.name.partition(".")[0] == "sqlalchemy")
        or (isinstance(node, ast.ImportFrom) and node.module == "sqlalchemy" and alias.name not in allowed)
    ]
    assert found == []


def test_a_statement_is_called_where_it_is_used_and_not_handed_over_to_be_called() -> None:
    """So that an editor finds who calls it: `batches.release(context.database, …)`; see `kavenegar_campaigns.store`."""
    found = [
        place(path, node)
        for path in python("campaigns", "worker", "devkit")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and _is_database(node.func) and node.args and _is_of_a_module(path, node.args[0])
    ]
    assert found == []


def _is_database(called: ast.expr) -> bool:
    if isinstance(called, ast.Call):
        return _is_database(called.func)
    return (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")) in {
        "database",
        "_database",
    }


def _is_of_a_module(path: Path, value: ast.expr) -> bool:
    """Whether a value is a function of this module, or of one that it imports."""
    if isinstance(value, ast.Attribute):
        return isinstance(value.value, ast.Name) and value.value.id in {name.split(".")[-1] for name in imports(path)}
    defined = {node.name for node in tree_of(path).body if isinstance(node, ast.FunctionDef)}
    return isinstance(value, ast.Name) and value.id in defined


def test_no_call_of_a_statement_is_exempt_from_the_type_checker() -> None:
    exemption = "ignore[call-" + "overload]"
    assert [path for path in python(*CODE) if exemption in text_of(path)] == []


def test_whatever_merges_facts_suppresses_by_their_verdicts_in_the_same_function() -> None:
    """A verdict may say that a number is never to be written to again: whoever stores it draws the conclusion."""
    merging = {
        f"{path.stem}.{node.name}"
        for path in python("campaigns")
        if path.relative_to(ROOT).parts[1] == "store"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef) and node.returns and "[MovedMessage]" in ast.unparse(node.returns)
    }
    callers = {
        place(path, node): called
        for path in python("campaigns", "benchmarks")
        if path.relative_to(ROOT).parts[1] != "store"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef) and merging & (called := _called_in_modules(node))
    }
    assert len(callers) >= len(merging) >= 4
    assert [at for at, called in callers.items() if "suppress_by_verdicts" not in called] == []


def _called_in_modules(function: ast.FunctionDef) -> set[str]:
    """The functions that one calls: `batches.record_facts` with its module, an imported name as it stands."""
    return {ast.unparse(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)}
