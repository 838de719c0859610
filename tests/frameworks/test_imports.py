"""Importing any module of the library changes nothing of the process: no logger, signal, Celery app, environment."""

from __future__ import annotations

import pkgutil
from typing import Any

import kavenegar_campaigns
from tests.own_process import answer_of

_RUN_BY_ALEMBIC = "kavenegar_campaigns.store.migrations."
"""Its env.py is run by Alembic, inside a migration, and not imported."""


def modules() -> list[str]:
    """Every module of the library that is imported by somebody. Not one of them is imported to be listed."""
    found = [kavenegar_campaigns.__name__]
    folders = [(kavenegar_campaigns.__name__, list(kavenegar_campaigns.__path__))]
    while folders:
        package, paths = folders.pop()
        for each in pkgutil.iter_modules(paths, f"{package}."):
            if each.name.startswith(_RUN_BY_ALEMBIC):
                continue
            found.append(each.name)
            if each.ispkg:
                folders.append((each.name, [f"{path}/{each.name.rpartition('.')[2]}" for path in paths]))
    return sorted(found)


def _changes(*modules: str) -> Any:
    """What the import of each module changes, by its name."""
    return answer_of("-m", "tests.frameworks.imported", *modules, LANG="C.UTF-8")


def test_no_import_of_the_library_changes_the_process() -> None:
    assert len(modules()) > 80
    assert _changes(*modules()) == {}


def test_the_look_at_a_process_sees_what_an_import_changes() -> None:
    changed = _changes("tests.frameworks.imported_badly")

    assert sorted(changed["tests.frameworks.imported_badly"]) == [
        "current app",
        "environment",
        "other loggers",
        "root logger",
        "signals",
        "socket timeout",
        "threads",
    ]
