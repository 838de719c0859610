"""The ledger: what left the account on a day, by our own rows and by the gateway's count."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.rules.dates import TEHRAN
from kavenegar_campaigns.rules.otp_request import parse_otp_request
from kavenegar_campaigns.rules.states import OtpState
from kavenegar_campaigns.stages import dispatch, sent_at_gateway, submit
from kavenegar_campaigns.stages.otp.send import send_at_once as send_otp
from kavenegar_campaigns.store.ledger import Counted, Estimated, newest_days
from tests.world import SENDER, Sandbox, batch_ids, numbers, running

PRICE = 120


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def sent(context: Context, engine: Engine, count: int) -> None:
    """Messages that the gateway has taken."""
    for batch_id in batch_ids(engine, running(engine, count)):
        submit.send_batch(context, batch_id)


def password(context: Context) -> None:
    """A one-time password that the gateway has taken."""
    lifetime = timedelta(minutes=2)
    tokens = {"token": "1234"}
    wanted = parse_otp_request(
        "sms", numbers(1)[0], "verify", tokens, key="login:1", tag=None, call_after=None, lifetime=lifetime
    )
    assert send_otp(context, wanted).state is OtpState.ACCEPTED


def at_noon(context: Context, sandbox: Sandbox) -> None:
    """Let it be noon in Tehran: what is sent and counted now is of one day."""
    now = context.now().astimezone(TEHRAN)
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
    sandbox.advance(seconds=((noon - now) % timedelta(days=1)).total_seconds())


def test_a_day_on_which_only_we_sent_has_no_difference(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    at_noon(context, sandbox)
    sent(context, engine, 250)
    today, yesterday, before = sent_at_gateway.keep_ledger(context)
    assert today.ours == today.gateway == Counted(250, 250, 250 * PRICE)
    assert today.difference == Counted(0, 0, 0)
    assert today.day == context.now().astimezone(TEHRAN).date()
    assert yesterday.ours == yesterday.gateway == before.gateway == Counted(0, 0, 0)


def test_what_was_never_priced_costs_as_the_others_of_its_kind_and_is_said_to_be_estimated(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """A call costs 900 rial here, a message 120: one average over both would be wrong about each."""
    at_noon(context, sandbox)
    sent(context, engine, 10)
    with engine.begin() as connection:
        calls = campaigns.create(connection, recipients=numbers(4), text="سلام", kind="voice")
        campaigns.start(connection, calls)
    for batch_id in batch_ids(engine, calls):
        submit.send_batch(context, batch_id)
    password(context)
    priced = sent_at_gateway.keep_ledger(context)[0]
    assert priced.estimated == Estimated(0, 0)
    assert priced.ours.cost_rial == priced.gateway.cost_rial  # type: ignore[union-attr]

    with engine.begin() as connection:  # as an answer that was lost leaves them
        unpriced = text("""
            UPDATE sms.messages SET cost_rial = NULL
             WHERE id IN (SELECT min(message.id) FROM sms.messages AS message
                            JOIN sms.campaigns AS campaign ON campaign.id = message.campaign_id GROUP BY campaign.kind)
        """)
        assert connection.execute(unpriced).rowcount == 2
    found = sent_at_gateway.keep_ledger(context)[0]
    assert found.ours == priced.ours
    assert found.estimated == Estimated(2, PRICE + 900)


def test_a_kind_without_any_price_is_counted_as_nothing_and_said_to_be_estimated(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    at_noon(context, sandbox)
    sent(context, engine, 10)
    password(context)
    with engine.begin() as connection:
        connection.execute(text("UPDATE sms.otps SET cost_rial = NULL"))
    today = sent_at_gateway.keep_ledger(context)[0]
    assert (today.ours.messages, today.ours.cost_rial) == (11, 10 * PRICE)
    assert today.estimated == Estimated(1, 0)


def test_what_others_send_on_the_account_is_the_difference(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    at_noon(context, sandbox)
    sent(context, engine, 10)
    panel = Client(sandbox.api_key, sandbox.url)
    panel.send(["09129999999", "09128888888"], "سلام", sender=SENDER, localids=None)
    panel.close()
    assert sent_at_gateway.keep_ledger(context)[0].difference == Counted(2, 2, 2 * PRICE)


def test_what_the_gateway_said_is_kept_when_it_can_no_longer_be_asked(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    at_noon(context, sandbox)
    sent(context, engine, 10)
    first = sent_at_gateway.keep_ledger(context)[0]
    sandbox.advance(days=5)
    sent_at_gateway.keep_ledger(context)
    sandbox.turn(account_code=403)
    sent_at_gateway.keep_ledger(context)
    kept = {day.day: day for day in context.database(newest_days, limit=100)}
    assert kept[first.day] == first
    assert sent_at_gateway.recount_days(context) != []
    today = kept[context.now().astimezone(TEHRAN).date()]
    assert today.gateway == Counted(0, 0, 0)  # from the count before the gateway refused


def test_a_day_that_the_gateway_never_answered_for_has_no_difference(context: Context, sandbox: Sandbox) -> None:
    sandbox.turn(account_code=403)
    assert [day.difference for day in sent_at_gateway.keep_ledger(context)] == [None, None, None]


def test_one_counts_the_days_once_an_hour(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    assert dispatch.due_chores(context, now=context.now()).ledger
    assert not dispatch.due_chores(context, now=context.now()).ledger
    sandbox.advance(hours=1)
    assert dispatch.due_chores(context, now=context.now()).ledger


@pytest.mark.parametrize("minute", [0, 1, 23 * 60 + 58, 23 * 60 + 59])
def test_the_days_can_be_counted_in_every_minute_of_a_day(context: Context, sandbox: Sandbox, minute: int) -> None:
    now = context.now().astimezone(TEHRAN)
    then = now.replace(hour=0, minute=0, second=30, microsecond=0) + timedelta(minutes=minute)
    sandbox.advance(seconds=((then - now) % timedelta(days=1)).total_seconds())
    assert len(sent_at_gateway.keep_ledger(context)) == 3
