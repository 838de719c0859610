"""A schedule of polls that was another for a while: what it has planned too late is planned anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.stages import guards, track
from tests.stages.accepted import accepted
from tests.stages.test_track import poll_at
from tests.world import Sandbox

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def scheduled(context: Context, *ages: timedelta) -> Context:
    return replace(context, policy=replace(context.policy, status_polls=ages))


def polled(context: Context, engine: Engine, sandbox: Sandbox, ages: Sequence[timedelta]) -> int:
    """A campaign without verdicts that was asked about by this schedule, two hours after it was accepted."""
    sandbox.turn(fates={"stuck": 1.0})
    campaign = accepted(context, engine, 10)
    sandbox.advance(hours=2)
    assert track.poll_statuses(scheduled(context, *ages)).asked == 10
    return campaign


@pytest.mark.parametrize("ages", [(2 * SECOND, 4 * SECOND), (2 * SECOND, 47 * HOUR)], ids=["ended early", "thinner"])
def test_a_schedule_that_is_longer_again_is_followed_by_what_the_shorter_one_has_parked(
    context: Context, engine: Engine, sandbox: Sandbox, ages: Sequence[timedelta]
) -> None:
    campaign = polled(context, engine, sandbox, ages)
    longer = scheduled(context, HOUR, 3 * HOUR, 6 * HOUR)
    assert guards.apply_poll_schedule(longer) == {"polls": 1}
    assert guards.apply_poll_schedule(longer) == {}
    (at,) = poll_at(engine, campaign)
    assert at is not None
    assert timedelta(0) < at - context.now() <= HOUR
    sandbox.advance(hours=1)
    assert track.poll_statuses(longer).asked == 10


def test_the_schedule_that_ended_early_is_itself_left_alone(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    polled(context, engine, sandbox, (2 * SECOND, 4 * SECOND))
    assert guards.apply_poll_schedule(scheduled(context, 2 * SECOND, 4 * SECOND)) == {}


def test_what_was_put_off_stays_put_off(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    """By fifteen minutes at most, beyond the next age of the schedule."""
    polled(context, engine, sandbox, (HOUR, 3 * HOUR))
    with engine.begin() as connection:
        connection.execute(text("UPDATE sms.batches SET poll_at = poll_at + interval '15 minutes'"))
    assert guards.apply_poll_schedule(scheduled(context, HOUR, 3 * HOUR)) == {}


@pytest.mark.parametrize(("callbacks_active", "planned"), [(True, {}), (False, {"polls": 1})])
def test_while_callbacks_bring_the_verdicts_the_thinner_schedule_is_followed(
    context: Context, engine: Engine, sandbox: Sandbox, callbacks_active: bool, planned: dict[str, int]
) -> None:
    sandbox.turn(fates={"stuck": 1.0})
    accepted(context, engine, 10)
    sandbox.advance(minutes=1)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE sms.installation SET callbacks_active = :callbacks_active"),
            {"callbacks_active": callbacks_active},
        )
        connection.execute(text("UPDATE sms.batches SET poll_at = accepted_at + interval '1 hour'"))
    ages = (SECOND, 5 * 60 * SECOND, HOUR)
    assert guards.apply_poll_schedule(scheduled(context, *ages)) == planned
