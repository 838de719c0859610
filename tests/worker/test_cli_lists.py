"""Lists: they say what they leave out, and can be read on a narrow terminal."""

from __future__ import annotations

import os
import pty
import termios

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from tests.worker.conftest import Command, Said
from tests.world import SENDER


def some(engine: Engine, count: int) -> None:
    with engine.begin() as connection:
        for number in range(1, count + 1):
            name = f"یلدا {number}"
            campaigns.create(connection, recipients=["09121234567"], text="سلام", sender=SENDER, name=name)


def test_the_list_says_how_many_of_how_many_campaigns_it_shows(command: Command, engine: Engine) -> None:
    some(engine, 25)
    for said in (command("list"), command("list", "--json")):
        assert said.err == "campaigns: the newest 20 of 25 are shown: --limit 25 shows all\n"
    assert len(command("list", "--json").answer) == 20
    whole = command("list", "--limit", "25", "--json")
    assert (len(whole.answer), whole.err) == (25, "")


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_other_lists_say_that_there_is_more(command: Command, engine: Engine, form: tuple[str, ...]) -> None:
    command("suppress", "add", "09121234561", "09121234562", "09121234563")
    some(engine, 3)
    with engine.begin() as connection:
        connection.execute(
            text("""
            INSERT INTO sms.inbound (gateway_id, line, number, text, received_at, via)
            SELECT id, '10004346', '09121234567', 'سلام', now(), 'receive' FROM generate_series(1, 3) AS id
        """)
        )

    def ask(limit: int) -> list[Said]:
        lists = [("suppress", "list"), ("inbox", "list"), ("number", "09121234567")]
        return [command(*arguments, "--limit", limit, *form) for arguments in lists]

    for said in ask(2):
        assert said.err == "campaigns: the newest 2 are shown, and there are more: --limit 20 shows more of them\n"
    assert [said.err for said in ask(3)] == ["", "", ""]
    if form:
        suppressed, inbox, number = (said.answer for said in ask(2))
        assert [len(suppressed), len(inbox), len(number["received"]), len(number["wrote"])] == [2, 2, 2, 2]


def on_a_terminal(command: Command, columns: int, *arguments: str) -> str:
    """What the command writes on a terminal that is so wide."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    with command.start(*arguments, stdout=theirs, TERM="xterm") as process:
        os.close(theirs)
        written = bytearray()
        try:
            while piece := os.read(ours, 65536):
                written += piece
        except OSError:  # the other end is closed: Linux says so with EIO
            pass
        process.communicate(timeout=60)
    os.close(ours)
    return written.decode().replace("\r\n", "\n")


def test_on_a_narrow_terminal_each_row_is_a_block_in_which_no_word_is_broken(command: Command, engine: Engine) -> None:
    some(engine, 2)
    narrow = on_a_terminal(command, 40, "list")
    first, second, *rest = narrow.strip().split("\n\n")
    assert not rest
    facts = dict(line.split("  ", 1) for line in first.splitlines())
    assert {name: facts[name].strip() for name in ("id", "name", "state")} == {
        "id": "2",
        "name": "یلدا 2",
        "state": "draft",
    }
    assert facts["created"].strip().endswith("Tehran")
    assert second.startswith("id")
    assert "draft" in on_a_terminal(command, 200, "list").splitlines()[1]


def test_the_list_shows_keys_and_finds_the_campaign_of_one(command: Command, engine: Engine) -> None:
    some(engine, 1)
    with engine.begin() as connection:
        campaigns.create(connection, recipients=["09121234567"], text="سلام", sender=SENDER, key="order-17")

    assert "order-17" in command("list").out
    assert [each["client_key"] for each in command("list", "--json").answer] == ["order-17", None]
    assert [each["id"] for each in command("list", "--key", "order-17", "--json").answer] == [2]
    assert command("list", "--key", "order-18", "--json").answer == []
    assert command("list", "--key", "order-18").out.startswith("no campaign was created with this key")
