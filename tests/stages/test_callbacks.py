"""What the gateway tells by itself: a hint that makes us ask, or a fact where it is trusted; never more than that."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
import requests
from sqlalchemy import Engine, text

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.rules.batches import callback_batch_at
from kavenegar_campaigns.stages import callbacks, track
from kavenegar_campaigns.stages.callbacks import match_callbacks
from kavenegar_campaigns.store import callbacks as store
from kavenegar_campaigns.store.callbacks import StatusCallback
from tests.kavenegar.scripted_server import ScriptedServer
from tests.stages.accepted import accepted
from tests.store.given import lies
from tests.web import expecting, gateway_ids, parked, web
from tests.world import Sandbox, at, run_due_work, states

STRANGER = 4_242_424_242


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def call_back(context: Context, *reports: tuple[int, int]) -> None:
    """Send us callbacks as the gateway does, each with a gateway id and a status."""
    with web(context) as url:
        for gateway_id, status in reports:
            answer = requests.get(f"{url}/status", params={"messageid": gateway_id, "status": status}, timeout=60)
            assert answer.status_code == 200


def asked(sandbox: Sandbox) -> int:
    """How often the gateway was asked about statuses."""
    return int(sandbox.summary()["requests"].get("sms/status", 0))


def after_gathering(context: Context, sandbox: Sandbox) -> callbacks.Processed:
    """Process the callbacks that were recorded, once their batch window is over."""
    sandbox.advance(seconds=context.policy.callback_batch_window.total_seconds() + 1)
    return callbacks.process_callbacks(context)


def truthful(engine: Engine) -> bool:
    with engine.connect() as connection:
        return lies(connection) == []


# ── hints ──


def test_a_hint_makes_us_ask_and_the_gateway_has_the_last_word(
    hinted: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """It is told that they were delivered; the gateway, asked, says that they failed."""
    sandbox.turn(fates={"failed": 1.0})
    campaign = accepted(hinted, engine, 5)
    call_back(hinted, *((gateway_id, 10) for gateway_id in gateway_ids(engine, campaign)[:3]))

    assert after_gathering(hinted, sandbox) == callbacks.Processed(looked=3, asked=3, moved=3)

    assert states(engine, campaign) == {"failed": 3, "accepted": 2}
    assert asked(sandbox) == 1
    assert parked(engine) == []
    assert truthful(engine)


def test_nobody_is_asked_before_the_callbacks_of_a_span_are_together(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    span = timedelta(minutes=2)  # twice that is less than the first age of the schedule
    hinted = expecting(context, callback_batch_window=span)
    sandbox.turn(fates={"delivered": 1.0})
    campaign = accepted(hinted, engine, 300)
    sandbox.advance(seconds=(callback_batch_at(hinted.now(), window=span) - hinted.now()).total_seconds())
    ids = gateway_ids(engine, campaign)
    call_back(hinted, *((gateway_id, 10) for gateway_id in ids[:3]))
    assert run_due_work(hinted).callbacks == 1
    with engine.begin() as connection:
        store.record(connection, [StatusCallback(gateway_id, 10) for gateway_id in ids[3:]], now=hinted.now())
    run_due_work(hinted)
    assert asked(sandbox) == 0
    sandbox.advance(seconds=span.total_seconds())
    run_due_work(hinted)
    assert asked(sandbox) == 1
    assert states(engine, campaign) == {"delivered": 300}


def test_a_hint_leaves_the_schedule_of_its_batch_alone(hinted: Context, engine: Engine, sandbox: Sandbox) -> None:
    campaign = accepted(hinted, engine, 5)
    polled = "SELECT poll_at, poll_no FROM sms.batches"
    with engine.connect() as connection:
        before = connection.execute(text(polled)).one()
    call_back(hinted, (gateway_ids(engine, campaign)[0], 10))
    after_gathering(hinted, sandbox)
    with engine.connect() as connection:
        assert connection.execute(text(polled)).one() == before


def test_hints_about_a_whole_batch_close_it_and_its_campaign(hinted: Context, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.turn(fates={"delivered": 1.0})
    campaign = accepted(hinted, engine, 5)
    call_back(hinted, *((gateway_id, 10) for gateway_id in gateway_ids(engine, campaign)))
    after_gathering(hinted, sandbox)
    run_due_work(hinted)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT state, finished_at IS NOT NULL FROM sms.campaigns")).one()
    assert tuple(found) == ("finished", True)
    assert asked(sandbox) == 1


def test_a_callback_that_is_ahead_of_what_the_gateway_answers_is_asked_about_again(
    hinted: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(delivery_s=[100, 100], fates={"delivered": 1.0})
    campaign = accepted(hinted, engine, 1)
    call_back(hinted, (gateway_ids(engine, campaign)[0], 10))
    assert after_gathering(hinted, sandbox).asked == 1
    assert states(engine, campaign) == {"accepted": 1}
    assert len(parked(engine)) == 1
    sandbox.advance(minutes=5)
    assert callbacks.process_callbacks(hinted) == callbacks.Processed(asked=1, moved=1)
    assert parked(engine) == []


def test_a_message_that_the_gateway_sent_again_is_delivered_after_all(
    hinted: Context, server: ScriptedServer, engine: Engine, sandbox: Sandbox
) -> None:
    """It was undelivered, and its batch is closed: nothing else would ever ask again."""
    sandbox.turn(fates={"undelivered": 1.0})
    campaign = accepted(hinted, engine, 1)
    (only,) = gateway_ids(engine, campaign)
    sandbox.advance(minutes=6)
    run_due_work(hinted)
    assert states(engine, campaign) == {"undelivered": 1}
    call_back(hinted, (only, 10))
    server.will(server.answer(entries=[{"messageid": only, "status": 10, "statustext": ""}]))
    assert after_gathering(at(hinted, server.url), sandbox).moved == 1
    assert states(engine, campaign) == {"delivered": 1}
    assert truthful(engine)


def test_a_poll_that_was_faster_spares_the_question(hinted: Context, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.turn(fates={"delivered": 1.0})
    campaign = accepted(hinted, engine, 5)
    call_back(hinted, *((gateway_id, 10) for gateway_id in gateway_ids(engine, campaign)))
    callbacks.process_callbacks(hinted)
    sandbox.advance(minutes=6)
    track.poll_statuses(hinted)
    assert callbacks.process_callbacks(hinted) == callbacks.Processed()
    assert asked(sandbox) == 1
    assert parked(engine) == []


@pytest.mark.parametrize("code", [451, 403])
def test_a_refused_question_is_put_off_and_asked_again(
    hinted: Context, engine: Engine, sandbox: Sandbox, code: int
) -> None:
    campaign = accepted(hinted, engine, 5)
    call_back(hinted, *((gateway_id, 10) for gateway_id in gateway_ids(engine, campaign)))
    sandbox.arm("code", "sms/status", count=1, code=code)
    processed = after_gathering(hinted, sandbox)
    assert str(code) in processed.trouble
    assert len(parked(engine)) == 5
    assert states(engine, campaign) == {"accepted": 5}


@pytest.mark.parametrize("fault", ["drop", "http_5xx_html_before", "bad_json", "missing_rows"])
def test_a_question_without_a_usable_answer_is_asked_again(
    hinted: Context, engine: Engine, sandbox: Sandbox, fault: str
) -> None:
    sandbox.turn(fates={"delivered": 1.0})
    campaign = accepted(hinted, engine, 5)
    call_back(hinted, *((gateway_id, 10) for gateway_id in gateway_ids(engine, campaign)))
    sandbox.arm(fault, "sms/status", count=4, **({"rows": 5} if fault == "missing_rows" else {}))
    assert after_gathering(hinted, sandbox).moved == 0
    assert len(parked(engine)) == 5
    sandbox.disarm()
    sandbox.advance(minutes=20)
    assert callbacks.process_callbacks(hinted).moved == 5


def test_a_message_that_the_gateway_no_longer_knows_keeps_its_last_status(
    hinted: Context, server: ScriptedServer, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = accepted(hinted, engine, 1)
    (only,) = gateway_ids(engine, campaign)
    call_back(hinted, (only, 10))
    server.will(server.answer(entries=[{"messageid": only, "status": 100, "statustext": ""}]))
    assert after_gathering(at(hinted, server.url), sandbox) == callbacks.Processed(looked=1, asked=1)
    with engine.connect() as connection:
        assert tuple(connection.execute(text("SELECT state, status FROM sms.messages")).one()) == ("accepted", 1)


def test_nobody_is_asked_whether_a_delivery_was_none(hinted: Context, engine: Engine, sandbox: Sandbox) -> None:
    sandbox.turn(fates={"delivered": 1.0})
    campaign = accepted(hinted, engine, 1)
    sandbox.advance(minutes=6)
    run_due_work(hinted)
    assert states(engine, campaign) == {"delivered": 1}
    call_back(hinted, *((gateway_ids(engine, campaign)[0], status) for status in (6, 10, 11, 77)))
    assert match_callbacks(hinted) == (4, 0)
    assert parked(engine) == []


def test_two_who_heed_at_once_ask_about_different_messages(hinted: Context, engine: Engine, sandbox: Sandbox) -> None:
    accepted(hinted, engine, 5)
    with engine.begin() as connection:
        ids = connection.execute(text("SELECT gateway_id, id FROM sms.messages")).all()
        reports = [StatusCallback(row.gateway_id, 10) for row in ids]
        store.record(connection, reports, now=hinted.now())
    callbacks.process_callbacks(hinted)
    sandbox.advance(seconds=30)
    lease = timedelta(minutes=2)
    with engine.connect() as one, engine.connect() as other, one.begin(), other.begin():
        mine = store.claim_to_confirm(one, now=hinted.now(), lease=lease, most=3)
        theirs = store.claim_to_confirm(other, now=hinted.now(), lease=lease, most=3)
    assert (len(mine), len(theirs)) == (3, 2)
    assert not {each.callback for each in mine} & {each.callback for each in theirs}


# ── facts ──


def test_trusted_callbacks_bring_the_verdicts_and_nobody_is_asked(
    trusting: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = accepted(trusting, engine, 6)
    ids = gateway_ids(engine, campaign)
    call_back(trusting, *zip(ids, (10, 11, 6, 14, 13, 4), strict=True))

    assert callbacks.process_callbacks(trusting).moved == 5

    assert states(engine, campaign) == {
        "delivered": 1, "undelivered": 1, "failed": 1, "blocked": 1, "cancelled": 1, "accepted": 1
    }  # fmt: skip
    assert asked(sandbox) == 0
    assert parked(engine) == []
    assert truthful(engine)


def test_trusted_callbacks_close_a_batch_and_its_campaign_without_a_poll(
    trusting: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = accepted(trusting, engine, 300)
    with engine.begin() as connection:
        reports = [StatusCallback(gateway_id, 10) for gateway_id in gateway_ids(engine, campaign)]
        store.record(connection, reports, now=trusting.now())
    run_due_work(trusting)
    run_due_work(trusting)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT state FROM sms.campaigns")).scalar_one() == "finished"
        assert connection.execute(text("SELECT count(poll_at) FROM sms.batches")).scalar_one() == 0
    assert asked(sandbox) == 0


@pytest.mark.parametrize("trust", [True, False])
@pytest.mark.parametrize(("fate", "status", "reason"), [("blocked", 14, "blocked"), ("undelivered", 11, "unreachable")])
def test_a_verdict_that_came_by_callback_suppresses_as_one_that_was_polled_for(
    context: Context, engine: Engine, sandbox: Sandbox, trust: bool, fate: str, status: int, reason: str
) -> None:
    ours = expecting(context, trust_callbacks=trust, suppress_after=1)
    sandbox.turn(fates={fate: 1.0})
    campaign = accepted(ours, engine, 2)
    call_back(ours, (gateway_ids(engine, campaign)[0], status))
    assert after_gathering(ours, sandbox).moved == 1
    with engine.connect() as connection:
        assert connection.execute(text("SELECT reason FROM sms.suppressions")).scalars().all() == [reason]


@pytest.mark.parametrize("order", [(10, 4), (4, 10), (10, 11), (11, 10), (10, 6), (10, 10), (10, 1, 5, 100, 2)])
def test_reordered_and_doubled_callbacks_never_take_a_delivery_back(
    trusting: Context, engine: Engine, order: Sequence[int]
) -> None:
    campaign = accepted(trusting, engine, 2)
    together, apart = gateway_ids(engine, campaign)
    call_back(trusting, *((together, status) for status in order))
    callbacks.process_callbacks(trusting)
    for status in order:
        call_back(trusting, (apart, status))
        callbacks.process_callbacks(trusting)
    assert states(engine, campaign) == {"delivered": 2}
    assert truthful(engine)


def test_no_longer_known_is_no_verdict_even_if_trusted(trusting: Context, engine: Engine) -> None:
    campaign = accepted(trusting, engine, 1)
    call_back(trusting, (gateway_ids(engine, campaign)[0], 100))
    callbacks.process_callbacks(trusting)
    with engine.connect() as connection:
        assert tuple(connection.execute(text("SELECT state, status FROM sms.messages")).one()) == ("accepted", 1)


def test_an_undocumented_status_is_asked_about_even_if_trusted(
    trusting: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(fates={"delivered": 1.0})
    campaign = accepted(trusting, engine, 1)
    call_back(trusting, (gateway_ids(engine, campaign)[0], 77))
    assert after_gathering(trusting, sandbox) == callbacks.Processed(looked=1, asked=1, moved=1)
    with engine.connect() as connection:
        assert tuple(connection.execute(text("SELECT state, status FROM sms.messages")).one()) == ("delivered", 10)


# ── ids we do not know ──


def test_a_callback_that_overtakes_our_own_commit_is_heeded_once_we_know_the_message(
    trusting: Context, engine: Engine
) -> None:
    campaign = accepted(trusting, engine, 1)
    (only,) = gateway_ids(engine, campaign)
    with engine.begin() as connection:
        known = connection.execute(text("DELETE FROM sms.gateway_ids RETURNING message_id, closes_at")).one()
    call_back(trusting, (only, 10))
    callbacks.process_callbacks(trusting)
    assert states(engine, campaign) == {"accepted": 1}
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO sms.gateway_ids VALUES (:id, :message_id, :closes_at)"),
            {"id": only, "message_id": known.message_id, "closes_at": known.closes_at},
        )
    assert callbacks.process_callbacks(trusting).looked == 0
    after = callbacks_due_in(engine, trusting)
    assert timedelta(0) < after <= timedelta(seconds=5)


def callbacks_due_in(engine: Engine, context: Context) -> timedelta:
    with engine.connect() as connection:
        due_at = connection.execute(text("SELECT min(due_at) FROM sms.callbacks")).scalar_one()
    found: timedelta = due_at - context.now()
    return found


def test_it_is_looked_at_again_after_seconds(trusting: Context, engine: Engine, sandbox: Sandbox) -> None:
    call_back(trusting, (STRANGER, 10))
    looked = []
    for span in (0, 6, 25, 5 * 60, 60 * 60, 48 * 60 * 60):
        sandbox.advance(seconds=span)
        looked.append(callbacks.process_callbacks(trusting).looked)
        looked.append(callbacks.process_callbacks(trusting).looked)
    assert looked == [1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0]
    assert parked(engine) == []


@pytest.mark.parametrize("trust", [True, False])
def test_a_storm_of_forged_callbacks_changes_nothing_and_is_gone_after_an_hour(
    context: Context, engine: Engine, sandbox: Sandbox, trust: bool
) -> None:
    ours = expecting(context, trust_callbacks=trust)
    campaign = accepted(ours, engine, 5)
    with engine.connect() as connection:
        before = connection.execute(text("SELECT * FROM sms.messages ORDER BY id")).all()
    with web(ours) as url:
        for portion in range(8):
            ids = range(STRANGER + 500 * portion, STRANGER + 500 * (portion + 1))
            forged = [{"messageid": number, "status": 6} for number in ids]
            assert requests.post(f"{url}/status", json=forged, timeout=60).ok
    assert run_due_work(ours).callbacks == 1
    with engine.connect() as connection:
        assert connection.execute(text("SELECT * FROM sms.messages ORDER BY id")).all() == before
    assert len(parked(engine)) == 4000
    for minutes in (1, 6, 70):
        sandbox.advance(minutes=minutes)
        callbacks.process_callbacks(ours)
    assert parked(engine) == []
    assert asked(sandbox) == 0
    assert states(engine, campaign) == {"accepted": 5}


def test_forged_hints_about_our_own_messages_cost_one_question_each_time_and_change_nothing(
    hinted: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(fates={"stuck": 1.0})
    campaign = accepted(hinted, engine, 300)
    with engine.begin() as connection:
        reports = [StatusCallback(gateway_id, 6) for gateway_id in gateway_ids(engine, campaign)]
        store.record(connection, reports, now=hinted.now())
    after_gathering(hinted, sandbox)
    for minutes in (1, 6, 70):
        sandbox.advance(minutes=minutes)
        callbacks.process_callbacks(hinted)
    assert states(engine, campaign) == {"accepted": 300}
    assert asked(sandbox) == 4
    assert parked(engine) == []


def test_an_installation_that_expects_no_callbacks_keeps_no_receipts(context: Context, engine: Engine) -> None:
    accepted(context, engine, 5)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM sms.gateway_ids")).scalar_one() == 0


def test_receipts_go_when_their_window_has_closed(hinted: Context, engine: Engine, sandbox: Sandbox) -> None:
    accepted(hinted, engine, 5)
    gateway_ids = text("SELECT count(*) FROM sms.gateway_ids")
    for hours, left in ((47, 5), (2, 0)):
        sandbox.advance(hours=hours)
        run_due_work(hinted)
        with engine.connect() as connection:
            assert connection.execute(gateway_ids).scalar_one() == left


# ── one-time passwords ──


def test_a_callback_about_a_one_time_password_has_it_followed_at_once(hinted: Context, engine: Engine) -> None:
    soon = hinted.now() + timedelta(hours=1)
    with engine.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO sms.otps (kind, number, template, state, due_at, expires_at, gateway_id, poll_at)
                SELECT 'sms', '09121234567', 'login', 'accepted', :soon, :soon, id, :soon
                  FROM generate_series(1, 2) AS id
            """),
            {"soon": soon},
        )
    call_back(hinted, (1, 10))
    callbacks.process_callbacks(hinted)
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT gateway_id, poll_at <= :now AS due FROM sms.otps"), {"now": hinted.now()}
        )
        assert {row.gateway_id: row.due for row in rows} == {1: True, 2: False}
    assert parked(engine) == []
