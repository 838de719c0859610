"""What an operator sees of a restored database and does about it, and what the doctor says that is not safe."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import CampaignState
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.store import gate, identity
from kavenegar_campaigns.store.identity import Place
from tests.backups import administer, dump, restore
from tests.worker.conftest import Command, Said
from tests.world import SENDER, Sandbox, run_due_work, running, states


@pytest.fixture
def restored(context: Context, engine: Engine) -> int:
    """A campaign of 400 that runs in a database that was restored from a backup."""
    campaign = running(engine, 400)
    restore(engine, dump(engine))
    return campaign


def place(engine: Engine) -> Place:
    with engine.connect() as connection:
        return identity.read_place(connection)


def finding(command: Command, name: str, **environment: str) -> dict[str, str]:
    (found,) = (each for each in command("doctor", "--json", **environment).answer["findings"] if each["name"] == name)
    return dict(found)


def refused(said: Said) -> str:
    assert said.exit == 2, said
    return said.sentence


def test_the_command_says_what_will_be_asked_about_and_afterwards_the_campaign_goes_on(
    command: Command, context: Context, engine: Engine, sandbox: Sandbox, restored: int
) -> None:
    assert "campaigns restored" in command("show", restored).out
    said = command("restored", "--yes")
    assert said.exit == 0, said
    assert f"campaign {restored} " in said.out
    assert "2 batches may have left" in said.out
    assert "ids are of epoch" in said.out

    assert place(engine) is Place.HOME
    sandbox.advance(minutes=10)
    for _ in range(3):
        run_due_work(context)
    assert states(engine, restored) == {"accepted": 400}
    assert sandbox.summary()["most_copies_to_one_receptor"] == 1


def test_the_answer_as_json(command: Command, restored: int) -> None:
    answer = command("restored", "--yes", "--json").answer
    assert (answer["cause"], answer["batches"], answer["campaigns"]) == ("restored", 2, [restored])
    assert set(answer) == {"cause", "lost_since", "ask_at", "epoch", "batches", "otps", "lines", "campaigns"}


def test_of_a_copy_everything_is_left_to_the_original(command: Command, engine: Engine, restored: int) -> None:
    said = command("restored", "--copy", "--yes")
    assert said.exit == 0, said
    assert "1 campaigns are cancelled here" in said.out
    assert "not pulled here any more" in said.out
    with engine.connect() as connection:
        assert campaigns.get(connection, restored).state is CampaignState.CANCELLED


def test_without_a_yes_nothing_is_decided(command: Command, engine: Engine, restored: int) -> None:
    assert "say --yes" in refused(command("restored"))
    assert place(engine) is Place.COPIED


@pytest.mark.parametrize(
    "arguments",
    [("epoch", "renew", "--yes"), ("inbox", "pull", SENDER), ("suppress", "sync", "--line", SENDER)],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_what_shows_outside_of_a_copy_is_refused_until_it_is_known_what_it_is(
    command: Command, restored: int, arguments: tuple[str, ...]
) -> None:
    assert "`campaigns restored` comes first" in refused(command(*arguments))
    command("restored", "--yes")
    assert "comes first" not in command(*arguments).err


def test_the_command_may_be_given_twice(command: Command, restored: int) -> None:
    first, second = (command("restored", "--yes", "--json").answer for _ in range(2))
    assert second["epoch"] != first["epoch"]
    assert second["batches"] == first["batches"] == 2


# ── the doctor ──


def test_the_doctor_says_where_the_database_is(command: Command, engine: Engine) -> None:
    assert finding(command, "place")["level"] == "ok"
    restore(engine, dump(engine))
    found = finding(command, "place")
    assert found["level"] == "bad"
    assert "campaigns restored --copy" in found["do"]
    assert command("doctor").exit == 1


def test_the_doctor_says_that_the_clock_of_the_database_leapt(command: Command, context: Context) -> None:
    assert finding(command, "database clock")["level"] == "ok"
    context.database(gate.note_leap, by=timedelta(hours=-1), now=context.now())
    found = finding(command, "database clock")
    assert found["level"] == "bad"
    assert "it leapt back by 60 min" in found["says"]


def test_the_doctor_finds_what_a_clock_that_ran_ahead_left_behind(command: Command, engine: Engine) -> None:
    running(engine, 3)
    assert finding(command, "due times")["level"] == "ok"
    with engine.begin() as connection:
        connection.execute(text("UPDATE sms.batches SET due_at = now() + interval '1 hour'"))
    found = finding(command, "due times")
    assert (found["level"], found["says"][:10]) == ("warn", "1 batches ")


@pytest.mark.parametrize("setting", ["synchronous_commit", "fsync"])
def test_the_doctor_looks_whether_what_is_confirmed_stays(command: Command, engine: Engine, setting: str) -> None:
    """The database of the tests is in haste; ours asks for more, whatever a server's or a role's own is."""
    found = finding(command, "durability")
    assert found["level"] == "bad"
    assert "fsync" in found["says"], "the tests' server runs without it"
    name = engine.url.database
    administer(engine, f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    assert "our sessions run with" not in str(command("doctor", "--json").answer)


def test_the_doctor_says_that_unanswered_requests_are_asked_about_too_soon(command: Command) -> None:
    assert finding(command, "unknown outcomes")["level"] == "ok"
    found = finding(command, "unknown outcomes", UNKNOWN_GRACE="31s")
    assert found["level"] == "warn"
    assert "1 s longer than a request may last" in found["says"]


def test_the_doctor_says_whose_key_it_is_and_what_only_another_one_can_ask_about(
    command: Command, context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    assert finding(command, "key")["level"] == "ok"
    assert finding(command, "key", KAVENEGAR_API_KEY="never-seen-before")["level"] == "warn"
    sandbox.arm("accept_then_drop", "sms/send", count=1)
    running(engine, 200)
    run_due_work(context)
    with engine.begin() as connection:
        connection.execute(text("UPDATE sms.batches SET account = 7 WHERE state = 'unknown'"))
    found = finding(command, "key")
    assert found["level"] == "bad"
    assert "1 unanswered batches (200 messages) left under another account" in found["says"]


@pytest.mark.parametrize(("shared", "level"), [("no", "bad"), ("yes", "ok")])
def test_the_doctor_says_what_the_gateway_counts_beyond_ours(
    command: Command, engine: Engine, shared: str, level: str
) -> None:
    assert finding(command, "ledger")["level"] == "ok"
    with engine.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO sms.ledger_days (day, messages, parts, cost_rial, gateway_messages, gateway_parts,
                                      gateway_cost_rial, unexplained, seen_at)
                VALUES ('2026-11-28', 100, 100, 12000, 1234, 1234, 99999, 1134, now())
            """)
        )
    found = finding(command, "ledger", ACCOUNT_SHARED=shared)
    assert found["level"] == level
    assert "1,134 messages that cannot be explained" in found["says"]
