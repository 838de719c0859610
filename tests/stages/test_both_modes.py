"""A campaign ends the same whether the gateway's HTTP status is its return code or always 200.

Each test is a story told in both modes, to a gateway whose answers are short and reordered (`modes`): its record must
be the truth of the gateway's ledger both times, and both times the same.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest
from sqlalchemy import Engine

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.kavenegar.codes import RETURN_CODES
from kavenegar_campaigns.rules.states import CampaignState
from kavenegar_campaigns.stages import account, submit
from kavenegar_campaigns.stages.verify import verify_campaign
from kavenegar_campaigns.store import installation
from tests.stages.modes import World, in_both_modes
from tests.world import SENDER, batch_ids, numbers, run_due_work, states

PRICE = 120
UNDOCUMENTED: Final = {299, 500, 599, 600, 777, 999}
ACCEPTED_AT_LAST: Final = {200, 409}
"""After 409 the same call is made again, a few seconds later."""


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


# ── the whole way ──


@in_both_modes
def test_one_text_reaches_everybody_once_and_every_message_gets_its_verdict(world: World) -> None:
    campaign = world.campaign(450)
    world.to_the_end(sent=450)
    assert set(states(world.engine, campaign)) == {"delivered", "undelivered", "failed", "blocked", "cancelled"}
    assert world.codes("sms/send") == {"200": 3}


@in_both_modes
def test_a_personal_text_reaches_each_as_their_own(world: World) -> None:
    world.campaign(450, "سلام {name} عزیز")
    world.to_the_end(sent=450)
    assert world.codes("sms/sendarray") == {"200": 3}


@in_both_modes
def test_everybody_is_called_once(world: World) -> None:
    world.campaign(250, "یادآوری نوبت فردا", kind="voice", repeat=2)
    world.to_the_end(sent=250)
    assert world.codes("call/maketts") == {"200": 2}


@in_both_modes
def test_a_campaign_that_waits_at_the_gateway_is_withdrawn_whole_and_all_its_money_comes_back(world: World) -> None:
    with world.engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=numbers(300), text="فردا صبح", sender=SENDER)
        campaigns.start(connection, campaign, at=world.context.now() + timedelta(hours=8), at_gateway=True)
    run_due_work(world.context)
    assert set(states(world.engine, campaign)) == {"accepted", "pending"}  # not every row was answered
    world.sandbox.arm("missing_rows", "sms/cancel", count=1, rows=60)
    world.sandbox.arm("reordered", "sms/cancel", count=1)
    with world.engine.begin() as connection:
        campaigns.cancel(connection, campaign)

    world.to_the_end(sent=300)

    assert states(world.engine, campaign) == {"cancelled": 300}
    summary, report = world.sandbox.summary(), world.report(campaign)
    assert (summary["physical_messages"], summary["credit_rial"]) == (0, summary["granted_rial"])
    assert (report.withdrawn, report.withdrawn_rial, report.cost_rial) == (300, 300 * PRICE, 0)


# ── refusals ──


@in_both_modes
def test_bad_numbers_stand_alone_in_the_end_and_all_others_get_their_message(world: World) -> None:
    people = numbers(250)
    world.sandbox.turn(bad_receptors=[people[17], people[230]])
    campaign = world.campaign(250)
    world.to_the_end(sent=248)
    assert states(world.engine, campaign)["refused"] == 2
    assert world.report(campaign).refused == {411: 2}


@in_both_modes
def test_a_text_that_the_gateway_does_not_take_stands_alone_in_the_end(world: World) -> None:
    world.sandbox.turn(poison_text="نام 77 عزیز")
    campaign = world.campaign(250, "سلام {name} عزیز")
    world.to_the_end(sent=249)
    assert world.report(campaign).refused == {422: 1}


@in_both_modes
def test_a_text_for_all_that_the_gateway_does_not_take_pauses_its_campaign_until_somebody_resumes_it(
    world: World,
) -> None:
    world.sandbox.turn(poison_text="سلام")
    campaign = world.campaign(250)
    run_due_work(world.context)
    with world.engine.begin() as connection:
        held = campaigns.get(connection, campaign)
        assert (held.state, held.hold_code) == (CampaignState.PAUSED, 422)
        campaigns.resume(connection, campaign)
    world.sandbox.turn(poison_text="")
    world.to_the_end(sent=250)


@in_both_modes
def test_credit_that_ends_half_way_is_waited_for_and_a_top_up_sends_the_rest(world: World) -> None:
    world.sandbox.set_credit(500 * PRICE)
    campaign = world.campaign(1_000)
    run_due_work(world.context)
    assert world.sandbox.summary()["messages"] == 400
    hold = world.context.database(installation.read).hold
    assert hold is not None
    assert hold.code == 418

    world.sandbox.set_credit(10_000 * PRICE)
    world.to_the_end(sent=1_000)
    assert "refused" not in states(world.engine, campaign)


@in_both_modes
def test_an_account_that_is_closed_sends_nothing_and_goes_on_when_it_is_open_again(world: World) -> None:
    world.sandbox.turn(account_code=403)
    campaign = world.campaign(250)
    run_due_work(world.context)
    assert states(world.engine, campaign) == {"pending": 250}
    assert account.recheck_hold(world.context).startswith("still on hold")
    world.sandbox.turn(account_code=0)
    assert account.recheck_hold(world.context) == "let go"
    world.to_the_end(sent=250)


@in_both_modes
def test_too_many_calls_pause_everybody_and_nothing_leaves_twice(world: World) -> None:
    world.sandbox.arm("code", "sms/send", count=3, code=451)
    campaign = world.campaign(1_000)
    for batch_id in batch_ids(world.engine, campaign)[:3]:
        assert submit.send_batch(world.context, batch_id) is submit.Outcome.PUT_OFF
        assert world.context.pace.view().pauses == 1
        world.forget_pauses()
    assert states(world.engine, campaign) == {"pending": 1_000}
    world.to_the_end(sent=1_000)
    assert world.codes("sms/send") == {"451": 3, "200": 5}


@in_both_modes
def test_every_return_code_of_a_send_has_one_ending(world: World) -> None:
    for code in sorted({*RETURN_CODES, *UNDOCUMENTED} - ACCEPTED_AT_LAST):
        campaign = world.campaign(1, f"کد {code}")
        world.sandbox.arm("code", "sms/send", count=1, code=code)
        submit.send_batch(world.context, *batch_ids(world.engine, campaign))
        world.forget_pauses()
        with world.engine.begin() as connection:
            campaigns.cancel(connection, campaign)
            installation.release_hold(connection, credit_rial=0, now=world.context.now())
    assert world.sandbox.summary()["messages"] == 0


# ── answers that are none ──


@in_both_modes
def test_whatever_becomes_of_the_answers_everybody_gets_one_message(world: World) -> None:
    lost = ("accept_then_drop", "http_5xx_html_after", "bad_json", "entries_null")
    for kind in lost:
        world.sandbox.arm(kind, "sms/send", count=1)
    world.sandbox.arm("html_200", "sms/send", count=1, processed=True)
    world.sandbox.arm("missing_rows", "sms/send", count=1, rows=39)
    world.sandbox.arm("duplicate_rows", "sms/send", count=1, rows=7)
    for kind in (*lost, "http_5xx_html_before", "html_200"):
        world.sandbox.arm(kind, "sms/statuslocalmessageid", count=1)
        world.sandbox.arm(kind, "sms/status", count=1)
    for place in range(8):
        world.campaign(40, after=40 * place)
    world.to_the_end(sent=320)


@in_both_modes
def test_a_request_that_never_arrived_leaves_again_although_the_gateway_tells_of_some_ids_only(world: World) -> None:
    for kind in ("drop", "http_5xx_html_before", "html_200", "waf"):
        world.sandbox.arm(kind, "sms/send", count=1)
    for place in range(4):
        world.campaign(200, after=200 * place)
    world.to_the_end(sent=800)


# ── what an answer does not tell ──


@in_both_modes
def test_a_row_that_is_missing_from_an_answer_contradicts_no_record(world: World) -> None:
    campaign = world.campaign(250)
    world.to_the_end(sent=250)
    assert [each.says for each in verify_campaign(world.context, campaign).checks if each.holds is False] == []
