"""Messages become uncertain when the time to ask is over, whether or not the gateway has answered by then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.rules.states import MessageState
from kavenegar_campaigns.stages import submit
from kavenegar_campaigns.store import outcomes
from kavenegar_campaigns.store.outcomes import UncertainBatch
from tests.world import Sandbox, batch_ids, run_due_work, running

LOCALID = "sms/statuslocalmessageid"


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A gateway whose operators take two days."""
    with Sandbox.start(delivery_s=[172_000, 172_001]) as gateway:
        yield gateway


def unanswered(context: Context, engine: Engine, sandbox: Sandbox, count: int = 3) -> int:
    """A campaign whose one request is lost with its answer, at a gateway that then answers no question."""
    campaign = running(engine, count)
    sandbox.arm("accept_then_drop", "sms/send", count=1)
    sandbox.arm("drop", LOCALID)
    (batch,) = batch_ids(engine, campaign)
    submit.send_batch(context, batch)
    return campaign


def open_cases(engine: Engine) -> list[UncertainBatch]:
    with engine.connect() as connection:
        return list(outcomes.uncertain_batches(connection))


def ask_without_answer(context: Context) -> None:
    """Ask the gateway about the batches that are due; it does not answer."""
    asked = text("SELECT count(*) FROM sms.attempts WHERE kind = 'resolve' AND event = 'began'")
    with context.database.engine.begin() as connection:
        before = connection.execute(asked).scalar_one()
        connection.execute(text("UPDATE sms.batches SET due_at = :now, enqueued_at = NULL"), {"now": context.now()})
    run_due_work(context)
    with context.database.engine.connect() as connection:
        assert connection.execute(asked).scalar_one() == before + 1


def tick_when_due(context: Context) -> None:
    with context.database.engine.begin() as connection:
        connection.execute(text("UPDATE sms.batches SET due_at = :now, enqueued_at = NULL"), {"now": context.now()})
    run_due_work(context)


def test_at_the_end_of_the_window_messages_are_uncertain_although_the_gateway_is_still_away(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = unanswered(context, engine, sandbox)
    sandbox.advance(hours=11, minutes=30)
    ask_without_answer(context)
    assert open_cases(engine) == []
    sandbox.advance(minutes=31)

    tick_when_due(context)

    (found,) = open_cases(engine)
    assert (found.campaign_id, found.messages, found.trouble) == (campaign, 3, outcomes.WINDOW_ENDED)
    with engine.connect() as connection:
        assert campaigns.progress(connection, campaign).counts[MessageState.UNCERTAIN] == 3
    run_due_work(context)
    with engine.connect() as connection:
        assert campaigns.get(connection, campaign).finished_at is not None


def test_the_end_of_a_shorter_window_is_its_own(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    short = replace(context, policy=replace(context.policy, localid_window=timedelta(hours=2)))
    unanswered(short, engine, sandbox)
    sandbox.advance(hours=1, minutes=55)
    ask_without_answer(short)
    assert open_cases(engine) == []
    sandbox.advance(minutes=6)
    tick_when_due(short)
    assert [each.messages for each in open_cases(engine)] == [3]


def test_before_it_is_given_up_it_is_asked_once_more(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    """Nobody worked for half a day: a gateway that remembers for longer than we rely on still says what it has."""
    sandbox.turn(localid_window_s=86_400)
    campaign = unanswered(context, engine, sandbox)
    sandbox.disarm()
    sandbox.advance(hours=13)
    tick_when_due(context)
    assert open_cases(engine) == []
    with engine.connect() as connection:
        assert campaigns.progress(connection, campaign).counts[MessageState.ACCEPTED] == 3


def test_what_nobody_asked_about_for_twice_the_window_is_given_up_unasked(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    unanswered(context, engine, sandbox)
    sandbox.advance(hours=25)
    tick_when_due(context)
    assert [each.trouble for each in open_cases(engine)] == [outcomes.WINDOW_ENDED]


def test_what_may_have_left_from_a_lost_history_is_asked_about_before_it_is_given_up(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """Its requests may have left until the restore, however long ago the backup was made."""
    campaign = unanswered(context, engine, sandbox)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE sms.batches SET first_sent_at = first_sent_at - interval '30 hours', trouble = 'restored'")
        )
        connection.execute(
            text("""
                INSERT INTO sms.attempts (batch_id, call_id, kind, event, attempt, messages, at)
                SELECT id, gen_random_uuid(), 'send', 'may have left', 1, 3, :now FROM sms.batches
            """),
            {"now": context.now()},
        )
    sandbox.advance(hours=1)
    ask_without_answer(context)
    tick_when_due(context)
    assert open_cases(engine) == []
    sandbox.disarm()
    tick_when_due(context)
    with engine.connect() as connection:
        assert campaigns.progress(connection, campaign).counts[MessageState.ACCEPTED] == 3
