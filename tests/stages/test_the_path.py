"""One campaign walks the whole path, stage by stage, on the real parts."""

from __future__ import annotations

import io

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.rules.states import CampaignState, MessageState
from tests.world import Sandbox, counters, numbers, run_due_work, running, states


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def _verdicts(context: Context, engine: Engine, sandbox: Sandbox, campaign_id: int, *, ticks: int = 40) -> None:
    """Tick until the campaign is over, letting time pass between the ticks."""
    for _ in range(ticks):
        run_due_work(context)
        with engine.connect() as connection:
            if campaigns.get(connection, campaign_id).finished_at:
                return
        sandbox.advance(minutes=6)
    raise AssertionError("the campaign did not finish")


def test_everybody_gets_one_message_and_every_message_a_verdict(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 1001)

    _verdicts(context, engine, sandbox, campaign)

    sent = sandbox.summary()
    assert sent["messages"] == 1001
    assert sent["localids_sent_twice"] == 0
    found = states(engine, campaign)
    assert sum(found.values()) == 1001
    assert set(found) <= {"delivered", "undelivered", "failed", "blocked"}
    with engine.connect() as connection:
        assert counters(connection, campaign) == found
        assert campaigns.get(connection, campaign).state is CampaignState.FINISHED


def test_a_personal_text_reaches_each_number_as_its_own(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    campaign = running(engine, 450, text="سلام {name}، سفارش شما آماده است")

    _verdicts(context, engine, sandbox, campaign)

    assert sandbox.summary()["requests"].get("sms/sendarray") == 3
    assert sandbox.summary()["messages"] == 450


def test_answers_that_come_shuffled_are_matched_by_number(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.turn(order="shuffled")
    campaign = running(engine, 400, text="سلام {name}")

    run_due_work(context)

    assert states(engine, campaign) == {"accepted": 400}
    with engine.connect() as connection:
        wrong = connection.execute(text("SELECT count(*) FROM sms.messages WHERE gateway_id IS NULL")).scalar_one()
    assert wrong == 0


def test_polls_are_packed_with_five_hundred_messages_of_many_batches(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 3000)
    run_due_work(context)
    sandbox.advance(minutes=6)

    run_due_work(context)

    with engine.connect() as connection:
        report = campaigns.build_report(connection, campaign)
    assert report.requests["poll"] == 6
    assert report.mean_poll == 500
    assert report.mean_batch == 200


def test_a_message_whose_window_closes_expires_with_its_last_known_status(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(fates={"stuck": 1.0})
    campaign = running(engine, 300)
    run_due_work(context)

    for _ in range(5):
        sandbox.advance(hours=10)
        run_due_work(context)

    assert states(engine, campaign) == {"expired": 300}
    with engine.connect() as connection:
        kept = connection.execute(text("SELECT DISTINCT status FROM sms.messages")).scalars().all()
        assert campaigns.get(connection, campaign).state is CampaignState.FINISHED
    assert kept == [4]


def test_a_suppressed_number_gets_nothing_and_is_in_the_report(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO sms.suppressions (number, reason, source) VALUES (:number, 'opt-out', 'test')"),
            {"number": numbers(1)[0]},
        )
    campaign = running(engine, 250)

    run_due_work(context)

    assert states(engine, campaign) == {"accepted": 249, "suppressed": 1}
    assert sandbox.summary()["messages"] == 249
    out = io.StringIO()
    with engine.connect() as connection:
        assert campaigns.export(connection, campaign, out) == 250
    assert '"suppressed"' in out.getvalue()


def test_a_paused_campaign_sends_nothing_and_goes_on_where_it_stopped(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 400)
    with engine.begin() as connection:
        campaigns.pause(connection, campaign)

    run_due_work(context)
    assert sandbox.summary()["messages"] == 0

    with engine.begin() as connection:
        campaigns.resume(connection, campaign)
    run_due_work(context)
    assert sandbox.summary()["messages"] == 400


def test_a_cancelled_campaign_sends_nothing_more_and_says_so_of_every_message(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 400)
    with engine.begin() as connection:
        campaigns.cancel(connection, campaign)

    run_due_work(context)

    assert sandbox.summary()["messages"] == 0
    assert states(engine, campaign) == {"cancelled": 400}
    with engine.connect() as connection:
        over = campaigns.progress(connection, campaign)
    assert over.campaign.finished_at is not None
    assert over.counts[MessageState.CANCELLED] == 400
