"""A restored backup: nothing leaves before a person has said so, nobody gets two messages, and nobody is left out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import CampaignState
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.rules.batches import EPOCH_SHIFT
from kavenegar_campaigns.stages import submit
from kavenegar_campaigns.stages.submit import Outcome
from kavenegar_campaigns.store import gate, identity, installation
from kavenegar_campaigns.store.identity import Place
from kavenegar_campaigns.store.restores import Cause
from tests.backups import administer, dump, restore
from tests.stages.restoring import accepted, everybody_got_one, place, send_some, settle
from tests.world import SENDER, Sandbox, batch_ids, claimed, numbers, run_due_work, running, states


@pytest.fixture(params=[True, False], ids=["dedupe", "no dedupe"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A gateway of either kind, whose operators take a day."""
    with Sandbox.start(dedupe=request.param, delivery_s=[86_400, 90_000]) as gateway:
        yield gateway


# ── restored ──


def test_nothing_is_sent_before_a_person_has_spoken_and_then_everybody_has_one_message(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 2000)
    send_some(context, engine, campaign, 3)
    backup = dump(engine)
    send_some(context, engine, campaign, 7)
    restore(engine, backup)

    assert place(engine) is Place.COPIED
    for _ in range(3):
        run_due_work(context)
    assert [submit.send_batch(context, batch_id) for batch_id in batch_ids(engine, campaign)] == [Outcome.NOT_DUE] * 10
    everybody_got_one(sandbox, 2000)

    done = accepted(context)
    assert (done.cause, done.batches, done.campaigns) == (Cause.RESTORED, 7, [campaign])
    run_due_work(context)
    everybody_got_one(sandbox, 2000)
    settle(context, sandbox)

    assert states(engine, campaign) == {"accepted": 2000}
    everybody_got_one(sandbox, 2000)


def test_what_was_never_sent_leaves_once_under_its_old_ids(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    campaign = running(engine, 1000)
    send_some(context, engine, campaign, 1)
    backup = dump(engine)
    send_some(context, engine, campaign, 2)
    restore(engine, backup)
    before = batch_ids(engine, campaign)

    accepted(context)
    settle(context, sandbox)

    assert states(engine, campaign) == {"accepted": 1000}
    assert batch_ids(engine, campaign) == before
    everybody_got_one(sandbox, 1000)


def test_what_may_have_left_longer_ago_than_the_gateway_remembers_is_uncertain(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 600)
    answered = run_due_work(context).send
    assert len(answered) == 3
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE sms.batches SET state = 'ready', pending = 200, accepted = 0, poll_at = NULL, "
                "accepted_at = NULL, closes_at = NULL, first_sent_at = NULL"
            )
        )
        connection.execute(
            text("UPDATE sms.messages SET state = 'pending', gateway_id = NULL, status = NULL, cost_rial = NULL")
        )
    restore(engine, dump(engine))
    sandbox.advance(hours=13)

    accepted(context)
    settle(context, sandbox)

    assert states(engine, campaign) == {"uncertain": 600}
    everybody_got_one(sandbox, 600)


def test_a_draft_that_left_in_the_lost_history_is_asked_about_when_it_is_started(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=numbers(400), text="سلام", sender=SENDER)
    backup = dump(engine)
    with engine.begin() as connection:
        campaigns.start(connection, campaign)
    send_some(context, engine, campaign, 1)
    restore(engine, backup)
    accepted(context)

    with engine.begin() as connection:
        campaigns.start(connection, campaign)
    run_due_work(context)
    everybody_got_one(sandbox, 200)
    settle(context, sandbox)

    assert states(engine, campaign) == {"accepted": 400}
    everybody_got_one(sandbox, 400)


def test_a_campaign_created_before_the_word_was_spoken_has_ids_of_its_own_and_is_sent_as_any_other(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """The backup is so old that what may have left since is uncertain; this campaign cannot have."""
    backup = dump(engine)
    lost = running(engine, 200, text="این را کسی در تاریخچه‌ی تازه ندارد")
    send_some(context, engine, lost, 1)
    restore(engine, backup)
    sandbox.advance(hours=13)

    young = running(engine, 200, text="تازه")
    assert accepted(context).batches == 0
    younger = running(engine, 200, text="تازه‌تر")
    settle(context, sandbox)

    assert states(engine, young) == states(engine, younger) == {"accepted": 200}
    with engine.connect() as connection:
        epochs = (
            connection.execute(text("SELECT DISTINCT id >> :shift FROM sms.messages"), {"shift": EPOCH_SHIFT})
            .scalars()
            .all()
        )
        current = installation.read(connection).epoch
    assert len(epochs) == 2
    assert current in epochs
    assert sandbox.summary()["localids_sent_twice"] == 0
    assert sandbox.summary()["messages"] == 600


def test_a_claim_of_the_lost_history_decides_nothing_and_its_answer_counts(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """A worker goes on with what it holds in memory, while the database under it is restored."""
    from kavenegar_campaigns.stages.answers import match_rows
    from kavenegar_campaigns.stages.submit import _accept_answer, request_send
    from kavenegar_campaigns.store import batches

    campaign = running(engine, 200)
    (only,) = batch_ids(engine, campaign)
    backup = dump(engine)
    claim = claimed(context, only)
    restore(engine, backup)
    accepted(context)

    answer = request_send(context.gateway, claim, in_time=lambda: True)
    assert not context.database(batches.release, claim, due_at=context.now(), trouble="zombie")
    context.database(_accept_answer, context, claim, match_rows(claim, answer), now=context.now())

    assert states(engine, campaign) == {"accepted": 200}
    settle(context, sandbox)
    everybody_got_one(sandbox, 200)


def test_the_command_works_where_the_database_cannot_tell(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    """Restored from a snapshot of the disk, with the server's start time as it was: nothing in it differs."""
    campaign = running(engine, 400)
    assert place(engine) is Place.HOME
    assert accepted(context).batches == 2
    assert submit.send_batch(context, batch_ids(engine, campaign)[0]) is Outcome.NOT_DUE
    settle(context, sandbox)
    everybody_got_one(sandbox, 400)


# ── copied ──


def test_a_clone_sends_nothing_and_leaves_everything_to_the_original(
    context: Context, engine: Engine, sandbox: Sandbox, request: pytest.FixtureRequest
) -> None:
    campaign = running(engine, 400)
    send_some(context, engine, campaign, 1)
    name = f"{engine.url.database}_clone"
    administer(engine, f"CREATE DATABASE {name} TEMPLATE {engine.url.database}")
    clone = _at(context, engine, name)

    assert place(clone.database.engine) is Place.COPIED
    for _ in range(3):
        run_due_work(clone)
    everybody_got_one(sandbox, 200)
    done = accepted(clone, copy=True)
    assert done.campaigns == [campaign]
    settle(clone, sandbox)

    with clone.database.engine.connect() as connection:
        assert campaigns.get(connection, campaign).state is CampaignState.CANCELLED
    assert states(clone.database.engine, campaign) == {"accepted": 200, "cancelled": 200}
    everybody_got_one(sandbox, 200)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 400}
    everybody_got_one(sandbox, 400)
    clone.database.engine.dispose()


def _at(context: Context, engine: Engine, name: str) -> Context:
    from dataclasses import replace

    from kavenegar_campaigns.store.database import Database
    from kavenegar_campaigns.store.engine import make_engine

    url = engine.url.set(database=name).render_as_string(hide_password=False)
    database = Database(make_engine(url))
    return replace(context, database=database)


# ── failed over, restarted ──


def _pretend(engine: Engine, change: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(f"UPDATE sms.identity SET {change}, written_by = pg_current_xact_id()::xid::text::bigint")
        )


def test_after_a_failover_everything_is_asked_about_without_a_person(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 600)
    send_some(context, engine, campaign, 1)
    _pretend(engine, "timeline = timeline - 1, server_started_at = server_started_at - interval '1 hour'")
    assert place(engine) is Place.FAILED_OVER
    assert submit.send_batch(context, batch_ids(engine, campaign)[1]) is Outcome.NOT_DUE

    run_due_work(context)
    assert place(engine) is Place.HOME
    run_due_work(context)
    everybody_got_one(sandbox, 200)
    settle(context, sandbox)

    assert states(engine, campaign) == {"accepted": 600}
    everybody_got_one(sandbox, 600)


def test_after_a_restart_one_question_tells_that_nothing_was_lost(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 600)
    send_some(context, engine, campaign, 1)
    _pretend(engine, "server_started_at = server_started_at - interval '1 hour'")
    assert place(engine) is Place.RESTARTED
    assert submit.send_batch(context, batch_ids(engine, campaign)[1]) is Outcome.NOT_DUE

    run_due_work(context)

    assert place(engine) is Place.HOME
    assert states(engine, campaign) == {"accepted": 600}
    assert sandbox.summary()["requests"]["sms/statuslocalmessageid"] == 1
    everybody_got_one(sandbox, 600)


def test_after_a_restart_with_nothing_to_send_nobody_is_asked(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    _pretend(engine, "server_started_at = server_started_at - interval '1 hour'")
    run_due_work(context)
    assert place(engine) is Place.HOME
    assert sandbox.summary()["requests"] == {}


def test_commits_that_were_lost_in_a_restart_are_found_out(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    campaign = running(engine, 1000)
    backup = dump(engine)
    send_some(context, engine, campaign, 2)
    restore(engine, backup)
    with engine.begin() as connection:
        identity.record_place(connection)
    _pretend(engine, "server_started_at = server_started_at - interval '1 hour'")

    run_due_work(context)
    assert place(engine) is Place.HOME
    run_due_work(context)
    everybody_got_one(sandbox, 400)
    settle(context, sandbox)

    assert states(engine, campaign) == {"accepted": 1000}
    everybody_got_one(sandbox, 1000)


def test_a_gateway_that_cannot_be_asked_after_a_restart_keeps_everything_back(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 200)
    _pretend(engine, "server_started_at = server_started_at - interval '1 hour'")
    sandbox.arm("http_5xx_html_before", "sms/statuslocalmessageid", count=2)
    run_due_work(context)
    assert place(engine) is Place.RESTARTED
    assert states(engine, campaign) == {"pending": 200}
    sandbox.advance(seconds=11)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 200}


def test_a_gate_that_is_shut_is_seen(context: Context, engine: Engine) -> None:
    with engine.connect() as connection:
        assert gate.read_gate(connection).is_open
    _pretend(engine, "server_started_at = server_started_at - interval '1 hour'")
    with engine.connect() as connection:
        assert not gate.read_gate(connection).is_open
