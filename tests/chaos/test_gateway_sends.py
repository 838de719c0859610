"""The gateway misbehaves in one way while it is sent to. It drops no repeats, so that a blind re-send would show."""

from __future__ import annotations

import threading

import pytest
import redis
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.rules.states import CampaignState
from kavenegar_campaigns.stages import account, submit
from kavenegar_campaigns.stages.submit import Outcome
from tests.chaos.tampering import Row, tampered
from tests.chaos.workshop import to_the_end
from tests.kavenegar.scripted_server import ScriptedServer
from tests.waiting import until
from tests.world import Sandbox, at, batch_ids, numbers, run_due_work, running, states

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def _send_all(context: Context, engine: Engine, campaign: int) -> list[Outcome]:
    return [submit.send_batch(context, batch_id) for batch_id in batch_ids(engine, campaign)]


def test_a_gateway_that_accepts_after_we_hung_up_is_asked_once_it_has_made_up_its_mind(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign, made_up = running(engine, 200), threading.Event()
    with tampered(sandbox.url, "sms/send", hold=made_up.wait) as url:
        assert _send_all(at(context, url, deadline_s=1.0), engine, campaign) == [Outcome.UNKNOWN]
        assert sandbox.summary()["messages"] == 0

        made_up.set()
        until(lambda: sandbox.summary()["messages"] == 200, "a late acceptance")
    sandbox.advance(seconds=91)
    assert to_the_end(context, engine, sandbox).broken == ()
    assert sandbox.summary()["messages"] == 200


def test_rows_that_are_answered_twice_count_once(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    campaign = running(engine, 200, text="سلام {name}")
    sandbox.arm("duplicate_rows", "sms/sendarray", count=1, rows=60)

    assert _send_all(context, engine, campaign) == [Outcome.ACCEPTED]
    assert to_the_end(context, engine, sandbox).broken == ()


@pytest.mark.parametrize("processed", [True, False])
def test_a_page_of_html_with_200_says_nothing_about_the_messages(
    context: Context, engine: Engine, sandbox: Sandbox, processed: bool
) -> None:
    campaign = running(engine, 200)
    sandbox.arm("html_200", "sms/send", count=1, processed=processed)

    assert _send_all(context, engine, campaign) == [Outcome.UNKNOWN]
    assert to_the_end(context, engine, sandbox).broken == ()
    assert sandbox.summary()["messages"] == 200


@pytest.mark.parametrize("code", [412, 501, 607, 777])
@pytest.mark.parametrize("always_200", [True, False])
def test_a_code_means_the_same_whatever_the_http_status_says(
    context: Context, engine: Engine, sandbox: Sandbox, code: int, always_200: bool
) -> None:
    """607 and 777 fit no HTTP status: the gateway puts 400 there, or 200. Nobody has documented 777: it is asked."""
    sandbox.turn(always_200=always_200)
    sandbox.arm("code", "sms/send", count=1, code=code)
    campaign = running(engine, 200)

    outcome = Outcome.UNKNOWN if code == 777 else Outcome.CAMPAIGN_PAUSED
    assert _send_all(context, engine, campaign) == [outcome]
    with engine.begin() as connection:
        held = campaigns.get(connection, campaign)
        campaigns.resume(connection, campaign)
    assert (held.state, held.hold_code) == (CampaignState.PAUSED, code)
    assert to_the_end(context, engine, sandbox).broken == ()


def test_a_bad_number_is_isolated_also_where_every_error_comes_with_http_200(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(always_200=True, bad_receptors=[numbers(40)[-1]])
    campaign = running(engine, 200)

    assert to_the_end(context, engine, sandbox).broken == ()

    found = states(engine, campaign)
    assert found["refused"] == 1
    assert sandbox.summary()["messages"] == 199


@pytest.mark.parametrize("code", [403, 416, 430])
def test_a_blocked_account_sends_nothing_and_goes_on_when_it_is_open_again(
    context: Context, engine: Engine, sandbox: Sandbox, code: int
) -> None:
    sandbox.turn(account_code=code)
    campaign = running(engine, 400)

    assert _send_all(context, engine, campaign) == [Outcome.ACCOUNT_HELD, Outcome.NOT_DUE]
    assert sandbox.summary()["requests"]["sms/send"] == 1

    sandbox.turn(account_code=0)
    assert account.recheck_hold(context) == "let go"
    assert to_the_end(context, engine, sandbox).broken == ()


def test_credit_that_ends_half_way_loses_nothing(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.set_credit(120 * 500)
    campaign = running(engine, 1_000)
    run_due_work(context)
    assert states(engine, campaign)["pending"] == 600

    sandbox.set_credit(120 * 10_000)
    assert to_the_end(context, engine, sandbox).broken == ()
    assert sandbox.summary()["messages"] == 1_000


def test_a_storm_of_451_is_answered_by_one_cut_of_the_pace_and_one_pause_for_all(
    context: Context, engine: Engine, sandbox: Sandbox, broker_url: str
) -> None:
    sandbox.turn(latency_ms=2_000)  # so that all five have left before the first comes back
    sandbox.arm("code", "sms/send", count=5, code=451)
    campaign = running(engine, 1_000)
    calls = [threading.Thread(target=submit.send_batch, args=(context, batch)) for batch in batch_ids(engine, campaign)]
    rate = context.pace.rate()

    for call in calls:
        call.start()
    for call in calls:
        call.join()

    assert states(engine, campaign) == {"pending": 1_000}
    after = context.pace.view()
    assert rate / 2 <= after.rate < rate
    assert (after.refusals, after.pauses) == (5, 1)
    with engine.connect() as connection:  # the gateway is asked first what it did all the same
        assert set(connection.execute(text("SELECT state FROM sms.batches")).scalars()) == {"unknown"}
    with redis.Redis.from_url(broker_url) as broker:
        broker.flushall()
    sandbox.turn(latency_ms=0)
    assert to_the_end(context, engine, sandbox).broken == ()


UNREACHABLE = {
    "a name that nobody knows": "http://gateway.invalid",
    "a server that speaks no TLS": "https://{sandbox}",
    "a certificate that nobody signed": "{tls}",
}


@pytest.mark.parametrize("url", UNREACHABLE.values(), ids=UNREACHABLE)
def test_a_gateway_that_cannot_be_reached_was_sent_nothing(
    context: Context, engine: Engine, sandbox: Sandbox, url: str
) -> None:
    campaign = running(engine, 200)
    stranger = ScriptedServer(tls=True)
    stranger.will(stranger.answer(200, []))
    address = url.format(sandbox=sandbox.url.removeprefix("http://"), tls=stranger.url)

    assert _send_all(at(context, address), engine, campaign) == [Outcome.PUT_OFF]

    stranger.stop()
    assert stranger.received == []
    with engine.connect() as connection:
        assert connection.execute(text("SELECT first_sent_at FROM sms.batches")).scalar_one() is None
    assert to_the_end(context, engine, sandbox).broken == ()
    assert sandbox.summary()["requests"]["sms/send"] == 1


def _without_ids(rows: list[Row]) -> list[Row]:
    return [{**row, "messageid": None} if place % 2 else row for place, row in enumerate(rows)]


def test_rows_without_an_id_are_missing_rows(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    campaign = running(engine, 200)
    with tampered(sandbox.url, "sms/send", _without_ids) as url:
        assert _send_all(at(context, url), engine, campaign) == [Outcome.UNKNOWN]
    assert states(engine, campaign) == {"accepted": 100, "pending": 100}

    assert to_the_end(context, engine, sandbox).broken == ()
    assert sandbox.summary()["messages"] == 200


def _about_somebody_else(rows: list[Row]) -> list[Row]:
    return [{**rows[0], "receptor": "09350000000"}, *rows[1:]]


def test_a_row_about_somebody_else_stops_the_campaign_and_nothing_leaves_again(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 400)
    with tampered(sandbox.url, "sms/send", _about_somebody_else) as url:
        first, second = _send_all(at(context, url), engine, campaign)

    assert first is Outcome.COLLIDED
    assert second is Outcome.NOT_DUE
    assert states(engine, campaign)["accepted"] == 199
    sandbox.advance(hours=1)
    run_due_work(context)
    assert sandbox.summary()["requests"]["sms/send"] == 1
