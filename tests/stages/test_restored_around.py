"""What else hangs on a database's place and clock: one-time passwords, inbox lines, claims, and what is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import OtpState
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.stages import guards, submit, suppression, track
from kavenegar_campaigns.stages.inbox import pull
from kavenegar_campaigns.stages.otp.send import OtpOutcome as Sent
from kavenegar_campaigns.stages.otp.send import send_otp
from kavenegar_campaigns.stages.submit import Outcome
from kavenegar_campaigns.stages.waiting import WaitingReason
from kavenegar_campaigns.stages.waiting.reasons import why_waiting
from kavenegar_campaigns.store import due, gate, inbound, lines
from kavenegar_campaigns.store.database import READING_LASTS_S, Database
from tests.backups import dump, restore
from tests.stages.inboxes import MINUTE, at_rest, crowd, line_added, missing, row, turns
from tests.stages.otp_requests import ordered, sent, state_of, tokens_kept
from tests.world import SENDER, Sandbox, batch_ids, claimed, numbers, run_due_work, running, states

HOUR = timedelta(hours=1)
AT_ONCE = -timedelta(seconds=READING_LASTS_S)
"""A leap is waited out for so long, and for as long as a reading lasts."""


def accepted(context: Context) -> None:
    """What `campaigns restored` does."""
    guards.accept_database(context.database, context.policy, copy=False, now=context.now())


# ── one-time passwords ──


def test_a_code_that_waited_in_the_backup_is_not_sent_a_second_time(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    otp = ordered(engine)
    backup = dump(engine)
    assert send_otp(context, otp) is Sent.ACCEPTED
    restore(engine, backup)

    run_due_work(context)
    assert send_otp(context, otp) is Sent.NOT_DUE
    accepted(context)
    for _ in range(3):
        run_due_work(context)
        sandbox.advance(seconds=91)

    assert sent(sandbox) == 1
    assert state_of(engine, otp).state is OtpState.UNKNOWN
    assert tokens_kept(engine) == 0


def test_a_code_ordered_after_the_restore_is_sent(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    restore(engine, dump(engine))
    accepted(context)
    otp = ordered(engine)
    assert send_otp(context, otp) is Sent.ACCEPTED
    assert sent(sandbox) == 1


def test_nobody_is_called_about_a_code_whose_call_may_have_been_made_in_the_lost_history(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(fates={"undelivered": 1.0})
    otp = ordered(engine, call_after=timedelta(seconds=30))
    assert send_otp(context, otp) is Sent.ACCEPTED
    backup = dump(engine)
    for _ in range(5):
        sandbox.advance(seconds=5)
        run_due_work(context)
    assert sent(sandbox) == 2, "the SMS, and the call that follows it"
    restore(engine, backup)
    accepted(context)

    for _ in range(12):
        run_due_work(context)
        sandbox.advance(seconds=5)

    assert sent(sandbox) == 2
    assert state_of(engine, otp).call_id is None


# ── inbox lines ──


def test_what_a_lost_history_had_read_is_found_again(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    """The gateway hands a message out once; the rows are gone with the database, and it calls them read."""
    line_added(context)
    turns(context)
    backup = dump(engine)
    crowd(sandbox, 150, age_s=30)
    sandbox.advance(minutes=2)
    turns(context)
    assert missing(engine, sandbox) == 0
    restore(engine, backup)
    assert missing(engine, sandbox) == 150

    accepted(context)
    line = row(engine)
    assert line.needs_reconcile_since is not None
    sandbox.advance(minutes=5)
    at_rest(context, sandbox)

    assert missing(engine, sandbox) == 0


def test_a_line_is_not_pulled_by_a_database_that_does_not_know_whether_it_is_the_only_one(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """Reading marks a message as read: a clone would take it away from the original."""
    line_added(context)
    crowd(sandbox, 10)
    restore(engine, dump(engine))

    for _ in range(3):
        run_due_work(context)
        sandbox.advance(minutes=2)

    assert pull.pull_line(context, SENDER).summary == "not due"
    assert sandbox.inbox_summary()[SENDER]["unread"] == 10


def test_a_copy_leaves_the_lines_to_the_original_whatever_its_settings_say(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    context.database(lines.sync_settings, {SENDER: MINUTE}, now=context.now())
    restore(engine, dump(engine))
    guards.accept_database(context.database, context.policy, copy=True, now=context.now())
    crowd(sandbox, 10)
    context.database(lines.sync_settings, {SENDER: MINUTE}, now=context.now())
    for _ in range(3):
        sandbox.advance(minutes=5)
        run_due_work(context)
    assert sandbox.inbox_summary()[SENDER]["unread"] == 10


def test_an_answer_that_waits_to_be_handed_over_is_not_handed_over_by_a_copy(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(context)
    crowd(sandbox, 3)
    at_rest(replace(context, policy=replace(context.policy, deliver_inbound=True)), sandbox)
    later = context.now() + HOUR
    assert context.database(inbound.any_to_deliver, now=later)
    restore(engine, dump(engine))
    assert not context.database(inbound.any_to_deliver, now=later)
    assert context.database(inbound.claim_due, now=later, most=10) == []
    accepted(context)
    assert len(context.database(inbound.claim_due, now=later, most=10)) == 3


# ── messages that wait at the gateway, and block lists ──


@pytest.mark.parametrize("copy", [True, False], ids=["the original goes on", "the original is gone"])
def test_what_waits_at_the_gateway_is_withdrawn_only_by_the_database_that_handed_it_over(
    context: Context, engine: Engine, sandbox: Sandbox, copy: bool
) -> None:
    begins = context.now() + timedelta(hours=5)
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=numbers(200), text="سلام", sender=SENDER)
        campaigns.start(connection, campaign, at=begins, at_gateway=True)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 200}
    restore(engine, dump(engine))
    with engine.begin() as connection:
        campaigns.cancel(connection, campaign)
    (batch,) = batch_ids(engine, campaign)

    run_due_work(context)
    assert track.withdraw_batch(context, batch).asked == 0
    guards.accept_database(context.database, context.policy, copy=copy, now=context.now())
    run_due_work(context)
    track.withdraw_batch(context, batch)

    assert states(engine, campaign) == {"accepted" if copy else "cancelled": 200}


def test_a_copy_changes_no_block_list(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    running(engine, 1)
    with engine.begin() as connection:
        campaigns.suppress(connection, ["09121234567"], reason="manual")
    restore(engine, dump(engine))
    assert suppression.sync_due_line(context, SENDER).written == 0
    assert sandbox.blocked().get(SENDER, []) == []
    accepted(context)
    assert suppression.sync_due_line(context, SENDER).written == 1


# ── the clock ──


def leapt(context: Context, by: timedelta = HOUR) -> None:
    context.database(gate.note_leap, by=by, now=context.now())


def test_while_the_clock_is_not_trusted_nothing_is_sent_resolved_or_lapsed_and_then_everything_goes_on(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    patient, hasty = (_with(context, Database(engine, believe_after=after)) for after in (HOUR, AT_ONCE))
    campaign = running(engine, 600)
    first, second, third = batch_ids(engine, campaign)
    sandbox.arm("accept_then_drop", "sms/send", count=1)
    assert submit.send_batch(context, first) is Outcome.UNKNOWN
    claimed(context, second)
    sandbox.advance(minutes=5)
    leapt(context)

    for _ in range(3):
        run_due_work(patient)
    assert submit.send_batch(context, third) is Outcome.NOT_DUE
    assert submit.resolve_batch(context, first) is Outcome.NOT_DUE
    assert _states_of_batches(engine) == {"unknown": 1, "claimed": 1, "ready": 1}

    for _ in range(4):
        run_due_work(hasty)
        sandbox.advance(seconds=91)
    assert "pending" not in states(engine, campaign)
    assert sandbox.summary()["messages"] == 600
    assert sandbox.summary()["most_copies_to_one_receptor"] == 1


def _with(context: Context, database: Database) -> Context:
    return replace(context, database=database)


def _states_of_batches(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        found = connection.execute(text("SELECT state, count(*) AS batches FROM sms.batches GROUP BY state"))
        return {row.state: row.batches for row in found}


# ── what is told ──


@pytest.mark.parametrize(
    ("pretend", "reason"),
    [
        ("database_oid = database_oid + 1", WaitingReason.RESTORED),
        (
            "timeline = timeline - 1, server_started_at = server_started_at - interval '1 hour'",
            WaitingReason.DATABASE_CHECKED,
        ),
        ("server_started_at = server_started_at - interval '1 hour'", WaitingReason.DATABASE_CHECKED),
    ],
)
def test_a_campaign_says_that_it_waits_for_the_place_of_the_database(
    context: Context, engine: Engine, pretend: str, reason: WaitingReason
) -> None:
    campaign = running(engine, 3)
    with engine.begin() as connection:
        due.record_heartbeat(connection, now=context.now())
        connection.execute(
            text(f"UPDATE sms.identity SET {pretend}, written_by = pg_current_xact_id()::xid::text::bigint")
        )
    with engine.connect() as connection:
        found = why_waiting(connection, campaign, now=context.now(), pace=None)
    assert found is not None
    assert found.reason is reason


def test_a_campaign_says_that_it_waits_for_the_clock(context: Context, engine: Engine) -> None:
    campaign = running(engine, 3)
    leapt(context)
    with engine.begin() as connection:
        due.record_heartbeat(connection, now=context.now())
        found = why_waiting(connection, campaign, now=context.now(), pace=None)
    assert found is not None
    assert found.reason is WaitingReason.CLOCK_LEAPT
    assert "60 min" in found.sentence


def test_a_report_can_be_made_in_a_restored_database(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    """Looking never waits for a decision."""
    campaign = running(engine, 3)
    run_due_work(context)
    restore(engine, dump(engine))
    with engine.connect() as connection:
        assert campaigns.progress(connection, campaign).campaign.id == campaign
        assert campaigns.build_report(connection, campaign).campaign.messages == 3
