"""What the pages say is what the code does."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_generated_pages_are_as_the_code_tells_them() -> None:
    stale = [
        str(path.relative_to(ROOT))
        for path, text in runpy.run_path(str(ROOT / "docs" / "pages.py"))["pages"]()
        if path.read_text(encoding="utf-8") != text
    ]

    assert not stale, f"run scripts/docs: {', '.join(stale)} say something else than the code"


def test_every_page_the_readme_names_is_there() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    named = [part.split(")")[0] for part in readme.split("](")[1:]]

    assert [name for name in named if not name.startswith("http") and not (ROOT / name).exists()] == []


def test_the_two_commands_of_the_readme_are_the_scripts_that_ci_runs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert "```sh\nscripts/demo\n```" in readme
    assert "```sh\nscripts/test\n```" in readme
    assert "scripts/test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_readme_names_the_pythons_that_ci_runs_the_tests_on() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    script = (ROOT / "scripts" / "pythons").read_text(encoding="utf-8")
    *others, last = script.split('SUPPORTED="')[1].split('"')[0].split()

    assert f"(the tests run on {', '.join(others)} and {last})" in readme
    assert "scripts/pythons" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
