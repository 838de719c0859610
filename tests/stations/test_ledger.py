"""The ledger: what left the account on a day, by our own rows and by the gateway's count."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from campaigns import chores, ledger, submit
from campaigns.house import House
from campaigns.kavenegar.client import Client
from campaigns.rules.calendar import TEHRAN
from campaigns.store.ledger import Counted, newest
from tests.world import SENDER, Sandbox, batch_ids, running

PRICE = 120


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def sent(house: House, engine: Engine, count: int) -> None:
    """Messages that the gateway has taken."""
    for batch_id in batch_ids(engine, running(engine, count)):
        submit.run(house, batch_id)


def at_noon(house: House, sandbox: Sandbox) -> None:
    """Let it be noon in Tehran: what is sent and counted now is of one day."""
    now = house.now().astimezone(TEHRAN)
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
    sandbox.advance(seconds=((noon - now) % timedelta(days=1)).total_seconds())


def test_a_day_on_which_only_we_sent_has_no_difference(house: House, engine: Engine, sandbox: Sandbox) -> None:
    at_noon(house, sandbox)
    sent(house, engine, 250)
    today, yesterday, before = ledger.keep(house)
    assert today.ours == today.gateway == Counted(250, 250, 250 * PRICE)
    assert today.difference == Counted(0, 0, 0)
    assert today.day == house.now().astimezone(TEHRAN).date()
    assert yesterday.ours == yesterday.gateway == before.gateway == Counted(0, 0, 0)


def test_what_others_send_on_the_account_is_the_difference(house: House, engine: Engine, sandbox: Sandbox) -> None:
    at_noon(house, sandbox)
    sent(house, engine, 10)
    panel = Client(sandbox.api_key, sandbox.url)
    panel.send(["09129999999", "09128888888"], "سلام", sender=SENDER, localids=None)
    panel.close()
    assert ledger.keep(house)[0].difference == Counted(2, 2, 2 * PRICE)


def test_what_the_gateway_said_is_kept_when_it_can_no_longer_be_asked(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    at_noon(house, sandbox)
    sent(house, engine, 10)
    first = ledger.keep(house)[0]
    sandbox.advance(days=5)
    ledger.keep(house)
    sandbox.turn(account_code=403)
    ledger.keep(house)
    kept = {day.day: day for day in house.database(newest, limit=100)}
    assert kept[first.day] == first
    today = kept[house.now().astimezone(TEHRAN).date()]
    assert today.gateway == Counted(0, 0, 0)  # from the count before the gateway refused


def test_a_day_that_the_gateway_never_answered_for_has_no_difference(house: House, sandbox: Sandbox) -> None:
    sandbox.turn(account_code=403)
    assert [day.difference for day in ledger.keep(house)] == [None, None, None]


def test_one_counts_the_days_once_an_hour(house: House, engine: Engine, sandbox: Sandbox) -> None:
    assert chores.due(house, now=house.now()).ledger
    assert not chores.due(house, now=house.now()).ledger
    sandbox.advance(hours=1)
    assert chores.due(house, now=house.now()).ledger


@pytest.mark.parametrize("minute", [0, 1, 23 * 60 + 58, 23 * 60 + 59])
def test_the_days_can_be_counted_in_every_minute_of_a_day(house: House, sandbox: Sandbox, minute: int) -> None:
    now = house.now().astimezone(TEHRAN)
    then = now.replace(hour=0, minute=0, second=30, microsecond=0) + timedelta(minutes=minute)
    sandbox.advance(seconds=((then - now) % timedelta(days=1)).total_seconds())
    assert len(ledger.keep(house)) == 3
