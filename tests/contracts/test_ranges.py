"""The ranges of pyproject.toml are what `scripts/versions` tries, at both ends."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("", "sandbox", "devkit")
OWN = {"kavenegar-campaigns", "kavenegar-sandbox", "campaigns-devkit"}


def direct() -> list[tuple[str, str]]:
    """Every direct dependency of the three packages and of their extras, and the line that it stands in."""
    found = []
    for folder in FOLDERS:
        text = (ROOT / folder / "pyproject.toml").read_text(encoding="utf-8")
        project = tomllib.loads(text)["project"]
        listed = [*project["dependencies"], *chain.from_iterable(project.get("optional-dependencies", {}).values())]
        lines = text.splitlines()
        found += [(each, next(line for line in lines if f'"{each}"' in line)) for each in listed]
    return [(each, line) for each, line in found if Requirement(each).name not in OWN]


def printed(end: str) -> list[str]:
    """What `scripts/versions` installs for one end."""
    script = ROOT / "scripts" / "requirements"
    return subprocess.run(
        [sys.executable, script, end], capture_output=True, text=True, timeout=60, check=True
    ).stdout.splitlines()


@pytest.mark.parametrize(("dependency", "line"), direct(), ids=[each for each, _ in direct()])
def test_a_dependency_has_a_lower_bound_and_no_upper_bound_without_a_reason_beside_it(
    dependency: str, line: str
) -> None:
    operators = {each.operator for each in Requirement(dependency).specifier}
    assert ">=" in operators
    assert operators <= {">=", "<"}
    assert re.search(r'",\s+# \S', line), f"{dependency} stands without a reason"


def test_the_lowest_versions_are_the_lower_bounds_of_every_direct_dependency() -> None:
    pinned = {each.split(";")[0].strip() for each in printed("lowest") if "==" in each.split(";")[0]}
    for dependency, _ in direct():
        wanted = Requirement(dependency)
        (lower,) = (each.version for each in wanted.specifier if each.operator == ">=")
        extras = f"[{','.join(sorted(wanted.extras))}]" if wanted.extras else ""
        assert f"{wanted.name}{extras}=={lower}" in pinned


def test_the_newest_versions_are_bounded_by_the_ranges_alone() -> None:
    assert {dependency for dependency, _ in direct()} < set(printed("newest"))


def test_the_frameworks_are_tried_at_both_ends_too() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    lowest = {each.split("==")[0] for each in printed("lowest") if "==" in each}
    assert {Requirement(each).name for each in groups["frameworks"]} < lowest
    assert set(groups["frameworks"]) < set(printed("newest"))


def test_the_locks_are_within_the_ranges() -> None:
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements-dev.lock").read_text(), re.MULTILINE))
    for dependency, _ in direct():
        wanted = Requirement(dependency)
        assert Version(locked[wanted.name.lower()]) in wanted.specifier, dependency


def test_a_dependency_without_a_lower_bound_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "requirements").write_bytes((ROOT / "scripts" / "requirements").read_bytes())
    for folder in FOLDERS:
        (tmp_path / folder).mkdir(exist_ok=True)
        text = (ROOT / folder / "pyproject.toml").read_text(encoding="utf-8")
        (tmp_path / folder / "pyproject.toml").write_text(re.sub('"orjson>=[^"]*"', '"orjson"', text), encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, tmp_path / "scripts" / "requirements", "lowest"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr == "requirements: orjson has no lower bound\n"
