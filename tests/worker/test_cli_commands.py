"""One campaign through the command, from a file to its report."""

from __future__ import annotations

import csv
import io
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import openpyxl
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.store import installation
from tests.worker.conftest import PROJECT, Command
from tests.world import Sandbox, run_due_work, running


def _to_its_end(context: Context, engine: Engine, sandbox: Sandbox, campaign: int) -> None:
    for _ in range(30):
        run_due_work(context)
        with engine.connect() as connection:
            if campaigns.get(connection, campaign).finished_at:
                return
        sandbox.advance(minutes=6)
    raise AssertionError("the campaign did not finish")


def test_a_campaign_is_created_started_followed_reported_and_verified(
    command: Command, context: Context, engine: Engine, sandbox: Sandbox, recipients: Path, tmp_path: Path
) -> None:
    created = command("create", recipients, "--text", "سلام {name}", "--name", "بهار", "--json")
    assert created.exit == 0, created
    assert created.answer["messages"] == 3
    assert created.answer["duplicates"] == 1
    assert created.answer["rejects"] == 2
    assert created.answer["state"] == "draft"

    assert command("start", 1, "--json").answer["state"] == "running"
    _to_its_end(context, engine, sandbox, 1)

    watched = command("watch", 1)
    assert watched.exit == 0
    assert "finished" in watched.out
    shown = command("show", 1, "--json").answer
    assert sum(shown["counts"].values()) == 3
    assert shown["counts"]["pending"] == shown["counts"]["accepted"] == 0
    assert shown["waiting"] is None

    printed = command("report", 1, "--out", tmp_path / "report.csv", "--json").answer
    assert printed["file_rows"] == 6
    assert printed["requests"]["send"] == 1
    assert printed["rejects_by_kind"] == {"duplicate": 1, "number": 1, "placeholder": 1}
    with (tmp_path / "report.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["row"] for line in lines] == ["2", "3", "4", "5", "6", "7"]
    assert lines[0]["number"] == "09701234567"
    assert not list(tmp_path.glob("*.part"))

    verified = command("verify", 1, "--all", "--json", STATUS_WINDOW="48h")
    assert verified.exit == 0, verified
    assert verified.answer["true"] is True


def test_a_record_that_is_not_true_does_not_pass(
    command: Command, context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 5)
    _to_its_end(context, engine, sandbox, campaign)
    with engine.begin() as connection:
        connection.execute(text("UPDATE sms.messages SET gateway_id = gateway_id + 1 WHERE row_no = 3"))

    said = command("verify", campaign, "--all", "--json")

    assert said.exit == 1
    assert {check["name"]: check["holds"] for check in said.answer["checks"]}["ids at the gateway"] is False
    assert "FALSE" in command("verify", campaign, "--all").out


def test_what_could_not_be_checked_at_the_gateway_is_no_yes(
    command: Command, context: Context, engine: Engine, sandbox: Sandbox, closed_port_url: str
) -> None:
    campaign = running(engine, 5)
    _to_its_end(context, engine, sandbox, campaign)

    said = command("verify", campaign, "--json", KAVENEGAR_BASE_URL=closed_port_url)

    assert said.exit == 4
    assert (said.answer["true"], said.answer["checked"]) == (True, False)
    assert said.answer["checks"][-1]["missed"] is True
    assert "not checked" in command("verify", campaign, KAVENEGAR_BASE_URL=closed_port_url).out


def test_a_terminal_shows_covered_numbers_and_the_file_has_them_in_full(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "customers.csv"
    file.write_text("mobile\n09701234567\n+98 970 123 4567\n097012345678\n")
    command("create", file, "--text", "سلام")

    shown = command("report", 1)
    assert "9701234567" not in shown.out.replace(" ", "")
    assert "097012345678" not in shown.out
    assert "***" in shown.out
    assert "+98 970 123 4567" in command("report", 1, "--out", "-").out


def test_an_estimate_needs_no_server(alone: Command, recipients: Path) -> None:
    said = alone("estimate", recipients, "--text", "سلام {name}", "--json")

    assert said.exit == 0
    assert (said.answer["messages"], said.answer["duplicates"], said.answer["rejects"]) == (3, 1, 2)
    assert said.answer["parts"] == said.answer["parts_persian"] == 3


def test_recipients_come_from_standard_input_and_from_workbooks(command: Command, tmp_path: Path) -> None:
    piped = command("create", "-", "--text", "سلام", "--json", stdin="09701234567\n09701234568\n")
    workbook = openpyxl.Workbook()
    workbook.active.append(["mobile"])
    workbook.active.append(["09701234567"])
    workbook.save(tmp_path / "customers.xlsx")
    read = command("create", tmp_path / "customers.xlsx", "--text", "سلام", "--json")

    assert piped.answer["messages"] == 2
    assert (read.answer["messages"], read.answer["name"]) == (1, "customers")


def test_a_text_file_is_taken_as_it_is(command: Command, recipients: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes("\ufeffسلام {name}\nفروشگاه\n".encode())

    command("create", recipients, "--text-file", tmp_path / "text")

    shown = command("show", 1)
    assert "personal" in shown.out
    assert "سلام {name}فروشگاه" in shown.out  # a line end steers a terminal, and is not shown


def test_a_time_without_a_zone_is_the_time_of_tehran(command: Command, recipients: Path) -> None:
    said = command("create", recipients, "--text", "سلام", "--at", "2040-12-01 10:00", "--start", "--json")

    assert said.answer["state"] == "scheduled"
    assert said.answer["start_at"] == "2040-12-01T06:30:00+00:00"
    assert "2040-12-01 10:00:00 Tehran" in command("show", 1).out


def test_a_time_in_the_persian_calendar_is_understood_and_said_back_in_both(command: Command, recipients: Path) -> None:
    understood = "2040-12-01 10:00:00 Tehran (1419-09-11 in the Persian calendar)"
    for typed in ("1419/09/11 10:00", "۱۴۱۹-۰۹-۱۱ ۱۰:۰۰"):
        said = command("create", recipients, "--text", "سلام", "--at", typed, "--start")
        assert f"--at: {understood}" in said.err
        assert f"begins at {understood}" in said.out
    assert command("start", 1, "--at", "1419/09/11 11:00", "--json").answer["start_at"] == "2040-12-01T07:30:00+00:00"
    assert "1419-13-01 is no day of the Persian calendar" in command("start", 1, "--at", "1419/13/01").sentence
    listed = command("suppress", "list", "--since", "1405/09/10")
    assert "--since: 2026-12-01 00:00:00 Tehran" in listed.err
    assert "2026-12-01 00:00:00" in command("inbox", "list", "--since", "1405/09/10").err
    assert "is no day such as" in command("number", "09705550001", "--day", "1405/09/10 10:00").err


def test_a_campaign_is_paused_resumed_and_cancelled(command: Command, recipients: Path) -> None:
    command("create", recipients, "--text", "سلام", "--start")

    paused = command("pause", 1, "--reason", "قیمت اشتباه است", "--json").answer
    assert (paused["state"], paused["hold_reason"]) == ("paused", "قیمت اشتباه است")
    watched = command("watch", 1)
    assert watched.exit == 1
    assert "قیمت اشتباه است" in watched.out
    assert "campaigns resume 1" in watched.out
    assert command("resume", 1, "--json").answer["state"] == "running"

    unasked = command("cancel", 1)
    assert unasked.exit == 2
    assert "--yes" in unasked.sentence
    assert command("show", 1, "--json").answer["state"] == "running"
    assert command("cancel", 1, "--yes", "--json").answer["state"] == "cancelled"
    over = command("start", 1)
    assert over.exit == 2
    assert "cancelled" in over.sentence


def test_an_unknown_sender_pauses_the_campaign_and_says_so(
    command: Command, context: Context, recipients: Path
) -> None:
    command("create", recipients, "--text", "سلام", "--sender", "3000999", "--start")
    run_due_work(context)

    said = command("watch", 1)

    assert said.exit == 1
    assert "412" in said.out
    assert "the sender is not a line of this account" in said.out
    assert "412" in command("list").out


def test_an_account_on_hold_is_why_a_campaign_waits(
    command: Command, context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.set_credit(0)
    campaign = running(engine, 3)
    run_due_work(context)

    because = command("show", campaign, "--json").answer["waiting"]
    findings = {each["name"]: each for each in command("doctor", "--json").answer["findings"]}

    assert because["reason"] == "on_hold"
    assert "418" in because["sentence"]
    assert "looked at again at" in because["sentence"]
    assert findings["account"]["level"] == "bad"
    assert "418" in findings["account"]["says"]


def test_the_doctor_tells_what_waits_and_for_whom(command: Command, context: Context, engine: Engine) -> None:
    late = running(engine, 3)
    held = running(engine, 3)
    with engine.begin() as connection:
        campaigns.pause(connection, held, reason="قیمت اشتباه است")
        connection.execute(text("UPDATE sms.batches SET due_at = now() - interval '10 minutes'"))
        installation_seen = installation.read(connection)
    assert installation_seen.ticked_at is None

    findings = {each["name"]: each for each in command("doctor", "--json").answer["findings"]}

    assert findings["dispatcher"]["level"] == "bad"
    assert findings["batches to send"]["level"] == "warn"
    assert "1 are due, the oldest for 10 min" in findings["batches to send"]["says"]
    assert f"campaign {held} is paused: قیمت اشتباه است" in findings["paused"]["says"]
    assert str(late) not in findings["paused"]["do"]


def test_credit_and_settings_are_told_without_secrets(command: Command, sandbox: Sandbox) -> None:
    sandbox.set_credit(1_234_567)

    assert command("credit", "--json").answer == {"credit_rial": 1_234_567, "type": "master"}
    assert "1,234,567 rial" in command("credit").out
    settings = {each["name"]: each for each in command("settings", "--json").answer}
    assert settings["DATABASE_URL"]["value"] == "set"
    assert settings["STATUS_WINDOW"]["value"] == "48h"


def test_a_reader_that_goes_away_ends_the_command_quietly(command: Command) -> None:
    process = command.start("settings")
    assert process.stdout is not None
    process.stdout.close()

    _, said = process.communicate(timeout=60)

    assert process.returncode == 141
    assert said == b""


def test_ctrl_c_ends_a_watch_in_one_line(command: Command, recipients: Path) -> None:
    command("create", recipients, "--text", "سلام", "--start")
    process = command.start("watch", 1)
    assert process.stdout is not None
    assert b"sending 0 of" in process.stdout.readline()

    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)

    assert process.returncode == 130
    assert said == b"campaigns: interrupted\n"


def test_cancelling_asks_on_a_terminal_and_takes_no_for_an_answer(
    command: Command, recipients: Path, database_url: str
) -> None:
    command("create", recipients, "--text", "سلام", "--start")
    ours, theirs = pty.openpty()
    os.write(ours, b"n\n")

    asked = subprocess.run(
        [sys.executable, "-m", "kavenegar_worker.cli", "cancel", "1"],
        stdin=theirs,
        capture_output=True,
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": database_url},
        timeout=60,
        check=False,
    )
    os.close(ours)
    os.close(theirs)

    assert asked.returncode == 1
    assert b"nothing was changed" in asked.stdout
    assert command("show", 1, "--json").answer["state"] == "running"


def test_help_names_every_command_and_what_the_exit_codes_mean(alone: Command) -> None:
    said = alone("--help")

    assert said.exit == 0
    names = ("create", "estimate", "list", "show", "watch", "start", "pause", "resume", "cancel", "report", "verify")
    others = ("uncertain", "epoch", "credit", "pace", "migrate", "settings", "doctor", "metrics", "sandbox", "demo")
    assert all(f"\n  {name} " in said.out for name in names + others)
    assert all(f"\n  {code} " in said.out for code in (0, 1, 2, 3, 4, 130))


def test_the_sandbox_runs_in_the_foreground_with_its_own_options(alone: Command, tmp_path: Path) -> None:
    process = alone.start("sandbox", "--ready-file", tmp_path / "ready", "--credit", "5000")
    assert process.stdout is not None
    assert b"listening on http://127.0.0.1:" in process.stdout.readline()

    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)

    assert process.returncode == 0
    assert alone("sandbox", "--knob", "nonsense=1").exit == 2
    assert "--delivery" in alone("sandbox", "--help").out


def test_uncertain_messages_wait_for_a_person(command: Command, engine: Engine) -> None:
    assert command("uncertain", "list").exit == 0
    campaign = running(engine, 3)
    with engine.begin() as connection:
        connection.execute(text("UPDATE sms.messages SET state = 'uncertain'"))
        connection.execute(
            text("UPDATE sms.batches SET state = 'uncertain', pending = 0, uncertain = 3, first_sent_at = now()")
        )

    findings = {each["name"]: each for each in command("doctor", "--json").answer["findings"]}
    listed = command("uncertain", "list", "--json")
    printed = command("uncertain", "list", LOCALID_WINDOW="6h").out.replace("\n", " ")

    assert f"3 in campaign {campaign}" in findings["uncertain"]["says"]
    assert listed.exit == 1
    assert [each["messages"] for each in listed.answer] == [3]
    assert "the gateway answers for our ids for 6 h only (LOCALID_WINDOW)" in printed
    assert "12 h" not in printed
    assert command("uncertain", "send", campaign, "--yes").exit == 0
    assert io.StringIO(command("uncertain", "list").out).readline() == "nothing is uncertain\n"


def test_why_messages_are_uncertain_is_told_by_what_happened(command: Command, engine: Engine) -> None:
    running(engine, 3)
    for trouble, printed in (
        ("localid collision", "`campaigns epoch renew` gives them new ids"),
        ("may have left before a restore", "a history of the database that is lost may have sent them"),
    ):
        with engine.begin() as connection:
            connection.execute(text("UPDATE sms.messages SET state = 'uncertain'"))
            connection.execute(
                text("""
                    UPDATE sms.batches
                       SET state = 'uncertain', pending = 0, uncertain = 3, first_sent_at = now(), trouble = :trouble
                """),
                {"trouble": trouble},
            )
        said = command("uncertain", "list").out
        assert printed in said.replace("\n", " ")
        assert "LOCALID_WINDOW" not in said


def test_a_paused_campaign_is_resumed_from_another_line_on_the_command_line_and_by_task(
    command: Command, engine: Engine
) -> None:
    campaign = running(engine, 3)
    with engine.begin() as connection:
        campaigns.pause(connection, campaign)
    wrong = command("resume", campaign, "--sender", "sales")
    assert wrong.exit == 2
    assert "is no line of yours: a line is digits alone, such as 10004346" in wrong.err
    said = command("resume", campaign, "--sender", "+9830002626", "--json")
    assert (said.answer["state"], said.answer["sender"]) == ("running", "30002626")
    assert "sender" in command("show", campaign).out
