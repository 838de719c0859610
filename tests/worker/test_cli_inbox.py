"""`campaigns inbox` as a shell sees it: what came in, the lines, and whether everything of it is here."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.rules.dates import TEHRAN
from kavenegar_campaigns.store import inbound
from kavenegar_campaigns.store.inbound import Arrival, InboundPolicy, Via
from tests.stages.inboxes import crowd
from tests.worker.conftest import Command
from tests.world import SENDER, Sandbox, numbers, run_due_work, running

NUMBER, COVERED = "09123334455", "0912***4455"


def wrote(engine: Engine, *texts: str, line: str = SENDER, deliver: bool = False) -> None:
    now = datetime.now(UTC)
    with engine.begin() as connection:
        known = connection.execute(text("SELECT count(*) FROM sms.inbound")).scalar_one()
        arrivals = [Arrival(known + place, NUMBER, said, now) for place, said in enumerate(texts, 1)]
        inbound.store_new(connection, line, arrivals, via=Via.RECEIVE, watch=InboundPolicy(deliver=deliver), now=now)


# ── what came in ──


def test_the_command_alone_lists_what_came_in_with_the_numbers_covered(command: Command, engine: Engine) -> None:
    assert "nothing has come in" in command("inbox").out
    wrote(engine, "سلام", "11")

    said = command("inbox")

    assert said.exit == 0
    assert "سلام" in said.out
    assert "opted out" in said.out
    assert COVERED in said.out
    assert NUMBER not in said.out
    assert NUMBER in command("inbox", "list", "--full").out


def test_the_answer_for_a_program_has_every_field(command: Command, engine: Engine) -> None:
    wrote(engine, "سلام")

    (found,) = command("inbox", "list", "--json").answer

    assert {
        "id",
        "line",
        "number",
        "text",
        "received_at",
        "via",
        "opted_out",
        "campaign_id",
        "message_id",
        "acknowledged_at",
    } <= set(found)
    assert (found["id"], found["line"], found["number"], found["text"]) == (1, SENDER, COVERED, "سلام")


def test_messages_are_chosen_by_line_campaign_and_time(command: Command, engine: Engine) -> None:
    wrote(engine, "یک", "دو")
    wrote(engine, "سه", line="30002626")

    def ids(*options: str) -> list[int]:
        return [each["id"] for each in command("inbox", "list", "--json", *options).answer]

    assert ids("--line", "+9830002626") == [3]
    assert ids("--campaign", "7") == []
    assert ids("--since", "2020-01-01") == [3, 2, 1]
    assert ids("--since", f"{datetime.now(TEHRAN) + timedelta(days=1):%Y-%m-%d}") == []  # a day begins in Tehran
    assert ids("--limit", "1") == [3]
    assert command("inbox", "list", "--since", "yesterday").exit == 2


def test_what_was_not_taken_is_shown(command: Command, engine: Engine) -> None:
    wrote(engine, "سلام", deliver=True)
    with engine.begin() as connection:
        inbound.claim_due(connection, now=datetime.now(UTC), most=1)

    said = command("inbox").out

    assert "not taken, tried 1 times" in said
    assert "handed over and not taken yet: 1; given up after a week: 0" in said


def test_the_export_has_a_line_for_each_message_and_no_cell_that_is_a_formula(
    command: Command, engine: Engine, tmp_path: Path
) -> None:
    wrote(engine, "=cmd()", "سلام\nدنیا")
    out = tmp_path / "answers.csv"

    assert "2 messages written" in command("inbox", "export", "--out", out).out

    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8-sig"))))
    assert [row["text"] for row in rows] == ["'=cmd()", "سلام\nدنیا"]
    assert {row["number"] for row in rows} == {NUMBER}
    assert list(tmp_path.glob("*.part")) == []
    assert NUMBER in command("inbox", "export", "--out", "-", "--line", SENDER).out
    assert command("inbox", "export", "--out", tmp_path / "no" / "such.csv").exit == 2


# ── lines ──


def test_a_line_is_added_changed_and_turned_off_without_a_restart(
    command: Command, context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    assert "no line is pulled" in command("inbox", "lines").out
    crowd(sandbox, 5)

    (added,) = command("inbox", "line", SENDER, "--every", "30s", "--json").answer
    assert (added["line"], added["every"], added["enabled"], added["from_settings"]) == (SENDER, 30.0, True, False)
    assert run_due_work(context).lines == [SENDER]

    assert "off" in command("inbox", "line", SENDER, "--off").out
    sandbox.advance(hours=1)
    assert run_due_work(context).lines == []
    assert command("inbox", "line", SENDER, "--on", "--every", "5m").exit == 0
    (line,) = command("inbox", "lines", "--json").answer
    assert (line["every"], line["enabled"]) == (300.0, True)
    assert "5 min" in command("inbox", "lines").out


@pytest.mark.parametrize(
    "options", [[SENDER], [SENDER, "--every", "0s"], [SENDER, "--every", "soon"], ["Bank", "--on"]]
)
def test_a_change_that_means_nothing_is_refused_with_what_would_be_right(command: Command, options: list[str]) -> None:
    said = command("inbox", "line", *options)

    assert said.exit == 2
    assert said.sentence


def test_why_a_line_gets_nothing_is_shown(command: Command, context: Context, sandbox: Sandbox) -> None:
    command("inbox", "line", "2000500", "--every", "1m")

    said = command("inbox", "pull", "2000500")

    assert said.exit == 1
    assert "412" in said.out
    assert "412" in command("inbox", "lines").out


# ── now ──


def test_a_line_is_pulled_in_the_foreground_until_nothing_is_left(
    command: Command, engine: Engine, sandbox: Sandbox
) -> None:
    command("inbox", "line", SENDER, "--every", "1h")
    command("inbox", "pull", SENDER)
    crowd(sandbox, 230, age_s=600)

    said = command("inbox", "pull", SENDER)

    assert (said.exit, said.out.strip()) == (0, f"{SENDER}: 230 new messages")
    assert command("inbox", "pull", "999").exit == 2
    command("inbox", "line", SENDER, "--off")
    assert "it is off" in command("inbox", "pull", SENDER).out


# ── whether everything is here ──


def test_the_check_ends_with_one_where_the_gateway_counts_more_than_we_have(
    command: Command, engine: Engine, sandbox: Sandbox
) -> None:
    command("inbox", "line", SENDER, "--every", "1m")
    sandbox.inject([{"line": SENDER, "sender": NUMBER, "text": "x", "age_s": age} for age in (700, 800, 90_000)])

    short = command("inbox", "check", "--json", "--days", "3")
    command("inbox", "pull", SENDER)
    whole = command("inbox", "check", "--json", "--days", "3")

    assert (short.exit, sum(day["short"] for day in short.answer)) == (1, 3)
    assert (whole.exit, sum(day["short"] for day in whole.answer)) == (0, 0)
    assert sum(day["ours"] for day in whole.answer) == 3
    assert len({day["day"] for day in whole.answer}) == 3
    assert SENDER in command("inbox", "check").out


# ── on its way through the system ──


def test_an_answer_to_a_campaign_is_listed_with_it(
    command: Command, context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 2)
    run_due_work(context)
    command("inbox", "line", SENDER, "--every", "1m")
    sandbox.inject({"line": SENDER, "sender": numbers(1)[0], "text": "بله"})
    run_due_work(context)

    (found,) = command("inbox", "list", "--json", "--campaign", campaign).answer

    assert (found["campaign_id"], found["text"]) == (campaign, "بله")


def test_a_doctor_tells_of_a_line_in_trouble_and_of_one_that_stays_in_doubt(command: Command, engine: Engine) -> None:
    command("inbox", "line", SENDER, "--every", "1m")
    found = {each["name"]: each for each in command("doctor", "--json").answer["findings"]}
    assert found["inbox"]["level"] == "ok"
    for trouble, since, says in (("code 412", None, "code 412"), (None, "now() - interval '1 hour'", "in doubt since")):
        with engine.begin() as connection:
            connection.execute(
                text(f"UPDATE sms.lines SET trouble = :trouble, needs_reconcile_since = {since or 'NULL'}"),
                {"trouble": trouble},
            )
        found = {each["name"]: each for each in command("doctor", "--json").answer["findings"]}
        assert found["inbox"]["level"] == "warn"
        assert says in found["inbox"]["says"]


@pytest.mark.parametrize(
    ("minutes", "level", "exit_code", "age"),
    [(20, "warn", None, "20 min"), (70, "bad", 1, "70 min"), (3 * 24 * 60, "bad", 1, "3 d")],
)
def test_a_doctor_fails_where_inbound_messages_are_handed_over_and_not_taken(
    command: Command, engine: Engine, minutes: int, level: str, exit_code: int | None, age: str
) -> None:
    untaken(engine, minutes=minutes, delivery_attempts=6, next_delivery_at="now() + interval '1 hour'")
    said = command("doctor", "--json")
    (found,) = (each for each in said.answer["findings"] if each["name"] == "hand-over")
    assert found["level"] == level
    assert found["says"].startswith(f"1 messages wait to be taken, the oldest for {age}")
    assert "handed over 6 times and never taken" in found["says"]
    assert exit_code is None or said.exit == exit_code


def test_a_doctor_fails_where_messages_were_given_up_after_a_week(command: Command, engine: Engine) -> None:
    untaken(engine, minutes=10 * 24 * 60, delivery_attempts=170, next_delivery_at="NULL")
    said = command("doctor", "--json")
    (found,) = (each for each in said.answer["findings"] if each["name"] == "hand-over")
    assert (found["level"], said.exit) == ("bad", 1)


def test_a_doctor_says_nothing_of_a_message_that_came_in_just_now(command: Command, engine: Engine) -> None:
    untaken(engine, minutes=1, delivery_attempts=1, next_delivery_at="now()")
    names = {each["name"] for each in command("doctor", "--json").answer["findings"]}
    assert "hand-over" not in names


def untaken(engine: Engine, *, minutes: int, delivery_attempts: int, next_delivery_at: str) -> None:
    """A message that came in some minutes ago, and that nobody has taken."""
    with engine.begin() as connection:
        connection.execute(
            text(f"""
                INSERT INTO sms.inbound (gateway_id, line, number, text, received_at, stored_at, via,
                                         delivery_attempts, next_delivery_at)
                VALUES (1, :line, '09121234567', 'سلام', now(), now() - :minutes * interval '1 minute', 'receive',
                        :delivery_attempts, {next_delivery_at})
            """),
            {"line": SENDER, "minutes": minutes, "delivery_attempts": delivery_attempts},
        )
