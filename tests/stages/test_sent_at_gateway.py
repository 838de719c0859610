"""What the gateway itself says was sent, and which of it is ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.errors import RequestRefused
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.rules.states import MessageState
from kavenegar_campaigns.stages import sent_at_gateway, submit
from kavenegar_campaigns.stages.otp.send import send_otp as run_otp
from kavenegar_campaigns.stages.sent_at_gateway import OutboxMessage, Unlisted
from kavenegar_campaigns.store import lookups
from tests.world import SENDER, Sandbox, batch_ids, numbers, running


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def sent(context: Context, engine: Engine, count: int) -> int:
    """A campaign whose messages the gateway has taken."""
    campaign = running(engine, count)
    for batch_id in batch_ids(engine, campaign):
        submit.send_batch(context, batch_id)
    return campaign


def test_what_somebody_else_sent_is_told_apart(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.turn(ip_registered=True)
    campaign = sent(context, engine, 5)
    panel = Client(sandbox.api_key, sandbox.url)
    panel.send(numbers(1), "سلام", sender=SENDER, localids=None)  # the number of a recipient of ours
    panel.close()
    found = sent_at_gateway.latest_sent(context, count=10)
    assert sorted(each.campaign_id or 0 for each in found) == [0] + [campaign] * 5
    since = list(
        sent_at_gateway.sent_between(context, context.now() - timedelta(hours=1), context.now() + timedelta(seconds=1))
    )
    assert sorted(each.campaign_id or 0 for each in since) == [0] + [campaign] * 5


def test_a_span_of_more_than_five_hundred_messages_is_halved(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(ip_registered=True)
    start = context.now()
    for _ in range(3):
        sent(context, engine, 400)
        sandbox.advance(minutes=7)
    found = [each.message.messageid for each in sent_at_gateway.sent_between(context, start, context.now())]
    assert len(found) == len(set(found)) == 1_200


def test_what_the_gateway_does_not_show_of_one_second_is_counted_and_the_rest_of_the_day_goes_on(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(ip_registered=True)
    campaign = sent(context, engine, 5)
    sandbox.advance(seconds=2)
    panel = Client(sandbox.api_key, sandbox.url)
    second = int((context.now() + timedelta(minutes=1)).timestamp())
    for first in range(0, 600, 200):
        panel.send(numbers(600)[first : first + 200], "سلام", sender=SENDER, localids=None, date=second)
    sandbox.advance(minutes=2)
    panel.send(["09129999999"], "سلام", sender=SENDER, localids=None)
    panel.close()
    found = list(
        sent_at_gateway.sent_between(context, context.now() - timedelta(hours=1), context.now() + timedelta(seconds=1))
    )
    shown = [each for each in found if isinstance(each, OutboxMessage)]
    assert [each for each in found if isinstance(each, Unlisted)] == [
        Unlisted(datetime.fromtimestamp(second, UTC), 100)
    ]
    assert len({each.message.messageid for each in shown}) == len(shown) == 5 + 500 + 1
    assert sum(each.campaign_id == campaign for each in shown) == 5
    assert shown[-1].message.receptor == "09129999999"
    of_one_line = sent_at_gateway.sent_between(
        context, context.now() - timedelta(hours=1), context.now(), sender=SENDER
    )
    assert [each.messages for each in of_one_line if isinstance(each, Unlisted)] == [None]


def test_our_own_one_time_passwords_are_ours(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.turn(ip_registered=True)
    with engine.begin() as connection:
        otp = campaigns.order_otp(connection, number=numbers(1)[0], template="verify", token="1234", key="login:1")
    run_otp(context, otp)
    panel = Client(sandbox.api_key, sandbox.url)
    panel.lookup(numbers(1)[0], "verify", token="5678")
    panel.close()
    found = sent_at_gateway.latest_sent(context, count=10)
    assert sorted((each.is_ours, each.campaign_id, each.otp_id) for each in found) == [
        (False, None, None),
        (True, None, otp),
    ]


def test_an_address_that_is_not_registered_is_refused_with_what_to_do(context: Context) -> None:
    with pytest.raises(RequestRefused, match="security settings"):
        sent_at_gateway.latest_sent(context, count=1)


def test_one_persons_messages_are_found_here_and_at_the_gateway(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    first, second = sent(context, engine, 3), sent(context, engine, 1)
    (person, *_) = numbers(1)
    with engine.connect() as connection:
        received = lookups.sent_to_number(connection, person, limit=10)
        assert lookups.sent_by_number(connection, person, limit=10) == []
    assert [each.campaign_id for each in received] == [second, first]
    assert {each.state for each in received} == {MessageState.ACCEPTED}
    assert all(each.accepted_at is not None for each in received)
    at_gateway = sent_at_gateway.sent_to_number(context, person, start=context.now() - timedelta(hours=1))
    assert {each.messageid for each in at_gateway} == {each.gateway_id for each in received}


def test_nobody_is_found_for_a_number_that_got_nothing(context: Context, engine: Engine) -> None:
    with engine.connect() as connection:
        assert lookups.sent_to_number(connection, "09125550000", limit=10) == []
    assert sent_at_gateway.sent_to_number(context, "09125550000", start=context.now()) == []
