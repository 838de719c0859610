"""Answers that come back after the database under their claims was restored: they count where their messages stand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from campaigns import OtpState, submit, track
from campaigns.house import House
from campaigns.store import otps, polls
from campaigns.submit import Outcome
from campaigns.submit.learning import matched
from campaigns.submit.request import ask
from campaigns.submit.send import _answered
from tests.backups import dump, restore
from tests.stations.ordering import ordered, state_of
from tests.stations.restoring import accepted, claimed, counted, everybody_got_one, send_some, settle
from tests.world import Sandbox, batch_ids, running, states


@pytest.fixture(params=[True, False], ids=["dedupe", "no dedupe"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A gateway of either kind, whose operators take a day."""
    with Sandbox.start(dedupe=request.param, delivery_s=[86_400, 90_000]) as gateway:
        yield gateway


def test_an_answer_about_half_a_batch_counts_in_the_whole_one_that_was_restored(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    """The batch was halved in the lost history; the halves' ids are unknown here, or those of other batches by now."""
    campaign = running(engine, 400)
    whole, other = batch_ids(engine, campaign)
    backup = dump(engine)
    sandbox.arm("code", "sms/send", count=1, code=411)
    assert submit.run(house, whole) is Outcome.HALVED
    half, _ = sorted(set(batch_ids(engine, campaign)) - {other})
    claim = claimed(house, half)
    restore(engine, backup)
    accepted(house)

    answer = ask(house.gateway, claim, in_time=lambda: True)
    house.database(_answered, house, claim, matched(claim, answer), now=house.now())

    assert counted(engine, whole) == {"accepted": 100, "pending": 100}
    settle(house, sandbox)
    assert states(engine, campaign) == {"accepted": 400}
    everybody_got_one(sandbox, 400)


def test_an_answer_about_a_batch_of_the_lost_history_leaves_the_one_that_has_its_id_by_now_alone(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 400)
    first, second = batch_ids(engine, campaign)
    backup = dump(engine)
    sandbox.arm("code", "sms/send", count=1, code=411)
    assert submit.run(house, first) is Outcome.HALVED
    half, _ = sorted(set(batch_ids(engine, campaign)) - {second})
    claim = claimed(house, half)
    restore(engine, backup)
    accepted(house)
    sandbox.advance(seconds=(house.policy.quiet + timedelta(seconds=1)).total_seconds())
    assert submit.resolve(house, second) is Outcome.SENT_AGAIN
    sandbox.arm("code", "sms/send", count=1, code=411)
    assert submit.run(house, second) is Outcome.HALVED
    assert half in batch_ids(engine, campaign)

    answer = ask(house.gateway, claim, in_time=lambda: True)
    house.database(_answered, house, claim, matched(claim, answer), now=house.now())

    assert counted(engine, first) == {"accepted": 100, "pending": 100}
    assert counted(engine, half) == {"pending": 100}
    settle(house, sandbox)
    assert states(engine, campaign) == {"accepted": 400}
    everybody_got_one(sandbox, 400)


def test_a_verdict_about_what_the_restored_database_does_not_know_to_have_left_waits_until_it_does(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    """A poll is under way while the database under it is restored."""
    campaign = running(engine, 200)
    (only,) = batch_ids(engine, campaign)
    backup = dump(engine)
    send_some(house, engine, campaign, 1)
    sandbox.advance(minutes=6)
    asked = house.database(polls.claim, now=house.now(), lease=house.policy.lease)
    told = house.gateway.status([id_ for batch in asked for id_ in batch.message_ids])
    restore(engine, backup)
    accepted(house)

    assert track._settle(house, asked, told).moved == 0

    assert counted(engine, only) == {"pending": 200}
    settle(house, sandbox)
    assert states(engine, campaign) == {"accepted": 200}
    everybody_got_one(sandbox, 200)


def test_an_answer_about_a_lost_password_is_not_taken_for_another_ones(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    backup = dump(engine)
    lost = ordered(engine, key="lost")
    claim = house.database(otps.claim, lost, owner=uuid4(), now=house.now(), lease=house.policy.lease)
    assert claim is not None
    restore(engine, backup)
    accepted(house)
    young = ordered(engine, key="young")
    assert young == lost
    assert house.database(otps.claim, young, owner=uuid4(), now=house.now(), lease=house.policy.lease)

    assert not house.database(otps.refuse, claim, code=424, now=house.now())

    assert state_of(engine, young).state is OtpState.CLAIMED
