"""What is wrong with a file, a text or an option is said in one sentence, and nothing of it is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.worker.conftest import Command

HELLO = ("--text", "سلام")

BAD_FILES: dict[str, tuple[bytes, tuple[str, ...], str]] = {
    "an empty file": (b"", HELLO, "there are no recipients"),
    "a header alone": (b"name,mobile\n", HELLO, "no row below it"),
    "only wrong rows": (b"mobile\n123\nabc\n", HELLO, "not one of 2 rows can be used"),
    "a binary file": (bytes(range(256)) * 40, HELLO, "not UTF-8"),
    "a line of five megabytes": (b"a" * 5_000_000, HELLO, "more than 64 KiB"),
    "a column that is not there": (b"mobile\n09701234567\n", (*HELLO, "--column", "tel"), "there is no column tel"),
    "a placeholder without a column": (b"mobile\n09701234567\n", ("--text", "{nam}"), "no such column"),
    "a sheet of a CSV": (b"mobile\n09701234567\n", (*HELLO, "--sheet", "2"), "a CSV has no sheet"),
}


@pytest.mark.parametrize("wrong", BAD_FILES)
def test_a_file_that_cannot_be_used_is_told_and_leaves_nothing(
    wrong: str, command: Command, engine: Engine, tmp_path: Path
) -> None:
    content, options, words = BAD_FILES[wrong]
    file = tmp_path / "bad.csv"
    file.write_bytes(content)

    said = command("create", file, *options, "--start")

    assert said.exit == 2
    assert words in said.sentence
    assert said.out == ""
    assert _rows(engine) == 0


BAD_OPTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "no text": ((), "there is no text"),
    "an empty text": (("--text", "  "), "the text is empty"),
    "a text that is too long": (("--text", "س" * 901), "900 are allowed"),
    "a brace alone": (("--text", "سلام {"), "stands alone"),
    "two texts": (("--text", "a", "--text-file", "b"), "given twice"),
    "a text file that is not there": (("--text-file", "/nowhere/text"), "No such file"),
    "a text file that is no text": (("--text-file", "/dev/zero"), "far longer"),
    "a sender that is no line": ((*HELLO, "--sender", "فروشگاه"), "is no line"),
    "a time that is none": ((*HELLO, "--at", "tomorrow"), "is no time such as"),
    "a time that has passed": ((*HELLO, "--at", "2020-01-01 10:00"), "has passed"),
    "an option nobody knows": ((*HELLO, "--fast"), "No such option"),
    "the gateway's calendar without a start": ((*HELLO, "--at-gateway"), "--start"),
}


@pytest.mark.parametrize("wrong", BAD_OPTIONS)
def test_an_option_that_cannot_be_used_is_told_and_leaves_nothing(
    wrong: str, command: Command, engine: Engine, recipients: Path
) -> None:
    options, words = BAD_OPTIONS[wrong]

    said = command("create", recipients, *options)

    assert said.exit == 2
    assert words in said.sentence
    assert _rows(engine) == 0


def test_a_file_that_is_not_there_is_told(command: Command) -> None:
    said = command("create", "/nowhere/customers.csv", *HELLO)

    assert said.exit == 2
    assert "cannot be opened" in said.sentence


def test_without_a_sender_it_is_told_where_to_name_one(command: Command, recipients: Path) -> None:
    said = command("create", recipients, *HELLO, KAVENEGAR_SENDER=None)

    assert said.exit == 2
    assert "KAVENEGAR_SENDER" in said.sentence


def test_a_key_is_not_taken_for_other_content(command: Command, recipients: Path) -> None:
    first = command("create", recipients, *HELLO, "--key", "spring", "--json")
    again = command("create", recipients, *HELLO, "--key", "spring", "--json")
    other = command("create", recipients, "--text", "درود", "--key", "spring")

    assert first.answer["id"] == again.answer["id"]
    assert other.exit == 2
    assert "belongs to campaign" in other.sentence


@pytest.mark.parametrize("arguments", [("show", "77"), ("start", "77"), ("report", "77"), ("verify", "77")])
def test_a_campaign_that_is_not_there_is_told(arguments: tuple[str, ...], command: Command) -> None:
    said = command(*arguments)

    assert said.exit == 2
    assert "there is no campaign 77" in said.sentence


@pytest.mark.parametrize("wrong", ["0", "abc", str(2**63)])
def test_an_id_that_is_none_is_told(wrong: str, command: Command) -> None:
    assert command("show", wrong).exit == 2


def test_a_report_that_cannot_be_written_is_told(command: Command, recipients: Path) -> None:
    command("create", recipients, *HELLO)

    said = command("report", 1, "--out", "/nowhere/report.csv")

    assert said.exit == 2
    assert "cannot be written" in said.sentence


def _rows(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(
            connection.execute(
                text("""
                    SELECT (SELECT count(*) FROM sms.campaigns) + (SELECT count(*) FROM sms.messages)
                         + (SELECT count(*) FROM sms.rejects) + (SELECT count(*) FROM sms.batches)
                """)
            ).scalar_one()
        )
