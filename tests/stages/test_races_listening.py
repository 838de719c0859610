"""What a bank would find in production about suppression, one-time passwords and callbacks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import SuppressionReason
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.stages import callbacks
from kavenegar_campaigns.stages.otp.send import follow_otps, send_otp
from kavenegar_campaigns.stages.suppression import sync_lines
from kavenegar_campaigns.store import callbacks as store
from kavenegar_campaigns.store import installation, otps, suppressions
from kavenegar_campaigns.store.callbacks import StatusCallback
from tests.kavenegar.scripted_server import ScriptedServer
from tests.stages.accepted import accepted
from tests.stages.inboxes import came_in, line_added, stored, turns
from tests.stages.otp_requests import ordered, tokens_kept
from tests.store.test_due_cost import nodes
from tests.web import expecting, gateway_ids
from tests.world import SENDER, Sandbox, at, numbers, run_due_work, running, states

NUMBER = "09121234567"
DAY = timedelta(days=1)


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def suppressed(engine: Engine, number: str = NUMBER) -> campaigns.Suppression | None:
    with engine.connect() as connection:
        return campaigns.suppressed(connection, number)


def suppress(context: Context, number: str = NUMBER, *, reason: str = SuppressionReason.MANUAL) -> None:
    context.database(suppressions.add, [number], reason=reason, source="a person", now=context.now())


def lift(context: Context, number: str = NUMBER) -> None:
    assert context.database(suppressions.lift, [number], now=context.now()) == 1


# ── suppression ──


def test_an_opt_out_older_than_a_persons_lifting_does_not_undo_it(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(context)
    suppress(context, reason=SuppressionReason.GATEWAY_OPT_OUT)
    sandbox.advance(hours=1)
    sandbox.inject({"line": SENDER, "sender": NUMBER, "text": "لغو", "age_s": 1800})
    lift(context)
    sandbox.advance(minutes=1)

    turns(context)

    assert stored(engine) == came_in(sandbox)
    assert suppressed(engine) is None


@pytest.mark.parametrize(("fate", "campaigns_before"), [("blocked", 1), ("undelivered", 3)])
def test_a_verdict_on_what_was_sent_before_a_person_lifted_a_number_does_not_undo_it(
    context: Context, engine: Engine, sandbox: Sandbox, fate: str, campaigns_before: int
) -> None:
    sandbox.turn(fates={fate: 1}, delivery_s=[60, 61])
    found = [running(engine, 1) for _ in range(campaigns_before)]
    for _ in found:
        run_due_work(context)
    (number,) = numbers(1)
    suppress(context, number)
    sandbox.advance(seconds=30)
    lift(context, number)
    sandbox.advance(minutes=11)
    for _ in range(3):
        run_due_work(context)

    assert all(states(engine, each) == {fate: 1} for each in found)
    assert suppressed(engine, number) is None


def test_a_lifted_number_stays_lifted_where_the_gateways_clock_is_ahead(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """Its dates may be Tehran's: three and a half hours ahead of what they say."""
    ours = replace(context, clock=lambda: context.now() - timedelta(hours=3, minutes=30))
    suppress(ours)
    (first,) = sync_lines(ours, [SENDER])
    assert first.written == 1
    sandbox.advance(minutes=1)
    lift(ours)
    sandbox.advance(minutes=1)

    sync_lines(ours, [SENDER])
    sync_lines(ours, [SENDER])

    assert suppressed(engine) is None
    assert sandbox.blocked().get(SENDER, []) == []


def test_a_block_that_the_panel_made_after_a_lifting_is_not_taken_off_where_the_gateways_clock_is_behind(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """The list was gone through after the lifting, and the number was not on it: so the entry is a new one."""
    ours = replace(context, clock=lambda: context.now() + timedelta(minutes=10))
    suppress(ours)
    lift(ours)
    sandbox.advance(minutes=1)
    sync_lines(ours, [SENDER])
    sandbox.advance(minutes=1)
    sandbox.block(SENDER, NUMBER, reason=1)

    sync_lines(ours, [SENDER])

    assert [each["number"] for each in sandbox.blocked()[SENDER]] == [NUMBER]
    assert suppressed(engine) is not None


def test_a_chunk_that_the_gateway_refuses_does_not_keep_lifted_numbers_on_its_list(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    suppress(context)
    sync_lines(context, [SENDER])
    lift(context)
    suppress(context, "09990000000")
    sandbox.arm("code", "line/blocked/add", share=1.0, code=411)

    sync_lines(context, [SENDER])

    assert [each["number"] for each in sandbox.blocked()[SENDER]] == []


# ── one-time passwords ──


def test_tokens_are_gone_once_the_window_has_closed_also_where_nobody_looked_before(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(delivery_s=[900_000, 900_001])
    otp_id = ordered(engine, call_after=timedelta(seconds=30))
    send_otp(context, otp_id)
    assert tokens_kept(engine) == 1
    sandbox.advance(hours=49)  # the workers were away

    follow_otps(context)

    assert context.database(otps.read, otp_id).state == "expired"
    assert tokens_kept(engine) == 0


# ── what it costs ──


def test_a_callback_about_a_stranger_does_not_read_every_open_one_time_password(
    context: Context, engine: Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO sms.otps (kind, number, template, state, due_at, expires_at, poll_at, gateway_id, sent_at)
                SELECT 'sms', '09120000000', 'v', 'accepted', now(), now(), now() + interval '1 h', id, now()
                  FROM generate_series(1, 100000) AS id
            """)
        )
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE sms.otps"))
    with engine.connect() as connection:
        plan = connection.execute(
            text(f"EXPLAIN (FORMAT JSON, ANALYZE) {store._POLL_OTPS_NOW.text}"),
            {"gateway_ids": [900_000_001, 900_000_002], "now": context.now()},
        ).scalar_one()
        connection.rollback()
    passed_over = sum(node.get("Rows Removed by Filter", 0) for node in nodes(plan[0]["Plan"]))
    assert passed_over < 1_000


# ── callbacks ──


def test_a_late_delivery_is_found_though_the_gateways_answer_lags_behind_its_callback(
    context: Context, engine: Engine, sandbox: Sandbox, server: ScriptedServer
) -> None:
    """The gateway has sent it again, and tells so before sms/status does: 11 a moment longer, then 10."""
    sandbox.turn(fates={"undelivered": 1}, delivery_s=[1, 2])
    hinted = expecting(context)
    campaign = accepted(hinted, engine, 1)
    sandbox.advance(minutes=6)
    run_due_work(hinted)
    assert states(engine, campaign) == {"undelivered": 1}
    (gateway_id,) = gateway_ids(engine, campaign)

    def standing(status: int) -> dict[str, object]:
        return {"messageid": gateway_id, "status": status, "statustext": ""}

    server.will(server.answer(200, [standing(11)]), server.answer(200, [standing(10)]))
    there = at(hinted, server.url, deadline_s=5.0)
    context.database(store.record, [StatusCallback(gateway_id, 10)], now=context.now())
    for _ in range(8):
        callbacks.process_callbacks(there)
        sandbox.advance(minutes=2)

    assert len(server.received) >= 1
    assert states(engine, campaign) == {"delivered": 1}


# ── the account ──


def test_messages_that_the_gateway_holds_for_tomorrow_do_not_prove_that_todays_credit_is_enough(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """Else an account without credit is let go and refused again with every look, until tomorrow."""
    with engine.begin() as connection:
        held = campaigns.create(connection, recipients=numbers(1), text="سلام", sender=SENDER)
        campaigns.start(connection, held, at=context.now() + DAY, at_gateway=True)
    run_due_work(context)
    assert states(engine, held) == {"accepted": 1}
    sandbox.advance(minutes=1)
    context.database(installation.hold_account, code=418, reason="-", hold_recheck_at=context.now(), now=context.now())
    sandbox.advance(minutes=1)
    context.database(installation.release_hold, credit_rial=500, now=context.now())
    sandbox.advance(minutes=1)

    context.database(installation.hold_account, code=418, reason="-", hold_recheck_at=context.now(), now=context.now())

    found = context.database(installation.read).hold
    assert found is not None
    assert found.released_credit_rial == 500
