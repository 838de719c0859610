"""What the command says about a file of recipients: what it leaves out, and which options change that."""

from __future__ import annotations

from pathlib import Path

import pytest
from openpyxl import Workbook

from tests.worker.conftest import Command

HELLO = ("--text", "سلام")


@pytest.fixture
def filtered(tmp_path: Path) -> Path:
    """Two sheets with rows; in the first, a filter hides two rows of four."""
    workbook = Workbook()
    sheet = workbook.active
    for row in [["mobile"], *[[f"0970555000{at}"] for at in range(1, 5)]]:
        sheet.append(row)
    for hidden in (3, 4):
        sheet.row_dimensions[hidden].hidden = True
    workbook.create_sheet("more").append(["09705550009"])
    path = tmp_path / "filtered.xlsx"
    workbook.save(path)
    return path


def test_hidden_rows_are_told_by_estimate_and_create_and_sent_to_where_they_are_meant(
    command: Command, filtered: Path
) -> None:
    sentence = "2 of the rejects are rows that the sheet hides: --include-hidden"
    assert sentence in command("estimate", filtered, "--sheet", "Sheet", *HELLO).out
    assert sentence in command("create", filtered, "--sheet", "Sheet", *HELLO).out
    assert command("create", filtered, "--sheet", "Sheet", *HELLO, "--json").answer["hidden"] == 2
    meant = command("create", filtered, "--sheet", "Sheet", "--include-hidden", *HELLO, "--json").answer
    assert (meant["messages"], meant["hidden"]) == (4, 0)


@pytest.mark.parametrize("first", ["estimate", "create", "demo"])
def test_every_command_that_takes_a_workbook_asks_which_sheet_is_meant(
    first: str, command: Command, filtered: Path
) -> None:
    said = command(first, filtered, *HELLO)
    assert said.exit == 2
    assert "several sheets have rows: say which is meant (sheet, or --sheet); they are Sheet, more" in said.sentence
    assert "there is no sheet other" in command(first, filtered, "--sheet", "other", *HELLO).sentence


def test_the_row_of_the_header_can_be_named_to_every_command_that_reads_a_file(
    command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "odd.csv"
    file.write_text("09705550009,x\nnumber,nick\n09705550001,Sara\n")
    text = ("--text", "Dear {nick}")
    assert "no header was recognised" in command("estimate", file, *text).sentence
    said = command("estimate", file, "--header-row", 2, *text)
    assert "header        row 2" in said.out
    assert "row 1: it stands above the header, which is row 2" in said.out
    made = command("create", file, "--header-row", 2, *text, "--json").answer
    assert (made["messages"], made["rejects"], made["rows_read"]) == (1, 1, 2)
    assert command("suppress", "import", file, "--header-row", 2, "--json").answer["numbers"] == 1


def test_an_estimate_shows_the_texts_and_how_many_rejects_it_does_not_name(alone: Command, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("mobile,name\n09705550001,Sara\n09705550002,Alexandra\n" + "123,x\n" * 7)
    said = alone("estimate", file, "--text", "Dear {name}, it’s " + "a" * 120)
    assert "the first text, 3 parts:\n  Dear Sara, it’s aaa" in said.out
    assert "the longest text, 3 parts:\n  Dear Alexandra, it’s aaa" in said.out
    assert "’ stands in no Latin SMS" in said.out
    assert "without it, it would be 1 parts" in said.out
    assert "and 2 more" in said.out


def test_what_is_created_shows_its_texts_and_its_rejects_before_anything_leaves(
    command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "people.csv"
    file.write_text("mobile,name\n09705550001,Sara\n09705550002,Alexandra\n" + "123,x\n" * 17)
    text = ("--text", "Dear {name}, it’s " + "a" * 120)
    said = command("create", file, *text)
    assert "the first text, 3 parts:\n  Dear Sara, it’s aaa" in said.out
    assert "the longest text, 3 parts:\n  Dear Alexandra, it’s aaa" in said.out
    assert "  row 4: " in said.out
    assert "  and 12 more" in said.out
    assert said.out.index("the first text") < said.out.index("`campaigns start 1` starts it")
    assert command("create", file, *text, "--json").answer["longest_text"].startswith("Dear Alexandra")
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("mobile\n" + "123\n" * 9)
    assert "and 4 more" in command("create", wrong, "--text", "x").sentence
    assert "and 6 more" in command("suppress", "import", wrong).sentence
    rejects = tmp_path / "rejects.csv"
    reported = command("report", 1, "--rejects", rejects)
    assert "and 7 more: --rejects FILE writes all of them" in reported.out
    assert "17 rejected rows written to" in reported.out
    assert rejects.read_text(encoding="utf-8-sig").splitlines()[1].endswith('"123","x"')
    assert command("report", 1, "--rejects", "-", "--out", "-").exit == 2


def test_hidden_rows_of_a_list_of_suppressed_numbers_are_told(command: Command, filtered: Path) -> None:
    said = command("suppress", "import", filtered, "--sheet", "Sheet")
    assert "2 suppressed" in said.out
    assert "2 rows were not used" in said.out
    assert "4 suppressed" not in said.out
    assert command("suppress", "import", filtered, "--sheet", "Sheet", "--include-hidden", "--json").exit == 0
