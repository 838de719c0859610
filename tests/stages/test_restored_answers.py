"""Answers that come back after the database under their claims was restored: they count where their messages stand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from kavenegar_campaigns import OtpState
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.stages import submit, track
from kavenegar_campaigns.stages.answers import match_rows
from kavenegar_campaigns.stages.submit import Outcome, _accept_answer, request_send
from kavenegar_campaigns.store import otps, polls
from tests.backups import dump, restore
from tests.stages.otp_requests import ordered, state_of
from tests.stages.restoring import accepted, counted, everybody_got_one, send_some, settle
from tests.world import Sandbox, batch_ids, claimed, running, states


@pytest.fixture(params=[True, False], ids=["dedupe", "no dedupe"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A gateway of either kind, whose operators take a day."""
    with Sandbox.start(dedupe=request.param, delivery_s=[86_400, 90_000]) as gateway:
        yield gateway


def test_an_answer_about_half_a_batch_counts_in_the_whole_one_that_was_restored(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """The batch was halved in the lost history; the halves' ids are unknown here, or those of other batches by now."""
    campaign = running(engine, 400)
    whole, other = batch_ids(engine, campaign)
    backup = dump(engine)
    sandbox.arm("code", "sms/send", count=1, code=411)
    assert submit.send_batch(context, whole) is Outcome.HALVED
    half, _ = sorted(set(batch_ids(engine, campaign)) - {other})
    claim = claimed(context, half)
    restore(engine, backup)
    accepted(context)

    answer = request_send(context.gateway, claim, in_time=lambda: True)
    context.database(_accept_answer, context, claim, match_rows(claim, answer), now=context.now())

    assert counted(engine, whole) == {"accepted": 100, "pending": 100}
    settle(context, sandbox)
    assert states(engine, campaign) == {"accepted": 400}
    everybody_got_one(sandbox, 400)


def test_an_answer_about_a_batch_of_the_lost_history_leaves_the_one_that_has_its_id_by_now_alone(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 400)
    first, second = batch_ids(engine, campaign)
    backup = dump(engine)
    sandbox.arm("code", "sms/send", count=1, code=411)
    assert submit.send_batch(context, first) is Outcome.HALVED
    half, _ = sorted(set(batch_ids(engine, campaign)) - {second})
    claim = claimed(context, half)
    restore(engine, backup)
    accepted(context)
    sandbox.advance(seconds=(context.policy.quiet_period + timedelta(seconds=1)).total_seconds())
    assert submit.resolve_batch(context, second) is Outcome.SENT_AGAIN
    sandbox.arm("code", "sms/send", count=1, code=411)
    assert submit.send_batch(context, second) is Outcome.HALVED
    assert half in batch_ids(engine, campaign)

    answer = request_send(context.gateway, claim, in_time=lambda: True)
    context.database(_accept_answer, context, claim, match_rows(claim, answer), now=context.now())

    assert counted(engine, first) == {"accepted": 100, "pending": 100}
    assert counted(engine, half) == {"pending": 100}
    settle(context, sandbox)
    assert states(engine, campaign) == {"accepted": 400}
    everybody_got_one(sandbox, 400)


def test_a_verdict_about_what_the_restored_database_does_not_know_to_have_left_waits_until_it_does(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """A poll is under way while the database under it is restored."""
    campaign = running(engine, 200)
    (only,) = batch_ids(engine, campaign)
    backup = dump(engine)
    send_some(context, engine, campaign, 1)
    sandbox.advance(minutes=6)
    asked = context.database(polls.claim, now=context.now(), lease=context.policy.lease)
    answer = context.gateway.status([id_ for batch in asked for id_ in batch.message_ids])
    restore(engine, backup)
    accepted(context)

    assert track._record_answer(context, asked, answer).moved == 0

    assert counted(engine, only) == {"pending": 200}
    settle(context, sandbox)
    assert states(engine, campaign) == {"accepted": 200}
    everybody_got_one(sandbox, 200)


def test_an_answer_about_a_lost_password_is_not_taken_for_another_ones(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    backup = dump(engine)
    lost = ordered(engine, key="lost")
    claim = context.database(otps.claim, lost, owner=uuid4(), now=context.now(), lease=context.policy.lease)
    assert claim is not None
    restore(engine, backup)
    accepted(context)
    young = ordered(engine, key="young")
    assert young == lost
    assert context.database(otps.claim, young, owner=uuid4(), now=context.now(), lease=context.policy.lease)

    assert not context.database(otps.refuse, claim, code=424, now=context.now())

    assert state_of(engine, young).state is OtpState.CLAIMED
