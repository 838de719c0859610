"""Servers that come back without what they had said yes to, or with all of it: nobody gets two, nobody is left out.

The servers, their deaths and their promotions are real; the time that passes after them is not.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.stages import guards, submit
from kavenegar_campaigns.stages.submit import Outcome
from kavenegar_campaigns.store import identity
from kavenegar_campaigns.store.engine import make_engine
from kavenegar_campaigns.store.identity import Place
from kavenegar_campaigns.store.migrate import upgrade
from tests import waiting
from tests.chaos import audit, checker, dumps
from tests.chaos.mutants import careless
from tests.chaos.pair import Pair, pair
from tests.chaos.past import Past
from tests.store.emptying import empty
from tests.world import ACCOUNTS, SENDER, Sandbox, batch_ids, numbers, run_due_work, running, states

EARLY = {"synchronous_commit": "off"}
"""A shared database that says yes before a commit is on disk."""


@pytest.fixture(scope="module")
def servers_of_our_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A server with room for a standby, and our tables in its database."""
    with pair(tmp_path_factory.mktemp("pair")) as found:
        engine = make_engine(found.url)
        upgrade(engine)
        with engine.begin() as connection:
            for label in ACCOUNTS:
                identity.recognise_key(
                    connection, label, account=identity.FIRST_ACCOUNT, contradicted=False, now=datetime.now(UTC)
                )
        engine.dispose()
        yield found


@pytest.fixture
def engine(servers_of_our_own: Pair) -> Iterator[Engine]:
    """The database of the two servers, empty and at home."""
    found = make_engine(servers_of_our_own.url)
    empty(found)
    with found.begin() as connection:
        identity.record_place(connection)
    audit.install(found)
    yield found
    found.dispose()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A gateway that drops no repeats, whose operators take a day."""
    with Sandbox.start(dedupe=False, delivery_s=[86_400, 90_000]) as gateway:
        yield gateway


@pytest.fixture
def early(servers_of_our_own: Pair, engine: Engine) -> Iterator[Pair]:
    """The server confirms commits before they are on disk, and is slow to write them."""
    dumps.configure(servers_of_our_own.live_url, EARLY)
    engine.dispose()
    yield servers_of_our_own
    dumps.configure(servers_of_our_own.live_url, {"synchronous_commit": None})


def place(context: Context) -> Place:
    return context.database(identity.read_place)


def send(context: Context, batches: list[int]) -> None:
    assert [submit.send_batch(context, batch) for batch in batches] == [Outcome.ACCEPTED] * len(batches)


def questions(sandbox: Sandbox) -> int:
    """How often the gateway was asked by our ids."""
    asked: int = sandbox.summary()["requests"].get("sms/statuslocalmessageid", 0)
    return asked


def settle(context: Context, sandbox: Sandbox) -> None:
    """Until whatever could still be under way is over, and then some ticks."""
    sandbox.advance(seconds=(context.policy.quiet_period + timedelta(seconds=1)).total_seconds())
    for _ in range(4):
        run_due_work(context)


def doubles(engine: Engine, past: Past, sandbox: Sandbox) -> list[str]:
    """What the checker says of messages that were sent twice or lost, with what the database forgot beside it."""
    engine.dispose()
    with engine.begin() as connection:
        past.put_back(connection)
    found = checker.check(engine, sandbox.url)
    return [each.claim for each in found.broken if each.number in {"I1", "I2", "I3", "I8", "I9"}]


# ── commits that are confirmed before they are on disk ──


def killed(servers: Pair) -> None:
    servers.kill()
    servers.ensure()


def a_session_killed(servers: Pair) -> None:
    """The server ends every session then, and forgets what was not written; it is not restarted."""
    servers.kill_a_session()
    servers.ensure()


def restarted(servers: Pair) -> None:
    servers.strike(signal.SIGINT)
    waiting.until(lambda: not servers.is_alive, "the end of the server")
    servers.ensure()


@contextmanager
def witnessed(url: str) -> Iterator[Callable[[], bool]]:
    """Somebody who relies on the database's defaults commits at the end of the block; whether that is still there."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS witness"))
        connection.execute(text("CREATE TABLE witness AS SELECT 0 AS said"))
        connection.execute(text("SET LOCAL synchronous_commit = on"))

    def is_there() -> bool:
        with engine.connect() as connection:
            found = bool(connection.execute(text("SELECT max(said) FROM witness")).scalar_one())
        engine.dispose()
        return found

    yield is_there
    with engine.begin() as connection:
        connection.execute(text("UPDATE witness SET said = 1"))
    engine.dispose()


@pytest.mark.parametrize("die", [killed, a_session_killed])
def test_nothing_that_we_were_told_of_is_lost_where_the_database_confirms_commits_early(
    context: Context, engine: Engine, sandbox: Sandbox, early: Pair, die: Callable[[Pair], None]
) -> None:
    campaign, past = running(engine, 1000), Past()
    batches = batch_ids(engine, campaign)
    early.hold_back_the_log()
    with witnessed(early.url) as is_there:
        send(context, batches[:3])
    with past.loss(engine) as lost:
        die(early)

    assert not is_there()
    assert lost["attempts"] == lost["accepted"] == 0
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 1000}
    assert questions(sandbox) == (1 if die is killed else 0)
    assert doubles(engine, past, sandbox) == []


def test_a_campaign_that_was_created_and_started_through_an_engine_of_the_callers_own_is_not_lost_either(
    context: Context, engine: Engine, sandbox: Sandbox, early: Pair
) -> None:
    callers = create_engine(early.url)
    early.hold_back_the_log()
    with witnessed(early.url) as is_there, callers.begin() as connection:
        campaign = campaigns.create(connection, recipients=numbers(400), text="سلام", sender=SENDER)
        campaigns.start(connection, campaign)
        (said,) = connection.execute(text("SHOW synchronous_commit")).one()
    callers.dispose()
    killed(early)

    assert said == "on"
    assert not is_there()
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 400}


def test_whoever_leaves_that_to_the_database_is_caught_sending_twice(
    context: Context, engine: Engine, sandbox: Sandbox, early: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test of the test: neither is a commit pinned, nor does a restart of the server keep anything back."""
    campaign, past = running(engine, 600), Past()
    batches = batch_ids(engine, campaign)
    careless.send_wherever_it_is(monkeypatch)
    with careless.commits_left_to_the_database(monkeypatch, context, early.url) as hasty:
        early.hold_back_the_log()
        send(hasty, batches[:2])
        killed(early)
        for batch in batches:
            submit.send_batch(hasty, batch)

    assert sandbox.summary()["messages"] == 1000
    assert "nobody got a text more than once, whatever the id and the account" in doubles(engine, past, sandbox)


# ── a restart, and one to an earlier state of the disk ──


@pytest.mark.parametrize("restart", [restarted, killed])
def test_after_a_restart_that_lost_nothing_sending_goes_on_after_one_question(
    context: Context, engine: Engine, sandbox: Sandbox, servers_of_our_own: Pair, restart: Callable[[Pair], None]
) -> None:
    campaign, past = running(engine, 1000), Past()
    first, second, *_ = batch_ids(engine, campaign)
    send(context, [first])

    restart(servers_of_our_own)

    assert place(context) is Place.RESTARTED
    assert submit.send_batch(context, second) is Outcome.NOT_DUE
    run_due_work(context)
    assert place(context) is Place.HOME
    assert states(engine, campaign) == {"accepted": 1000}
    assert questions(sandbox) == 1
    assert doubles(engine, past, sandbox) == []


def test_a_snapshot_of_the_disk_that_is_brought_back_is_found_out_by_one_question(
    context: Context, engine: Engine, sandbox: Sandbox, servers_of_our_own: Pair, tmp_path: Path
) -> None:
    """The same server, the same timeline: nothing but its start time differs."""
    campaign, past, snapshot = running(engine, 1000), Past(), tmp_path / "snapshot"
    batches = batch_ids(engine, campaign)
    send(context, batches[:1])
    servers_of_our_own.set_aside(snapshot)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 1000}
    with past.loss(engine) as lost:
        servers_of_our_own.go_back(snapshot)
    shutil.rmtree(snapshot)

    assert (lost["sends"], lost["accepted"]) == (4, 800)
    assert place(context) is Place.RESTARTED
    run_due_work(context)
    assert place(context) is Place.HOME
    settle(context, sandbox)
    assert states(engine, campaign) == {"accepted": 1000}
    assert doubles(engine, past, sandbox) == []


# ── a failover ──


def failed_over(servers: Pair, engine: Engine, past: Past, meanwhile: Callable[[], None]) -> None:
    """A standby falls behind, the server dies for good, and the standby takes its place without what it missed."""
    try:
        servers.stand_by()
        servers.fall_behind()
        meanwhile()
        with past.loss(engine):
            servers.kill()
            servers.promote()
    finally:
        servers.dismiss()


def test_a_standby_that_was_behind_when_it_was_promoted_sends_nothing_twice(
    context: Context, engine: Engine, sandbox: Sandbox, servers_of_our_own: Pair
) -> None:
    campaign, past = running(engine, 1000), Past()
    batches = batch_ids(engine, campaign)
    send(context, batches[:1])
    failed_over(servers_of_our_own, engine, past, lambda: send(context, batches[1:4]))

    assert states(engine, campaign) == {"accepted": 200, "pending": 800}
    assert place(context) is Place.FAILED_OVER
    assert [submit.send_batch(context, batch) for batch in batches] == [Outcome.NOT_DUE] * 5
    run_due_work(context)
    assert place(context) is Place.HOME
    run_due_work(context)
    assert sandbox.summary()["messages"] == 800
    settle(context, sandbox)
    assert states(engine, campaign) == {"accepted": 1000}
    assert doubles(engine, past, sandbox) == []


def test_whoever_sends_wherever_the_database_is_is_caught_sending_twice(
    context: Context, engine: Engine, sandbox: Sandbox, servers_of_our_own: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test of the test."""
    campaign, past = running(engine, 600), Past()
    batches = batch_ids(engine, campaign)
    careless.send_wherever_it_is(monkeypatch)
    failed_over(servers_of_our_own, engine, past, lambda: send(context, batches[:2]))
    for batch in batches:
        submit.send_batch(context, batch)

    assert sandbox.summary()["messages"] == 1000
    assert "nobody got a text more than once, whatever the id and the account" in doubles(engine, past, sandbox)


# ── a backup ──


def gone_back(servers: Pair, engine: Engine, past: Past, backup: Path, meanwhile: Callable[[], None]) -> None:
    """The database is backed up, goes on, and is restored."""
    dumps.dump(servers.live_url, backup)
    meanwhile()
    with past.loss(engine) as lost:
        dumps.restore(servers.live_url, backup)
    assert (lost["sends"], lost["accepted"]) == (2, 400)


def test_a_backup_that_is_restored_sends_nothing_twice_of_what_left_since(
    context: Context, engine: Engine, sandbox: Sandbox, servers_of_our_own: Pair, tmp_path: Path
) -> None:
    campaign, past = running(engine, 600), Past()
    batches = batch_ids(engine, campaign)
    gone_back(servers_of_our_own, engine, past, tmp_path / "backup", lambda: send(context, batches[:2]))

    assert place(context) is Place.COPIED
    run_due_work(context)
    assert [submit.send_batch(context, batch) for batch in batches] == [Outcome.NOT_DUE] * 3
    guards.accept_database(context.database, context.policy, copy=False, now=context.now())
    settle(context, sandbox)
    assert states(engine, campaign) == {"accepted": 600}
    assert doubles(engine, past, sandbox) == []


def test_whoever_sends_from_a_restored_backup_at_once_is_caught_sending_twice(
    context: Context,
    engine: Engine,
    sandbox: Sandbox,
    servers_of_our_own: Pair,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The test of the test."""
    campaign, past = running(engine, 600), Past()
    batches = batch_ids(engine, campaign)
    careless.send_wherever_it_is(monkeypatch)
    gone_back(servers_of_our_own, engine, past, tmp_path / "backup", lambda: send(context, batches[:2]))
    for batch in batches:
        submit.send_batch(context, batch)

    assert sandbox.summary()["messages"] == 1000
    assert "nobody got a text more than once, whatever the id and the account" in doubles(engine, past, sandbox)
