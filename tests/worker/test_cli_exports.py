"""`--out FILE` of every command: a workbook or a CSV by its ending, and a sentence for any other."""

from __future__ import annotations

from pathlib import Path

import pytest
from openpyxl import load_workbook

from tests.worker.conftest import Command

OTHERS = ("report 1", "inbox export", "suppress export", "demo")


def rows(path: Path) -> list[tuple[object, ...]]:
    return list(load_workbook(path).active.iter_rows(values_only=True))  # type: ignore[union-attr]


def test_a_report_by_the_name_of_a_workbook_is_one(command: Command, recipients: Path, tmp_path: Path) -> None:
    command("create", recipients, "--text", "سلام {name}")
    out = tmp_path / "report.xlsx"

    assert "6 rows written" in command("report", 1, "--out", out).out

    found = rows(out)
    assert found[0][:3] == ("row", "number", "state")
    assert [row[0] for row in found[1:]] == [2, 3, 4, 5, 6, 7]
    assert found[1][1] == "09701234567"
    assert sorted(path.name for path in tmp_path.iterdir() if "report" in path.name) == ["report.xlsx"]


def test_a_workbook_of_suppressed_numbers_can_be_imported_again(command: Command, tmp_path: Path) -> None:
    command("suppress", "add", "09701234567", "--reason", "=cmd")
    assert command("suppress", "export", "--out", tmp_path / "out.xlsx").exit == 0
    assert rows(tmp_path / "out.xlsx")[1][:2] == ("09701234567", "=cmd")
    command("suppress", "remove", "09701234567")
    assert command("suppress", "import", tmp_path / "out.xlsx", "--json").answer["suppressed"] == 1


def test_the_inbox_is_exported_as_a_workbook(command: Command, tmp_path: Path) -> None:
    assert "0 messages written" in command("inbox", "export", "--out", tmp_path / "out.xlsx").out
    assert rows(tmp_path / "out.xlsx")[0][:3] == ("id", "line", "number")


@pytest.mark.parametrize("called", OTHERS)
@pytest.mark.parametrize("ending", ["xls", "ods", "pdf"])
def test_no_command_writes_one_format_under_the_name_of_another(
    called: str, ending: str, command: Command, tmp_path: Path
) -> None:
    out = tmp_path / f"out.{ending}"
    said = command(*called.split(), "--out", out)
    assert said.exit == 2
    assert f".{ending}" in said.sentence
    assert "name it .xlsx for a workbook, or .csv" in said.sentence
    assert not out.exists()


def test_a_file_without_an_ending_and_standard_output_are_csv(command: Command, tmp_path: Path) -> None:
    assert command("suppress", "export", "--out", tmp_path / "list").exit == 0
    assert (tmp_path / "list").read_text(encoding="utf-8-sig").startswith('"number"')
    assert command("suppress", "export", "--out", "-").out.startswith('"number"')
