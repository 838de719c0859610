"""A campaign for later: held by us, or by the gateway, and what each move does to it then."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.errors import BadInput, IllegalMove
from kavenegar_campaigns.rules.states import CampaignState
from kavenegar_campaigns.stages import submit, track
from kavenegar_campaigns.stages.submit import Outcome
from tests.world import SENDER, Sandbox, batch_ids, numbers, run_due_work, states

KINDS = pytest.mark.parametrize(
    ("carried", "method", "tariff_rial"),
    [({"sender": SENDER}, "sms/send", 120), ({"kind": "voice"}, "call/maketts", 900)],
    ids=["sms", "voice"],
)


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def planned(context: Context, engine: Engine, count: int, *, at_gateway: bool = True, **options: Any) -> int:
    """A campaign for eight hours from now, or for `after`."""
    after = options.pop("after", timedelta(hours=8))
    carried = options or {"sender": SENDER}
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=numbers(count), text="فردا صبح", **carried)
        campaigns.start(connection, campaign, at=context.now() + after, at_gateway=at_gateway)
    return campaign


def handed_over(context: Context, engine: Engine, count: int, **options: Any) -> int:
    """The same, once the gateway has it."""
    campaign = planned(context, engine, count, **options)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": count}
    return campaign


def dates(sandbox: Sandbox, engine: Engine) -> set[float]:
    """When what the gateway has sets out, or did."""
    with engine.connect() as connection:
        localids = connection.execute(text("SELECT string_agg(id::text, ',') FROM sms.messages")).scalar_one()
    return {each["starts_at"] for each in sandbox._get(f"ledger?localids={localids}")["messages"]}


def start_at(engine: Engine, campaign: int) -> datetime:
    with engine.connect() as connection:
        found = campaigns.get(connection, campaign).start_at
    assert found is not None
    return found


def held_by_gateway(context: Context, engine: Engine, campaign: int) -> int:
    with engine.connect() as connection:
        return campaigns.progress(connection, campaign).held_by_gateway(context.now())


def pause(engine: Engine, campaign: int) -> None:
    with engine.begin() as connection:
        campaigns.pause(connection, campaign)


def cancel(engine: Engine, campaign: int) -> None:
    with engine.begin() as connection:
        campaigns.cancel(connection, campaign)


# ── held by us ──


def test_what_we_hold_is_unknown_to_the_gateway_until_its_time_and_can_be_given_another(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = planned(context, engine, 250, at_gateway=False)
    sooner, later = context.now() + timedelta(hours=2), context.now() + timedelta(hours=20)
    with engine.begin() as connection:
        assert campaigns.start(connection, campaign, at=later).start_at == later
        again = campaigns.start(connection, campaign, at=sooner)
    assert (again.state, again.start_at) == (CampaignState.SCHEDULED, sooner)

    sandbox.advance(minutes=119)
    run_due_work(context)
    assert sandbox.summary()["messages"] == 0
    assert held_by_gateway(context, engine, campaign) == 0
    sandbox.advance(minutes=2)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 250}


def test_what_we_hold_can_be_handed_to_the_gateway_after_all(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = planned(context, engine, 3, at_gateway=False)
    with engine.begin() as connection:
        campaigns.start(connection, campaign, at_gateway=True)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 3}
    assert dates(sandbox, engine) == {int(start_at(engine, campaign).timestamp())}


# ── handed over ──


def test_the_gateway_needs_a_time(engine: Engine) -> None:
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=numbers(1), text="سلام", sender=SENDER)
        with pytest.raises(BadInput, match="no time"):
            campaigns.start(connection, campaign, at_gateway=True)
        assert campaigns.get(connection, campaign).state is CampaignState.DRAFT


def test_what_runs_cannot_be_given_another_time_and_says_how_to_take_it_back(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = handed_over(context, engine, 3)
    with engine.begin() as connection:
        before = campaigns.get(connection, campaign)
        with pytest.raises(IllegalMove, match=f"`campaigns cancel {campaign}` takes them back"):
            campaigns.start(connection, campaign, at=context.now() + timedelta(hours=2))
        assert campaigns.start(connection, campaign) == before
        assert campaigns.start(connection, campaign, at=before.start_at, at_gateway=True) == before


@KINDS
def test_cancelling_withdraws_everything_and_the_report_tells_how_much_came_back(
    context: Context, engine: Engine, sandbox: Sandbox, carried: dict[str, Any], method: str, tariff_rial: int
) -> None:
    campaign = handed_over(context, engine, 300, **carried)
    assert sandbox.summary()["requests"][method] == 2
    assert dates(sandbox, engine) == {int(start_at(engine, campaign).timestamp())}
    assert held_by_gateway(context, engine, campaign) == 300
    paid = sandbox.summary()["granted_rial"] - sandbox.summary()["credit_rial"]

    cancel(engine, campaign)
    run_due_work(context)
    run_due_work(context)

    assert states(engine, campaign) == {"cancelled": 300}
    with engine.connect() as connection:
        report = campaigns.build_report(connection, campaign)
    assert (report.withdrawn, report.withdrawn_rial) == (300, 300 * tariff_rial)
    assert (report.cost_rial, report.refunded_rial, paid) == (0, 300 * tariff_rial, 300 * tariff_rial)
    assert report.campaign.finished_at is not None
    assert held_by_gateway(context, engine, campaign) == 0
    assert sandbox.summary()["credit_rial"] == sandbox.summary()["granted_rial"]


@KINDS
def test_what_got_no_answer_is_found_and_withdrawn_too(
    context: Context, engine: Engine, sandbox: Sandbox, carried: dict[str, Any], method: str, tariff_rial: int
) -> None:
    sandbox.arm("accept_then_drop", method, count=1)
    campaign = planned(context, engine, 400, **carried)
    run_due_work(context)
    cancel(engine, campaign)

    sandbox.advance(seconds=91)
    for _ in range(4):
        run_due_work(context)
        sandbox.advance(seconds=11)  # a ring that found nothing to withdraw yet is rung again

    assert states(engine, campaign) == {"cancelled": 400}
    assert sandbox.summary()["credit_rial"] == sandbox.summary()["granted_rial"]
    with engine.connect() as connection:
        report = campaigns.build_report(connection, campaign)
    assert (report.withdrawn, report.withdrawn_rial, report.unpriced) == (400, 400 * tariff_rial, 200)


def test_withdrawing_twice_is_harmless_and_a_gateway_that_is_away_is_asked_again(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = handed_over(context, engine, 3)
    (only,) = batch_ids(engine, campaign)
    cancel(engine, campaign)
    sandbox.arm("drop", "sms/cancel", count=10)
    assert "withdrew 0 of 3" in track.withdraw_batch(context, only).summary
    assert states(engine, campaign) == {"accepted": 3}

    sandbox.disarm()
    assert [track.withdraw_batch(context, only).withdrawn, track.withdraw_batch(context, only).withdrawn] == [3, 0]
    assert states(engine, campaign) == {"cancelled": 3}


def test_a_message_that_the_gateway_cancelled_by_itself_was_not_withdrawn(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(fates={"returned": 1})
    campaign = handed_over(context, engine, 3)
    sandbox.advance(hours=8)
    cancel(engine, campaign)
    sandbox.advance(minutes=6)
    run_due_work(context)
    assert states(engine, campaign) == {"cancelled": 3}
    with engine.connect() as connection:
        report = campaigns.build_report(connection, campaign)
    assert (report.refunded_rial, report.withdrawn, report.withdrawn_rial) == (360, 0, 0)


# ── paused ──


def test_a_pause_does_not_reach_what_the_gateway_holds_and_a_cancellation_still_does(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = handed_over(context, engine, 250)
    pause(engine, campaign)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 250}
    assert held_by_gateway(context, engine, campaign) == 250

    cancel(engine, campaign)
    run_due_work(context)
    assert states(engine, campaign) == {"cancelled": 250}


def test_what_the_gateway_holds_leaves_at_its_time_although_the_campaign_is_paused_and_is_followed(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = handed_over(context, engine, 100)
    pause(engine, campaign)
    sandbox.advance(hours=8, minutes=6)
    for _ in range(3):
        run_due_work(context)
    with engine.connect() as connection:
        progress = campaigns.progress(connection, campaign)
    assert progress.counts["delivered"] > 50
    assert progress.held_by_gateway(context.now()) == 0
    assert progress.campaign.finished_at is not None


def test_what_had_not_been_handed_over_waits_for_its_resumption_and_goes_with_its_date(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = planned(context, engine, 400)
    first, second = batch_ids(engine, campaign)
    submit.send_batch(context, first)
    pause(engine, campaign)
    assert submit.send_batch(context, second) is Outcome.NOT_DUE
    assert held_by_gateway(context, engine, campaign) == 200

    with engine.begin() as connection:
        assert campaigns.resume(connection, campaign).state is CampaignState.RUNNING
    run_due_work(context)
    assert held_by_gateway(context, engine, campaign) == 400
    assert dates(sandbox, engine) == {int(start_at(engine, campaign).timestamp())}


# ── a date that the gateway refuses ──


def test_a_date_that_passed_while_the_campaign_was_paused_is_now(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = planned(context, engine, 200)
    pause(engine, campaign)
    sandbox.advance(hours=9)
    with engine.begin() as connection:
        campaigns.resume(connection, campaign)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 200}
    assert sandbox.summary()["codes"]["sms/send"] == {"200": 1}


@KINDS
def test_a_date_that_has_passed_by_the_gateways_clock_is_kept_by_ours_and_everything_leaves_once(
    context: Context, engine: Engine, sandbox: Sandbox, carried: dict[str, Any], method: str, tariff_rial: int
) -> None:
    sandbox._post("clock", {"advance": 300})  # the gateway's alone
    campaign = planned(context, engine, 400, after=timedelta(seconds=60), **carried)

    run_due_work(context)
    assert states(engine, campaign) == {"pending": 400}
    run_due_work(context)
    refused = sandbox.summary()["codes"][method]
    assert refused["417"] <= 2

    sandbox.advance(seconds=61)
    run_due_work(context)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 400}
    assert sandbox.summary()["codes"][method] == {**refused, "200": 2}
    assert sandbox.summary()["messages"] == 400


def test_a_date_that_the_gateway_does_not_take_is_asked_for_once_and_then_held_here(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.arm("code", "sms/send", count=1000, code=417)
    campaign = planned(context, engine, 1000)
    first, *others = batch_ids(engine, campaign)

    assert submit.send_batch(context, first) is Outcome.PUT_OFF
    assert [submit.send_batch(context, batch) for batch in others] == [Outcome.NOT_DUE] * 4
    sandbox.advance(hours=7)
    assert run_due_work(context).send == []
    assert sandbox.summary()["requests"]["sms/send"] == 1
    with engine.connect() as connection:
        waiting = campaigns.why_waiting(connection, campaign)
        assert campaigns.get(connection, campaign).state is CampaignState.RUNNING
    assert waiting is not None
    assert waiting.until == start_at(engine, campaign)

    sandbox.disarm()
    sandbox.advance(hours=1, seconds=1)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 1000}
    assert sandbox.summary()["messages"] == 1000


def test_what_is_held_here_for_a_date_that_was_refused_can_still_be_paused_and_cancelled(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = planned(context, engine, 600)
    first, second, _ = batch_ids(engine, campaign)
    submit.send_batch(context, first)
    sandbox.arm("code", "sms/send", count=1, code=417)
    submit.send_batch(context, second)
    pause(engine, campaign)
    cancel(engine, campaign)

    run_due_work(context)
    run_due_work(context)

    assert states(engine, campaign) == {"cancelled": 600}
    assert sandbox.summary()["credit_rial"] == sandbox.summary()["granted_rial"]
    with engine.connect() as connection:
        report = campaigns.build_report(connection, campaign)
    assert report.withdrawn == 200
