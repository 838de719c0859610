"""What goes along with a campaign's messages, as the command and Celery orders take it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from kavenegar_campaigns.context import Context
from tests.worker.conftest import Command
from tests.worker.test_create_task import ORDER, _environment, _intake
from tests.world import Sandbox, run_due_work

TYPED_LINE = "30002626"


def test_a_campaign_of_calls_is_estimated_made_shown_and_reported_as_one(
    command: Command, context: Context, sandbox: Sandbox, recipients: Path
) -> None:
    sandbox.turn(tags=["spring"])
    foreseen = command("estimate", recipients, "--text", "سلام {name}", "--voice")
    assert "3 calls" in foreseen.out
    assert command("estimate", recipients, "--text", "سلام {name}", "--voice", "--json").answer["kind"] == "voice"

    created = command("create", recipients, "--text", "سلام {name}", "--voice", "--repeat", 2, "--tag", "spring")
    assert "3 calls out of 6 rows" in created.out
    assert "ignores --repeat" in created.out
    assert command("start", 1, "--json").answer["kind"] == "voice"
    run_due_work(context)

    shown = command("show", 1, "--json").answer
    assert (shown["kind"], shown["repeat"], shown["tag"], shown["sender"]) == ("voice", 2, "spring", "")
    assert shown["counts"]["accepted"] == 3
    assert "voice, repeat 2, tag spring" in command("show", 1).out
    assert "voice, repeat 2, tag spring" in command("report", 1).out
    assert command("report", 1, "--json").answer["kind"] == "voice"
    assert "voice" in command("list").out
    assert command("list", "--json").answer[0]["kind"] == "voice"


def test_an_sms_says_what_goes_along_with_it(command: Command, recipients: Path) -> None:
    along = ("--tag", "a-b", "--policy", "slow", "--hide", "--type", "flash")
    said = command("create", recipients, "--text", "سلام", "--sender", TYPED_LINE, *along, "--json").answer
    assert {name: said[name] for name in ("kind", "tag", "policy", "hide", "message_type", "repeat")} == {
        "kind": "sms", "tag": "a-b", "policy": "slow", "hide": True, "message_type": 0, "repeat": None,
    }  # fmt: skip
    assert "sms, tag a-b, policy slow, type flash, numbers hidden" in command("show", 1).out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--type", "flash"), "3000"),
        (("--repeat", "1"), "an SMS cannot carry repeat"),
        (("--voice", "--hide"), "a call cannot carry hide"),
        (("--voice", "--sender", "10004346"), "a call takes no sender"),
        (("--voice", "--repeat", "9"), "0 to 5"),
        (("--tag", "two words"), "a tag"),
    ],
    ids=" ".join,
)
def test_what_cannot_go_along_is_told_in_a_sentence(
    command: Command, recipients: Path, options: tuple[str, ...], sentence: str
) -> None:
    said = command("create", recipients, "--text", "سلام", *options)
    assert said.exit == 2
    assert sentence in said.sentence
    assert command("list", "--json").answer == []


def test_an_order_over_celery_says_what_goes_along(engine: Engine, broker_url: str, tmp_path: Path) -> None:
    wanted = [
        {"key": "calls", "kind": "voice", "repeat": 1, "tag": "spring"},
        {"key": "calls", "kind": "voice", "repeat": 1, "tag": "spring"},
        {"key": "calls", "kind": "voice", "repeat": 2, "tag": "spring"},
        {"key": "flash", "sender": TYPED_LINE, "message_type": "flash", "hide": True, "policy": "slow"},
        {"key": "wrong", "kind": "voice", "sender": TYPED_LINE},
    ]
    done = subprocess.run(
        [sys.executable, "-c", ORDER],
        input=json.dumps(wanted),
        env=_environment(engine, broker_url, _intake(tmp_path)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, again, other, flash, wrong = json.loads(done.stdout)
    assert first == again != flash
    assert other.startswith("KeyConflict")
    assert wrong.startswith("BadInput: a call takes no sender")
    with engine.connect() as connection:
        kept = connection.execute(
            text("SELECT kind, sender, repeat, tag, policy, hide, message_type FROM sms.campaigns ORDER BY id")
        )
        assert [tuple(row) for row in kept] == [
            ("voice", "", 1, "spring", None, False, None),
            ("sms", TYPED_LINE, None, None, "slow", True, 0),
        ]
