"""A key in a file that is corrected or rotated is used by every process without a restart."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from campaigns_devkit import Supervisor
from campaigns_devkit.supervisor import procfile_commands
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.paced_client import PacedClient
from kavenegar_campaigns.stages import account
from kavenegar_campaigns.stages.waiting import WaitingReason
from kavenegar_campaigns.stages.waiting.reasons import why_waiting
from kavenegar_campaigns.store import identity, installation
from kavenegar_worker.settings import KeyFile
from tests.waiting import PATIENCE_S, until
from tests.worker.conftest import Command
from tests.world import Sandbox, run_due_work, running

RIGHT, WRONG = Sandbox.api_key, "a-key-that-nobody-has"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(f"{WRONG}\n")
    return path


# ── the file ──


def test_a_key_is_read_again_when_its_file_was_written_or_replaced(file: Path, tmp_path: Path) -> None:
    found = KeyFile(file, WRONG)
    assert found.key() == WRONG
    file.write_text("another-key\n")
    assert found.key() == "another-key"
    (tmp_path / "new").write_text("a-third-key")
    (tmp_path / "new").replace(file)
    assert found.key() == "a-third-key"


def test_a_key_is_kept_while_its_file_holds_none_that_can_be_used(file: Path) -> None:
    found = KeyFile(file, WRONG)
    file.write_text("")
    assert found.key() == WRONG
    file.write_text("two words")
    assert found.key() == WRONG
    file.unlink()
    assert found.key() == WRONG
    file.write_text(RIGHT)
    assert found.key() == RIGHT


def test_the_link_that_a_mounted_secret_is_may_lead_elsewhere(tmp_path: Path) -> None:
    for name, key in (("one", "first-key"), ("two", "second-key")):
        (tmp_path / name).write_text(key)
    link = tmp_path / "link"
    link.symlink_to("one")
    found = KeyFile(link, "first-key")
    assert found.key() == "first-key"
    link.unlink()
    link.symlink_to("two")
    assert found.key() == "second-key"


# ── the processes ──


@pytest.fixture
def strange(engine: Engine) -> Engine:
    """A database in which no key has ever been used."""
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE sms.accounts"))
    return engine


@pytest.fixture
def workers(
    strange: Engine, file: Path, database_url: str, broker_url: str, sandbox: Sandbox, tmp_path: Path
) -> Iterator[Supervisor]:
    """Both workers and the beat, with a wrong key in their file."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "CAMPAIGNS_HOME": str(tmp_path),
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "KAVENEGAR_API_KEY_FILE": str(file),
        "KAVENEGAR_BASE_URL": sandbox.url,
        "HOLD_RECHECK": "2s",
        "REENQUEUE_AFTER": "3s",
        "STATUS_POLLS": "2s,3s,5s,10s,30s,60s",
        "PACE_START": "100",
        "PACE_MAX": "100",
    }
    supervisor = Supervisor(procfile_commands(("worker-send", "worker-poll", "beat")), environment, tmp_path / "logs")
    supervisor.start()
    yield supervisor
    supervisor.stop(grace_s=10)


@pytest.mark.timeout(4 * PATIENCE_S)
def test_a_campaign_goes_on_by_itself_once_the_key_in_the_file_is_right(
    engine: Engine, workers: Supervisor, file: Path, sandbox: Sandbox
) -> None:
    campaign = running(engine, 600)
    until(lambda: _hold_code(engine) == 403, "the hold of the account")
    assert sandbox.summary()["messages"] == 0
    file.write_text(RIGHT)
    until(lambda: _finished(engine, campaign), "the end of the campaign")
    with engine.connect() as connection:
        assert campaigns.progress(connection, campaign).counts[campaigns.MessageState.UNCERTAIN] == 0
    assert sandbox.summary()["messages"] == 600
    assert all(not state.restarts for state in workers.states())


def _hold_code(engine: Engine) -> int | None:
    with engine.connect() as connection:
        hold = installation.read(connection).hold
        return None if hold is None else hold.code


def _finished(engine: Engine, campaign: int) -> bool:
    with engine.connect() as connection:
        return campaigns.get(connection, campaign).finished_at is not None


# ── a key that the gateway does not take ──


def test_a_key_that_the_gateway_does_not_take_belongs_to_nobody_and_says_so_at_once(
    context: Context, strange: Engine, sandbox: Sandbox
) -> None:
    """Before, it was taken for an account of its own: what left under it waited for a key that is no key."""
    with_wrong_key = replace(context, gateway=PacedClient(Client(WRONG, sandbox.url, deadline_s=15.0), context.pace))
    campaign = running(strange, 400)
    run_due_work(with_wrong_key)
    assert not account.recognise_key(with_wrong_key)
    with strange.connect() as connection:
        assert identity.account_of_key(connection, with_wrong_key.account) is None
        waits = why_waiting(connection, campaign, now=context.now(), pace=context.pace.view())
    assert waits is not None
    assert waits.reason is WaitingReason.ON_HOLD
    sandbox.advance(seconds=61)
    for _ in range(3):
        run_due_work(context)
        sandbox.advance(seconds=11)
    assert sandbox.summary()["messages"] == 400


@pytest.mark.parametrize("in_file", [True, False])
def test_doctor_says_what_a_right_key_takes(command: Command, engine: Engine, file: Path, in_file: bool) -> None:
    with engine.begin() as connection:
        now = connection.execute(text("SELECT now()")).scalar_one()
        installation.hold_account(connection, code=403, reason="the API key is not valid", hold_recheck_at=now, now=now)
    chosen = {"KAVENEGAR_API_KEY": None, "KAVENEGAR_API_KEY_FILE": str(file)} if in_file else {}
    said = command("doctor", "--json", **chosen).answer
    (found,) = (each for each in said["findings"] if each["name"] == "account")
    if in_file:
        assert found["do"].startswith(f"write the right key into {file}: every process reads it again")
    else:
        assert found["do"].startswith("correct KAVENEGAR_API_KEY and start every process again")
