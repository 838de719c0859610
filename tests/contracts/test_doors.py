"""What an editor, a commit and a hosted runner do is what the project's own scripts do."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHECK = ROOT / "scripts" / "check"


def loaded(name: str) -> Any:
    """A YAML file of the project. YAML 1.1 reads the word `on` as true; GitHub does not."""
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def is_a_script(command: str) -> bool:
    path = ROOT / command.split(maxsplit=1)[0]
    return path.is_file() and os.access(path, os.X_OK)


def jobs() -> dict[str, Any]:
    """The jobs of the hosted workflow."""
    return dict(loaded(".github/workflows/ci.yml")["jobs"])


def steps() -> list[dict[str, Any]]:
    """The steps of the job that runs what CI runs anywhere."""
    return list(jobs()["run"]["steps"])


def hooks() -> list[dict[str, Any]]:
    return [hook for repository in loaded(".pre-commit-config.yaml")["repos"] for hook in repository["hooks"]]


def parts_of_check() -> set[str]:
    return set(re.findall(r"^    (\w+)\) ", CHECK.read_text(encoding="utf-8"), re.MULTILINE))


def test_a_commit_is_checked_by_our_own_scripts_and_fetches_nothing() -> None:
    assert [repository["repo"] for repository in loaded(".pre-commit-config.yaml")["repos"]] == ["local"]
    assert {hook["language"] for hook in hooks()} == {"system"}
    assert all(is_a_script(hook["entry"]) for hook in hooks())


def test_a_commit_runs_every_part_of_the_check_and_the_check_knows_each() -> None:
    run = [hook["entry"].split() for hook in hooks()]

    assert {command[0] for command in run} == {"scripts/check"}
    assert {part for command in run for part in command[1:]} == parts_of_check()
    assert f"set -- {' '.join(command[1] for command in run)}" in CHECK.read_text(encoding="utf-8")


def test_a_part_that_does_not_exist_is_refused_with_those_that_do() -> None:
    refused = subprocess.run([CHECK, "spelling"], capture_output=True, text=True, timeout=60, check=False)

    assert refused.returncode == 2
    assert "unknown part spelling" in refused.stderr
    assert all(f"[{part}]" in refused.stderr for part in parts_of_check())


def test_a_hosted_runner_runs_what_ci_runs_anywhere() -> None:
    commands = [step["run"] for step in steps() if "run" in step]

    assert commands[-1] == ".ci/run"
    assert is_a_script(commands[-1])
    assert all("sudo apt-get" in command for command in commands[:-1])


@pytest.mark.parametrize("script", re.findall(r"^ *(scripts/\S+)", (ROOT / ".ci/run").read_text(), re.MULTILINE))
def test_ci_runs_scripts_that_exist(script: str) -> None:
    assert is_a_script(script)


def test_the_actions_of_the_hosted_runner_cannot_change_under_us() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    used = re.findall(r"uses: (.*)$", text, re.MULTILINE)

    assert used
    assert [each for each in used if not re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)] == []
    assert loaded(".github/workflows/ci.yml")["permissions"] == {"contents": "read"}


def test_the_hosted_runner_has_the_pythons_that_are_supported() -> None:
    supported = (ROOT / "scripts" / "pythons").read_text(encoding="utf-8").split('SUPPORTED="')[1].split('"')[0].split()
    (installed,) = (step["with"]["python-version"] for step in steps() if "setup-python" in step.get("uses", ""))

    assert sorted(installed.split()) == supported


def test_a_hosted_runner_runs_the_tests_at_both_ends_of_every_range() -> None:
    job = jobs()["versions"]
    supported = (ROOT / "scripts" / "pythons").read_text(encoding="utf-8").split('SUPPORTED="')[1].split('"')[0].split()
    (command,) = (step["run"] for step in job["steps"] if "run" in step)

    assert command == "scripts/versions ${{ matrix.end }}"
    assert is_a_script(command)
    assert [(each["end"], each["python"]) for each in job["strategy"]["matrix"]["include"]] == [
        ("lowest", supported[0]),
        ("newest", supported[-1]),
    ]
    assert set(jobs()) == {"run", "versions"}


def test_editors_and_the_formatter_agree_about_the_length_of_a_line() -> None:
    settings = configparser.ConfigParser()
    settings.read_string("[*before*]\n" + (ROOT / ".editorconfig").read_text(encoding="utf-8"))
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    assert settings["*before*"]["root"] == "true"
    assert f"line-length = {settings['*.py']['max_line_length']}\n" in pyproject
    assert settings["*"]["charset"] == "utf-8"
