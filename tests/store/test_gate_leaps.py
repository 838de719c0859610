"""What a clock that ran ahead has left behind is pulled back; what was planned for later stays."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from kavenegar_campaigns.context import Policy
from kavenegar_campaigns.stages.guards import LONGEST_PAUSE, furthest_times
from kavenegar_campaigns.store import gate, installation, otps
from kavenegar_campaigns.store.database import Database
from tests.stages.otp_requests import otp_request
from tests.store.given import LEASE, NOW, batch, batch_ids, claimed, facts, learn, lies, running

HOUR = timedelta(hours=1)
POLICY = Policy()
FURTHEST = furthest_times(POLICY)


def pull_back(engine: Engine, *, now: datetime = NOW) -> dict[str, int]:
    return Database(engine)(gate.pull_back_due_times, FURTHEST, now=now)


def plan_polls(engine: Engine, *, now: datetime) -> dict[str, int]:
    ages = (timedelta(minutes=5), timedelta(minutes=20))
    schedule = gate.PollSchedule(ages, ages)
    return Database(engine)(gate.plan_polls, schedule, put_off=LONGEST_PAUSE, now=now, in_doubt=True)


def accepted(engine: Engine) -> int:
    """A batch that the gateway accepted at NOW."""
    (only,) = batch_ids(engine, running(engine, 2))
    held = claimed(engine, only)
    with engine.begin() as connection:
        learn(connection, held, facts([message.id for message in held.messages]))
    return only


def put(engine: Engine, statement: str, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement), values)


def test_in_a_database_at_peace_nothing_is_moved(engine: Engine) -> None:
    campaign = running(engine, 600)
    first, second, _ = batch_ids(engine, campaign)
    held = claimed(engine, first)
    with engine.begin() as connection:
        learn(connection, held, facts([message.id for message in held.messages]))
    claimed(engine, second)
    assert pull_back(engine) == {}
    assert pull_back(engine, now=NOW + 2 * HOUR) == {}


@pytest.mark.parametrize(
    ("put_off", "moved"), [(timedelta(minutes=1), False), (LONGEST_PAUSE, False), (HOUR, True), (30 * HOUR, True)]
)
def test_a_batch_that_was_put_off_further_than_any_pause_lasts_is_due_again(
    engine: Engine, put_off: timedelta, moved: bool
) -> None:
    (only,) = batch_ids(engine, running(engine, 1))
    put(engine, "UPDATE sms.batches SET due_at = :at", at=NOW + put_off)
    assert pull_back(engine) == ({"batches to send": 1} if moved else {})
    assert batch(engine, only)["due_at"] == (NOW if moved else NOW + put_off)


def test_a_campaign_that_waits_here_for_a_date_the_gateway_refused_goes_on_waiting(engine: Engine) -> None:
    campaign = running(engine, 1)
    put(engine, "UPDATE sms.campaigns SET at_gateway = true, start_at = :at", at=NOW + 30 * HOUR)
    put(engine, "UPDATE sms.batches SET due_at = :at WHERE campaign_id = :id", at=NOW + 30 * HOUR, id=campaign)
    assert pull_back(engine) == {}


def test_a_claim_made_an_hour_ahead_lapses_when_a_claim_does(engine: Engine) -> None:
    (only,) = batch_ids(engine, running(engine, 1))
    claimed(engine, only, now=NOW + HOUR)
    assert pull_back(engine) == {"claims": 1, "first sends": 1}
    found = batch(engine, only)
    assert (found["due_at"], found["first_sent_at"]) == (NOW + LEASE, NOW)


def test_an_unknown_batch_is_asked_about_when_it_has_settled(engine: Engine) -> None:
    (only,) = batch_ids(engine, running(engine, 1))
    held = claimed(engine, only, now=NOW + HOUR)
    from kavenegar_campaigns.store import batches

    with engine.begin() as connection:
        assert batches.mark_unknown(connection, held, due_at=NOW + HOUR + POLICY.unknown_grace, trouble="test")
    assert pull_back(engine) == {"questions": 1, "first sends": 1}
    assert batch(engine, only)["due_at"] == NOW + POLICY.unknown_grace


def test_what_was_accepted_in_the_future_keeps_its_polls_and_its_window_as_long_as_they_were(engine: Engine) -> None:
    (only,) = batch_ids(engine, running(engine, 2))
    held = claimed(engine, only)
    with engine.begin() as connection:
        learn(connection, held, facts([message.id for message in held.messages]), now=NOW + HOUR)
    before = batch(engine, only)
    assert pull_back(engine) == {"polls": 1}
    after = batch(engine, only)
    assert after["accepted_at"] == NOW
    assert after["closes_at"] == before["closes_at"] - HOUR
    assert after["poll_at"] == before["poll_at"] - HOUR
    with engine.connect() as connection:
        assert lies(connection) == []


@pytest.mark.parametrize("poll_at", [NOW + 48 * HOUR, NOW + HOUR, NOW + timedelta(minutes=25)])
def test_a_poll_that_a_clock_ahead_has_planned_is_planned_by_the_schedule(engine: Engine, poll_at: datetime) -> None:
    """Who asks at 08:02 and takes it for 09:02 lets the polls of an hour out."""
    only = accepted(engine)
    put(engine, "UPDATE sms.batches SET poll_at = :at, closes_at = :end", at=poll_at, end=NOW + 48 * HOUR)
    assert plan_polls(engine, now=NOW + timedelta(minutes=6)) == {"polls": 1}
    assert batch(engine, only)["poll_at"] == NOW + timedelta(minutes=20)
    assert plan_polls(engine, now=NOW + timedelta(minutes=6)) == {}


@pytest.mark.parametrize("minutes", [6, 20])
def test_a_poll_that_is_due_when_the_schedule_says_stays(engine: Engine, minutes: int) -> None:
    accepted(engine)
    put(engine, "UPDATE sms.batches SET poll_at = :at", at=NOW + timedelta(minutes=minutes))
    assert plan_polls(engine, now=NOW + timedelta(minutes=6)) == {}


def test_after_the_last_age_of_the_schedule_the_end_of_the_window_is_left_alone(engine: Engine) -> None:
    accepted(engine)
    put(engine, "UPDATE sms.batches SET poll_at = closes_at")
    assert plan_polls(engine, now=NOW + HOUR) == {}


def test_a_look_at_a_one_time_password_that_was_planned_far_ahead_is_taken_now(engine: Engine) -> None:
    Database(engine)(otps.create, otp_request(), now=NOW)
    put(
        engine,
        "UPDATE sms.otps SET state = 'accepted', sent_at = :now, gateway_id = 7, tokens = NULL, poll_at = :at",
        now=NOW,
        at=NOW + HOUR,
    )
    assert plan_polls(engine, now=NOW) == {"looks at one-time passwords": 1}
    assert plan_polls(engine, now=NOW) == {}


def test_what_was_enqueued_in_the_future_is_enqueued_again(engine: Engine) -> None:
    (only,) = batch_ids(engine, running(engine, 1))
    put(engine, "UPDATE sms.batches SET enqueued_at = :at", at=NOW + HOUR)
    assert pull_back(engine) == {"enqueued batches": 1}
    assert batch(engine, only)["enqueued_at"] is None


def test_a_one_time_password_ordered_in_the_future_is_worth_something_as_long_as_it_was(engine: Engine) -> None:
    Database(engine)(otps.create, otp_request(), now=NOW + HOUR)
    assert pull_back(engine) == {"one-time passwords": 1}
    with engine.connect() as connection:
        row = connection.execute(text("SELECT created_at, due_at, expires_at FROM sms.otps")).one()
    assert (row.created_at, row.due_at) == (NOW, NOW)
    assert row.expires_at == NOW + otp_request().lifetime


def test_a_line_that_is_complete_up_to_the_future_is_gone_through_again(engine: Engine) -> None:
    put(
        engine,
        """INSERT INTO sms.lines (line, every, due_at, reconcile_at, complete_to)
           VALUES ('10004346', '1 minute', :far, :far, :far)""",
        far=NOW + 2 * HOUR,
    )
    assert pull_back(engine) == {"inbox lines": 1, "complete lines": 1}
    with engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM sms.lines")).one()
    assert row.due_at == NOW + LONGEST_PAUSE
    assert row.reconcile_at == NOW
    assert row.complete_to == row.needs_reconcile_since == NOW - timedelta(days=1)


def test_looks_at_the_account_and_chores_come_when_they_come(engine: Engine) -> None:
    with engine.begin() as connection:
        installation.hold_account(connection, code=418, reason="x", hold_recheck_at=NOW + HOUR, now=NOW + HOUR)
    put(
        engine,
        "UPDATE sms.installation SET account_check_at = :at, ledger_count_at = :later, "
        "identity_check_at = :at, ticked_at = :at, alive_at = :at",
        at=NOW + HOUR,
        later=NOW + 3 * HOUR,
    )
    put(engine, "INSERT INTO sms.blocklists (line, due_at) VALUES ('10004346', :at)", at=NOW + 3 * HOUR)
    assert pull_back(engine) == {"looks at the account": 1, "chores": 1, "block lists": 1}
    with engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM sms.installation")).one()
        line = connection.execute(text("SELECT due_at FROM sms.blocklists")).scalar_one()
    assert (row.hold_recheck_at, row.account_check_at, row.ledger_count_at) == (
        NOW,
        NOW + POLICY.account_watch,
        NOW + POLICY.ledger_every,
    )
    assert (row.identity_check_at, row.ticked_at, row.alive_at) == (NOW + LONGEST_PAUSE, NOW, NOW)
    assert line == NOW + POLICY.suppress_sync
    assert pull_back(engine) == {}


def test_a_message_that_is_handed_over_again_much_later_than_it_could_be_is_handed_over_now(engine: Engine) -> None:
    put(
        engine,
        """INSERT INTO sms.inbound (gateway_id, line, number, text, received_at, via, next_delivery_at)
           VALUES (1, '10004346', '09121234567', 'x', :now, 'receive', :at)""",
        now=NOW,
        at=NOW + 3 * HOUR,
    )
    assert pull_back(engine) == {"messages to hand over": 1}


def test_a_leap_is_noted_and_only_the_same_leap_is_cleared(connection: Connection) -> None:
    gate.note_leap(connection, by=HOUR, now=NOW)
    gate.note_leap(connection, by=-HOUR, now=NOW + HOUR)
    assert not gate.clear_leap(connection, leapt_at=NOW)
    assert gate.clear_leap(connection, leapt_at=NOW + HOUR)
    assert not gate.clear_leap(connection, leapt_at=NOW + HOUR)
