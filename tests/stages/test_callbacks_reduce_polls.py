"""Where callbacks come, polls are fewer; where they stop coming, polls are as without them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.stages import callbacks
from kavenegar_campaigns.store import installation
from tests.stages.accepted import accepted
from tests.stages.test_callbacks import asked, call_back
from tests.web import expecting, gateway_ids
from tests.world import Sandbox, run_due_work, states

AGES = tuple(timedelta(minutes=age) for age in (5, 10, 20, 40, 80, 44 * 60, 47 * 60))


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


@pytest.fixture
def callbacks_active(context: Context) -> Context:
    """A context that trusts callbacks, with some early ages to leave out."""
    return expecting(context, trust_callbacks=True, status_polls=AGES)


def are_active(context: Context) -> bool:
    return context.database(installation.read).callbacks_active


def polls_by(context: Context, engine: Engine, sandbox: Sandbox, *ages: float) -> list[int]:
    """How often the gateway had been asked when a campaign accepted just now was so many minutes old."""
    found, so_far = [], 0.0
    for age in ages:
        sandbox.advance(minutes=age - so_far)
        so_far = age
        run_due_work(context)
        found.append(asked(sandbox))
    return found


def poll_age(engine: Engine, campaign: int) -> timedelta:
    """At which age a campaign's first batch is asked about next."""
    with engine.connect() as connection:
        found: timedelta = connection.execute(
            text("SELECT poll_at - accepted_at FROM sms.batches WHERE campaign_id = :id ORDER BY first_id LIMIT 1"),
            {"id": campaign},
        ).scalar_one()
    return found


def called_back(context: Context, engine: Engine, campaign: int, which: int) -> None:
    """The gateway tells of a delivery that is true."""
    call_back(context, (gateway_ids(engine, campaign)[which], 10))
    callbacks.process_callbacks(context)


def test_without_callbacks_every_age_is_asked_about(
    callbacks_active: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(fates={"stuck": 1.0})
    accepted(callbacks_active, engine, 5)
    assert polls_by(callbacks_active, engine, sandbox, 6, 11, 21, 41, 81) == [1, 2, 3, 4, 5]
    assert not are_active(callbacks_active)


def test_while_callbacks_come_the_early_ages_are_left_out_but_the_first(
    callbacks_active: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(fates={"stuck": 1.0})
    campaign = accepted(callbacks_active, engine, 10)
    so_far = 0
    for place, age in enumerate((1, 6, 11, 16, 21, 26, 31, 36)):
        sandbox.advance(minutes=age - so_far)
        so_far = age
        called_back(callbacks_active, engine, campaign, place)
        run_due_work(callbacks_active)
        assert are_active(callbacks_active)
    assert asked(sandbox) == 1
    assert poll_age(engine, campaign) == timedelta(minutes=40)
    assert states(engine, campaign) == {"delivered": 8, "accepted": 2}


def test_what_was_left_out_is_made_up_for_once_when_callbacks_fall_silent(
    callbacks_active: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(fates={"stuck": 1.0})
    campaign = accepted(callbacks_active, engine, 10)
    called_back(callbacks_active, engine, campaign, 0)
    run_due_work(callbacks_active)
    assert polls_by(callbacks_active, engine, sandbox, 6, 9) == [1, 1]
    assert (are_active(callbacks_active), poll_age(engine, campaign)) == (True, timedelta(minutes=40))
    sandbox.advance(minutes=6)
    run_due_work(callbacks_active)
    assert asked(sandbox) == 2
    assert (are_active(callbacks_active), poll_age(engine, campaign)) == (False, timedelta(minutes=20))
    run_due_work(callbacks_active)
    assert asked(sandbox) == 2


def test_polls_are_fewer_again_once_callbacks_are_back(
    callbacks_active: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(fates={"stuck": 1.0})
    campaign = accepted(callbacks_active, engine, 10)
    called_back(callbacks_active, engine, campaign, 0)
    run_due_work(callbacks_active)
    sandbox.advance(minutes=15)
    run_due_work(callbacks_active)
    assert not are_active(callbacks_active)
    called_back(callbacks_active, engine, campaign, 1)
    run_due_work(callbacks_active)
    assert are_active(callbacks_active)
    sandbox.advance(minutes=6)
    run_due_work(callbacks_active)
    assert poll_age(engine, campaign) == timedelta(minutes=40)


def test_the_last_polls_stay_whatever_comes_by_callback(
    callbacks_active: Context, engine: Engine, sandbox: Sandbox
) -> None:
    assert [age for age in AGES if age not in callbacks_active.policy.reduced_polls] == list(AGES[1:3])


def test_only_a_callback_that_was_true_is_leaned_on(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    """Who knows the address and our ids could else keep us from asking."""
    hinted = expecting(context, status_polls=AGES)
    sandbox.turn(fates={"stuck": 1.0})
    campaign = accepted(hinted, engine, 10)
    for gateway_id in (gateway_ids(engine, campaign)[0], 4_242_424_242):
        call_back(hinted, (gateway_id, 10))
    sandbox.advance(seconds=30)
    run_due_work(hinted)
    run_due_work(hinted)
    assert asked(sandbox) == 1
    assert not are_active(hinted)


def test_a_hint_that_the_gateway_confirmed_is_leaned_on(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    hinted = expecting(context, status_polls=AGES)
    sandbox.turn(fates={"delivered": 1.0})
    campaign = accepted(hinted, engine, 10)
    call_back(hinted, (gateway_ids(engine, campaign)[0], 10))
    sandbox.advance(seconds=30)
    run_due_work(hinted)
    run_due_work(hinted)
    assert are_active(hinted)


def test_a_token_that_was_taken_away_ends_it_at_once(
    callbacks_active: Context, engine: Engine, context: Context
) -> None:
    campaign = accepted(callbacks_active, engine, 10)
    called_back(callbacks_active, engine, campaign, 0)
    run_due_work(callbacks_active)
    assert are_active(callbacks_active)
    run_due_work(context)
    assert not are_active(context)


def test_when_one_came_last_is_written_down_every_ten_seconds_at_most(
    callbacks_active: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = accepted(callbacks_active, engine, 10)
    seen: list[datetime | None] = []
    for place, seconds in enumerate((0, 4, 20)):
        sandbox.advance(seconds=seconds)
        called_back(callbacks_active, engine, campaign, place)
        seen.append(callbacks_active.database(installation.read).last_callback_at)
    first, second, third = seen
    assert first is not None
    assert third is not None
    assert first == second
    assert third > first + timedelta(seconds=10)
