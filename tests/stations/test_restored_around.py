"""What else hangs on a database's place and clock: one-time passwords, inbox lines, claims, and what is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text

import campaigns
from campaigns import OtpState, guards, submit, withdraw
from campaigns.house import House
from campaigns.inbox import pull
from campaigns.otp.send import Outcome as Sent
from campaigns.otp.send import run
from campaigns.store import batches, due, inbound, leaps, lines
from campaigns.store.clock import LASTS_S
from campaigns.store.database import Database
from campaigns.submit import Outcome
from campaigns.suppress import gateway
from campaigns.waiting import Reason, why
from tests.backups import dump, restore
from tests.stations.inboxes import MINUTE, at_rest, crowd, line_added, missing, row, turns
from tests.stations.ordering import ordered, sent, state_of, tokens_kept
from tests.world import SENDER, Sandbox, answer_bells, batch_ids, numbers, running, states

HOUR = timedelta(hours=1)
AT_ONCE = -timedelta(seconds=LASTS_S)
"""A leap is waited out for so long, and for as long as a reading lasts."""


def accepted(house: House) -> None:
    """What `campaigns restored` does."""
    guards.accept(house.database, house.policy, copy=False, now=house.now())


# ── one-time passwords ──


def test_a_code_that_waited_in_the_backup_is_not_sent_a_second_time(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    otp = ordered(engine)
    backup = dump(engine)
    assert run(house, otp) is Sent.ACCEPTED
    restore(engine, backup)

    answer_bells(house)
    assert run(house, otp) is Sent.NOT_DUE
    accepted(house)
    for _ in range(3):
        answer_bells(house)
        sandbox.advance(seconds=91)

    assert sent(sandbox) == 1
    assert state_of(engine, otp).state is OtpState.UNKNOWN
    assert tokens_kept(engine) == 0


def test_a_code_ordered_after_the_restore_is_sent(house: House, engine: Engine, sandbox: Sandbox) -> None:
    restore(engine, dump(engine))
    accepted(house)
    otp = ordered(engine)
    assert run(house, otp) is Sent.ACCEPTED
    assert sent(sandbox) == 1


def test_nobody_is_called_about_a_code_whose_call_may_have_been_made_in_the_lost_history(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(fates={"undelivered": 1.0})
    otp = ordered(engine, call_after=timedelta(seconds=30))
    assert run(house, otp) is Sent.ACCEPTED
    backup = dump(engine)
    for _ in range(5):
        sandbox.advance(seconds=5)
        answer_bells(house)
    assert sent(sandbox) == 2, "the SMS, and the call that follows it"
    restore(engine, backup)
    accepted(house)

    for _ in range(12):
        answer_bells(house)
        sandbox.advance(seconds=5)

    assert sent(sandbox) == 2
    assert state_of(engine, otp).call_id is None


# ── inbox lines ──


def test_what_a_lost_history_had_read_is_found_again(house: House, engine: Engine, sandbox: Sandbox) -> None:
    """The gateway hands a message out once; the rows are gone with the database, and it calls them read."""
    line_added(house)
    turns(house)
    backup = dump(engine)
    crowd(sandbox, 150, age_s=30)
    sandbox.advance(minutes=2)
    turns(house)
    assert missing(engine, sandbox) == 0
    restore(engine, backup)
    assert missing(engine, sandbox) == 150

    accepted(house)
    line = row(engine)
    assert line.doubtful_since is not None
    sandbox.advance(minutes=5)
    at_rest(house, sandbox)

    assert missing(engine, sandbox) == 0


def test_a_line_is_not_pulled_by_a_database_that_does_not_know_whether_it_is_the_only_one(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    """Reading marks a message as read: a clone would take it away from the original."""
    line_added(house)
    crowd(sandbox, 10)
    restore(engine, dump(engine))

    for _ in range(3):
        answer_bells(house)
        sandbox.advance(minutes=2)

    assert pull.run(house, SENDER).summary == "not due"
    assert sandbox.inbox_summary()[SENDER]["unread"] == 10


def test_a_copy_leaves_the_lines_to_the_original_whatever_its_settings_say(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    house.database(lines.seed, {SENDER: MINUTE}, now=house.now())
    restore(engine, dump(engine))
    guards.accept(house.database, house.policy, copy=True, now=house.now())
    crowd(sandbox, 10)
    house.database(lines.seed, {SENDER: MINUTE}, now=house.now())
    for _ in range(3):
        sandbox.advance(minutes=5)
        answer_bells(house)
    assert sandbox.inbox_summary()[SENDER]["unread"] == 10


def test_an_answer_that_waits_to_be_handed_over_is_not_handed_over_by_a_copy(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    line_added(house)
    crowd(sandbox, 3)
    at_rest(replace(house, policy=replace(house.policy, hand_over=True)), sandbox)
    later = house.now() + HOUR
    assert house.database(inbound.to_hand, now=later)
    restore(engine, dump(engine))
    assert not house.database(inbound.to_hand, now=later)
    assert house.database(inbound.hand, now=later, most=10) == []
    accepted(house)
    assert len(house.database(inbound.hand, now=later, most=10)) == 3


# ── messages that wait at the gateway, and block lists ──


@pytest.mark.parametrize("copy", [True, False], ids=["the original goes on", "the original is gone"])
def test_what_waits_at_the_gateway_is_withdrawn_only_by_the_database_that_handed_it_over(
    house: House, engine: Engine, sandbox: Sandbox, copy: bool
) -> None:
    begins = house.now() + timedelta(hours=5)
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=numbers(200), text="سلام", sender=SENDER)
        campaigns.start(connection, campaign, at=begins, at_gateway=True)
    answer_bells(house)
    assert states(engine, campaign) == {"accepted": 200}
    restore(engine, dump(engine))
    with engine.begin() as connection:
        campaigns.cancel(connection, campaign)
    (batch,) = batch_ids(engine, campaign)

    answer_bells(house)
    assert withdraw.run(house, batch).asked == 0
    guards.accept(house.database, house.policy, copy=copy, now=house.now())
    answer_bells(house)
    withdraw.run(house, batch)

    assert states(engine, campaign) == {"accepted" if copy else "cancelled": 200}


def test_a_copy_changes_no_block_list(house: House, engine: Engine, sandbox: Sandbox) -> None:
    running(engine, 1)
    with engine.begin() as connection:
        campaigns.suppress(connection, ["09121234567"], reason="manual")
    restore(engine, dump(engine))
    assert gateway.run(house, SENDER).written == 0
    assert sandbox.blocked().get(SENDER, []) == []
    accepted(house)
    assert gateway.run(house, SENDER).written == 1


# ── the clock ──


def leapt(house: House, by: timedelta = HOUR) -> None:
    house.database(leaps.note, by=by, now=house.now())


def test_while_the_clock_is_not_trusted_nothing_is_sent_resolved_or_lapsed_and_then_everything_goes_on(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    patient, hasty = (_with(house, Database(engine, believe_after=after)) for after in (HOUR, AT_ONCE))
    campaign = running(engine, 600)
    first, second, third = batch_ids(engine, campaign)
    sandbox.arm("accept_then_drop", "sms/send", count=1)
    assert submit.run(house, first) is Outcome.UNKNOWN
    assert house.database(
        batches.claim_ready, second, account=house.account, call_id=uuid4(), now=house.now(), lease=house.policy.lease
    )
    sandbox.advance(minutes=5)
    leapt(house)

    for _ in range(3):
        answer_bells(patient)
    assert submit.run(house, third) is Outcome.NOT_DUE
    assert submit.resolve(house, first) is Outcome.NOT_DUE
    assert _states_of_batches(engine) == {"unknown": 1, "claimed": 1, "ready": 1}

    for _ in range(4):
        answer_bells(hasty)
        sandbox.advance(seconds=91)
    assert "pending" not in states(engine, campaign)
    assert sandbox.summary()["messages"] == 600
    assert sandbox.summary()["most_copies_to_one_receptor"] == 1


def _with(house: House, database: Database) -> House:
    return replace(house, database=database)


def _states_of_batches(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        found = connection.execute(text("SELECT state, count(*) AS batches FROM sms.batches GROUP BY state"))
        return {row.state: row.batches for row in found}


# ── what is told ──


@pytest.mark.parametrize(
    ("pretend", "reason"),
    [
        ("database_oid = database_oid + 1", Reason.RESTORED),
        ("timeline = timeline - 1, server_started_at = server_started_at - interval '1 hour'", Reason.DATABASE_CHECKED),
        ("server_started_at = server_started_at - interval '1 hour'", Reason.DATABASE_CHECKED),
    ],
)
def test_a_campaign_says_that_it_waits_for_the_place_of_the_database(
    house: House, engine: Engine, pretend: str, reason: Reason
) -> None:
    campaign = running(engine, 3)
    with engine.begin() as connection:
        due.ticked(connection, now=house.now())
        connection.execute(
            text(f"UPDATE sms.identity SET {pretend}, written_by = pg_current_xact_id()::xid::text::bigint")
        )
    with engine.connect() as connection:
        found = why(connection, campaign, now=house.now(), pace=None)
    assert found is not None
    assert found.reason is reason


def test_a_campaign_says_that_it_waits_for_the_clock(house: House, engine: Engine) -> None:
    campaign = running(engine, 3)
    leapt(house)
    with engine.begin() as connection:
        due.ticked(connection, now=house.now())
        found = why(connection, campaign, now=house.now(), pace=None)
    assert found is not None
    assert found.reason is Reason.CLOCK_LEAPT
    assert "60 min" in found.sentence


def test_a_report_can_be_made_in_a_restored_database(house: House, engine: Engine, sandbox: Sandbox) -> None:
    """Looking never waits for a decision."""
    campaign = running(engine, 3)
    answer_bells(house)
    restore(engine, dump(engine))
    with engine.connect() as connection:
        assert campaigns.progress(connection, campaign).campaign.id == campaign
        assert campaigns.report(connection, campaign).campaign.messages == 3
