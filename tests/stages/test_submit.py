"""Every ending of a send, and what the record says afterwards."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.rules.states import CampaignState
from kavenegar_campaigns.stages import account, submit
from kavenegar_campaigns.stages.submit import Outcome
from kavenegar_campaigns.store import installation
from tests.world import Sandbox, at, batch_ids, claimed, numbers, run_due_work, running, states

pytestmark = pytest.mark.usefixtures("slow_operators")


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


LOST_ANSWERS = ["accept_then_drop", "http_5xx_html_after", "bad_json", "entries_null", "drip", "accept_then_hang"]
LOST_REQUESTS = ["drop", "http_5xx_html_before", "waf"]


def _send_all(context: Context, engine: Engine, campaign: int) -> list[Outcome]:
    return [submit.send_batch(context, batch_id) for batch_id in batch_ids(engine, campaign)]


@pytest.mark.parametrize("fault", LOST_ANSWERS)
def test_a_lost_answer_is_unknown_and_resolving_finds_every_message_without_sending_again(
    context: Context, engine: Engine, sandbox: Sandbox, fault: str
) -> None:
    campaign = running(engine, 200)
    sandbox.turn(dedupe=False)
    sandbox.arm(fault, "sms/send", count=1, seconds=60)

    assert _send_all(at(context, sandbox.url, deadline_s=1.0), engine, campaign) == [Outcome.UNKNOWN]
    assert states(engine, campaign) == {"pending": 200}

    sandbox.advance(seconds=91)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 200}
    assert sandbox.summary()["messages"] == 200


@pytest.mark.parametrize("fault", LOST_REQUESTS)
def test_a_request_that_never_arrived_leaves_again_once_the_gateway_says_so(
    context: Context, engine: Engine, sandbox: Sandbox, fault: str
) -> None:
    campaign = running(engine, 200)
    sandbox.turn(dedupe=False)
    sandbox.arm(fault, "sms/send", count=1)

    assert _send_all(context, engine, campaign) == [Outcome.UNKNOWN]

    sandbox.advance(seconds=91)
    run_due_work(context)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 200}
    assert sandbox.summary()["messages"] == 200


def test_an_unknown_batch_is_left_alone_until_the_gateway_has_made_up_its_mind(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 200)
    sandbox.arm("accept_then_drop", "sms/send", count=1)
    (batch,) = batch_ids(engine, campaign)
    submit.send_batch(context, batch)

    assert submit.resolve_batch(context, batch) is Outcome.NOT_DUE
    assert submit.send_batch(context, batch) is Outcome.NOT_DUE


def test_rows_missing_from_an_answer_are_asked_about_and_the_others_count(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 200)
    sandbox.arm("missing_rows", "sms/send", count=1, rows=30)

    assert _send_all(context, engine, campaign) == [Outcome.UNKNOWN]
    assert states(engine, campaign) == {"accepted": 170, "pending": 30}

    sandbox.advance(seconds=91)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 200}
    assert sandbox.summary()["messages"] == 200


def test_a_worker_that_died_with_a_claim_is_found_out_by_its_lease(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 200)
    (batch,) = batch_ids(engine, campaign)
    claimed(context, batch)

    run_due_work(context)
    assert states(engine, campaign) == {"pending": 200}

    sandbox.advance(seconds=121)
    run_due_work(context)
    sandbox.advance(seconds=91)
    run_due_work(context)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 200}
    assert sandbox.summary()["messages"] == 200


def test_a_batch_is_claimed_by_one_of_two_rings(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    campaign = running(engine, 200)
    (batch,) = batch_ids(engine, campaign)

    assert [submit.send_batch(context, batch), submit.send_batch(context, batch)] == [Outcome.ACCEPTED, Outcome.NOT_DUE]
    assert sandbox.summary()["messages"] == 200


def test_nothing_is_sent_again_once_the_gateway_can_no_longer_be_asked(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 200)
    sandbox.arm("accept_then_drop", "sms/send", count=1)
    _send_all(context, engine, campaign)

    sandbox.advance(hours=13)
    run_due_work(context)
    run_due_work(context)

    assert states(engine, campaign) == {"uncertain": 200}
    assert sandbox.summary()["requests"]["sms/send"] == 1


def test_one_bad_number_is_refused_alone_and_the_others_leave(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(bad_receptors=[numbers(77)[-1]])
    campaign = running(engine, 200)

    for _ in range(12):
        run_due_work(context)

    assert states(engine, campaign) == {"accepted": 199, "refused": 1}
    assert sandbox.summary()["messages"] == 199
    assert sandbox.summary()["requests"]["sms/send"] <= 1 + 2 * 8
    with engine.connect() as connection:
        refused = connection.execute(text("SELECT number FROM sms.messages WHERE refused_code = 411")).scalars().all()
    assert refused == [numbers(77)[-1]]


def test_one_bad_text_among_personal_ones_is_refused_alone(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.turn(poison_text="نام 42 ")
    campaign = running(engine, 200, text="سلام {name} عزیز")

    for _ in range(12):
        run_due_work(context)

    assert states(engine, campaign) == {"accepted": 199, "refused": 1}


def test_an_unknown_sender_pauses_the_campaign_with_a_sentence_and_loses_nothing(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(senders=["30002626"])
    campaign = running(engine, 400)

    assert _send_all(context, engine, campaign) == [Outcome.CAMPAIGN_PAUSED, Outcome.NOT_DUE]

    with engine.connect() as connection:
        held = campaigns.get(connection, campaign)
    assert held.state is CampaignState.PAUSED
    assert held.hold_code == 412
    assert "sender" in str(held.hold_reason)
    assert states(engine, campaign) == {"pending": 400}

    sandbox.turn(senders=["10004346"])
    with engine.begin() as connection:
        campaigns.resume(connection, campaign)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 400}


def test_a_blocked_account_stops_every_campaign_until_a_look_finds_it_open(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(account_code=401)
    campaign = running(engine, 400)

    assert _send_all(context, engine, campaign) == [Outcome.ACCOUNT_HELD, Outcome.NOT_DUE]
    assert "still on hold" in account.recheck_hold(context)

    sandbox.turn(account_code=0)
    assert account.recheck_hold(context) == "let go"
    run_due_work(context)  # asked first whether it was sent all the same
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 400}


def test_a_campaign_goes_on_by_itself_after_the_account_was_topped_up(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.set_credit(120 * 250)
    campaign = running(engine, 400)

    assert _send_all(context, engine, campaign) == [Outcome.ACCEPTED, Outcome.ACCOUNT_HELD]
    run_due_work(context)
    assert context.database(installation.read).hold is not None

    sandbox.set_credit(120 * 199)
    assert account.recheck_hold(context) == "still without enough credit"
    sandbox.set_credit(120 * 200)
    assert account.recheck_hold(context) == "let go"
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 400}


def test_an_account_without_credit_from_the_start_goes_on_once_it_has_some(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.set_credit(0)
    campaign = running(engine, 200)
    assert _send_all(context, engine, campaign) == [Outcome.ACCOUNT_HELD]

    assert account.recheck_hold(context) == "still without enough credit"
    assert account.recheck_hold(context) == "still without enough credit"
    sandbox.set_credit(120 * 200)
    assert account.recheck_hold(context) == "let go"


def test_a_throttled_batch_goes_back_and_everybody_pauses(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.arm("code", "sms/send", count=1, code=451)
    campaign = running(engine, 400)
    first, second = batch_ids(engine, campaign)

    assert submit.send_batch(context, first) is Outcome.PUT_OFF

    paused = context.pace.view()
    assert paused.pauses == 1
    assert states(engine, campaign) == {"pending": 400}
    assert submit.send_batch(context, second) is Outcome.ACCEPTED
    assert paused.paused_until is None or context.pace.view().at >= paused.paused_until
    assert sandbox.summary()["requests"]["sms/send"] == 2


def test_a_gateway_that_is_down_costs_nothing_but_time(context: Context, engine: Engine, closed_port_url: str) -> None:
    campaign = running(engine, 200)
    (batch,) = batch_ids(engine, campaign)

    assert submit.send_batch(at(context, closed_port_url), batch) is Outcome.PUT_OFF

    assert states(engine, campaign) == {"pending": 200}
    with engine.connect() as connection:
        assert connection.execute(text("SELECT first_sent_at FROM sms.batches")).scalar_one() is None
