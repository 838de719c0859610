"""A server that is not there, or does not let us in, is named with what to do; secrets are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.worker.conftest import Command
from tests.world import Sandbox


@pytest.mark.parametrize(
    "arguments", [("list",), ("show", "1"), ("watch", "1"), ("verify", "1"), ("credit",), ("migrate",)]
)
def test_without_a_database_every_command_says_so(arguments: tuple[str, ...], alone: Command) -> None:
    said = alone(*arguments)

    assert said.exit == 3
    assert "the database cannot be reached" in said.sentence
    assert "DATABASE_URL" in said.sentence
    assert "hunter2" not in said.err


def test_debug_shows_where_it_comes_from_and_no_password(alone: Command) -> None:
    said = alone("--debug", "list")

    assert said.exit == 3
    assert "Traceback" in said.err
    assert "hunter2" not in said.err


def test_a_database_without_our_tables_is_told_to_be_migrated(command: Command, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA sms CASCADE"))

    assert "campaigns migrate" in (before := command("list")).sentence
    assert before.exit == 3
    assert command("migrate").exit == 0
    assert command("migrate").exit == 0
    assert command("list", "--json").answer == []


@pytest.mark.parametrize("arguments", [("credit",), ("pace",), ("pace", "--json"), ("pace", "--watch")])
def test_without_a_broker_neither_credit_nor_pace_can_be_told(arguments: tuple[str, ...], command: Command) -> None:
    said = command(*arguments, BROKER_URL="redis://127.0.0.1:1/0")

    assert said.exit == 3
    assert "Redis" in said.sentence


def test_with_the_gateway_down_the_credit_cannot_be_asked(command: Command) -> None:
    said = command("credit", KAVENEGAR_BASE_URL="http://127.0.0.1:1")

    assert said.exit == 3
    assert "gateway" in said.sentence


def test_a_wrong_key_is_refused_and_not_shown(command: Command) -> None:
    said = command("credit", KAVENEGAR_API_KEY="7468657265206973206e6f206b6579")

    assert said.exit == 1
    assert "KAVENEGAR_API_KEY" in said.sentence
    assert "7468657265" not in said.err + said.out


def test_creating_needs_neither_broker_nor_key(command: Command, recipients: Path) -> None:
    said = command("create", recipients, "--text", "سلام", "--start", BROKER_URL=None, KAVENEGAR_API_KEY=None)

    assert said.exit == 0, said


@pytest.mark.parametrize(
    ("variable", "value"),
    [("LEASE", "soon"), ("PACE_MAX", "-1"), ("DATABASE_URL", "mysql://nowhere"), ("DATABASE_URL", None)],
)
def test_a_setting_that_cannot_be_used_is_named(variable: str, value: str | None, command: Command) -> None:
    said = command("list", **{variable: value})

    assert said.exit == 2
    assert variable in said.sentence


def test_the_doctor_names_all_that_is_not_there(alone: Command) -> None:
    said = alone("doctor", "--json")

    findings = {finding["name"]: finding for finding in said.answer["findings"]}
    assert said.exit == 1
    assert said.answer["healthy"] is False
    assert {findings["database"]["level"], findings["broker"]["level"]} == {"bad"}
    assert all(finding["do"] for finding in findings.values() if finding["level"] == "bad")
    assert "hunter2" not in said.out


def test_the_doctor_says_when_the_gateway_does_not_take_the_key(command: Command, sandbox: Sandbox) -> None:
    sandbox.turn(account_code=403)

    said = command("doctor", "--json")

    findings = {finding["name"]: finding for finding in said.answer["findings"]}
    assert said.exit == 1
    assert findings["gateway"]["level"] == "bad"
    assert "403" in findings["gateway"]["says"]
    assert findings["workers"]["level"] == "bad"
