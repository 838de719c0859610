"""`campaigns suppress`: whom nothing is sent to, from the command line."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from openpyxl import Workbook
from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from tests.worker.conftest import Command
from tests.world import SENDER, Sandbox, numbers, run_due_work, running

ALI, ZAHRA = numbers(2)
OTHER = "30002626"


def test_numbers_are_added_listed_covered_and_removed(command: Command) -> None:
    added = command("suppress", "add", "+98" + ALI[1:], ZAHRA, ZAHRA)
    listed, full = command("suppress", "list"), command("suppress", "list", "--full", "--json")

    assert (added.exit, added.out) == (0, "2 suppressed\n")
    assert ALI not in listed.out
    assert "0912***0001" in listed.out
    assert "suppressed by hand" in listed.out
    assert {each["number"] for each in full.answer} == {ALI, ZAHRA}
    assert {each["reason"] for each in full.answer} == {"by_hand"}

    assert command("suppress", "add", ALI).out == "0 suppressed; 1 were suppressed already\n"
    assert command("suppress", "remove", ALI, "--json").answer == {"lifted": 1, "unchanged": 0}
    assert command("suppress", "remove", ALI).out == "0 lifted; 1 were not suppressed\n"
    assert [each["number"] for each in command("suppress", "list", "--json").answer] == ["0912***0002"]


def test_the_list_can_be_narrowed(command: Command) -> None:
    command("suppress", "add", ALI, "--reason", "moved abroad")
    command("suppress", "add", ZAHRA)
    assert len(command("suppress", "list", "--reason", "moved abroad", "--json").answer) == 1
    assert len(command("suppress", "list", "--limit", "1", "--json").answer) == 1
    assert command("suppress", "list", "--since", "2099-01-01").out == "nobody is suppressed like that\n"
    assert len(command("suppress", "list", "--since", "2020-01-01", "--json").answer) == 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["add", "0912"], "too few digits"),
        (["add", ALI, "02188776655"], "landline"),
        (["add"], "NUMBER"),
        (["add", ALI, "--reason", ""], "reason"),
        (["list", "--since", "yesterday"], "2026-12-01"),
        (["check", "12"], "too few digits"),
        (["sync"], "--line"),
        (["sync", "--line", "abc"], "line"),
        (["import", "/nowhere/numbers.csv"], "cannot be opened"),
    ],
)
def test_what_cannot_be_used_ends_with_2_and_says_what_would_be_right(
    command: Command, arguments: list[str], complaint: str
) -> None:
    found = command("suppress", *arguments)
    assert found.exit == 2
    assert complaint in found.sentence
    assert "02188776655" not in found.err
    assert command("suppress", "list").out == "nobody is suppressed\n"


def test_a_number_is_checked_with_us_and_with_each_line(command: Command, sandbox: Sandbox) -> None:
    sandbox.block(OTHER, ZAHRA)
    command("suppress", "add", ALI)

    ours = command("suppress", "check", ALI)
    theirs = command("suppress", "check", ZAHRA, "--line", SENDER, "--line", OTHER, "--json")
    nobodys = command("suppress", "check", "09350000001", "--line", SENDER)

    assert (ours.exit, theirs.exit, nobodys.exit) == (0, 0, 1)
    assert "suppressed by hand" in ours.out
    assert ALI not in ours.out
    assert theirs.answer["suppressed"] is False
    assert {each["line"]: each["blocked"] for each in theirs.answer["gateway"]} == {SENDER: False, OTHER: True}
    assert "not blocked" in nobodys.out


def test_the_lists_are_synchronised_both_ways(command: Command, engine: Engine, sandbox: Sandbox) -> None:
    running(engine, 1)
    command("suppress", "add", ALI)
    sandbox.block(SENDER, ZAHRA)

    found = command("suppress", "sync", "--json")
    foreign = command("suppress", "sync", "--line", "20001234", "--line", SENDER)

    assert found.exit == 0
    assert found.answer == [
        {"line": SENDER, "seen": 1, "suppressed": 1, "written": 1, "removed": 0, "whole": True, "trouble": ""}
    ]
    assert {each["number"] for each in sandbox.blocked()[SENDER]} == {ALI, ZAHRA}
    assert foreign.exit == 1
    assert "412" in foreign.out


def test_a_line_that_the_gateway_does_not_answer_for_is_no_no(command: Command, sandbox: Sandbox) -> None:
    said = command("suppress", "check", ALI, "--line", "30009999")
    assert said.exit == 4
    assert "412" in said.out


def test_a_file_is_imported_row_by_row_and_wrong_rows_are_told(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "optouts.csv"
    file.write_text(f"نام,موبایل\nعلی,{ALI}\nزهرا,+98{ZAHRA[1:]}\nدفتر,02188776655\nخالی,\n", encoding="utf-8")

    found = command("suppress", "import", file)

    assert found.exit == 0
    assert found.out.startswith("2 suppressed\n")
    assert "landline" in found.out
    assert "2 rows were not used" in found.out
    assert "02188776655" not in found.out
    (first, _) = command("suppress", "list", "--json").answer
    assert (first["reason"], first["source"]) == ("imported", "the file optouts.csv")
    assert command("suppress", "import", file, "--json").answer["suppressed"] == 0


def test_a_workbook_and_standard_input_are_imported_too(command: Command, tmp_path: Path) -> None:
    book = Workbook()
    assert book.active is not None
    for row in (("number",), (int(ALI),)):  # a spreadsheet took the zero away
        book.active.append(row)
    book.save(tmp_path / "optouts.xlsx")

    assert command("suppress", "import", tmp_path / "optouts.xlsx", "--json").answer["suppressed"] == 1
    assert command("suppress", "import", "-", "--json", stdin=f"{ALI}\n{ZAHRA}\n").answer["suppressed"] == 1


def test_a_file_without_one_good_row_is_refused(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "optouts.csv"
    file.write_text("number\n12\n", encoding="utf-8")
    found = command("suppress", "import", file)
    assert found.exit == 2
    assert "row 2" in found.sentence


def test_what_is_exported_can_be_imported_again(command: Command, tmp_path: Path) -> None:
    command("suppress", "add", ALI, ZAHRA, "--reason", "=cmd")
    found = command("suppress", "export", "--out", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))

    assert (found.exit, found.out.split()[0]) == (0, "2")
    assert [line["number"] for line in lines] == [ALI, ZAHRA]
    assert lines[0]["reason"] == "'=cmd"
    assert command("suppress", "export", "--out", "-").out.count("\n") == 3
    command("suppress", "remove", ALI, ZAHRA)
    assert command("suppress", "import", tmp_path / "out.csv", "--json").answer["suppressed"] == 2


def test_the_report_of_a_campaign_counts_the_suppressed_by_reason(
    command: Command, context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    command("suppress", "add", ALI)
    with engine.begin() as connection:
        campaigns.suppress(
            connection, [ZAHRA], reason=campaigns.SuppressionReason.OPTED_OUT, source="an inbound message"
        )
    campaign = running(engine, 3)
    run_due_work(context)

    assert command("report", campaign, "--json").answer["suppressed_by_reason"] == {"by_hand": 1, "opted_out": 1}
    assert "1 suppressed by hand, 1 opted out by an inbound message" in command("report", campaign).out


def test_without_a_database_it_ends_with_3(alone: Command) -> None:
    assert alone("suppress", "list").exit == 3
    assert alone("suppress", "add", ALI).exit == 3
