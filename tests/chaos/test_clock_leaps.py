"""The database's own clock leaps, for ten seconds or for good: nobody gets two, nothing is early, nothing stalls."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import CampaignState
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.stages import guards, submit, track
from kavenegar_campaigns.stages.submit import Outcome
from kavenegar_campaigns.store import gate
from kavenegar_campaigns.store.database import READING_LASTS_S
from tests.chaos import bent, checker, dumps
from tests.chaos.checker import Findings
from tests.chaos.leaping import Time
from tests.chaos.tampering import tampered
from tests.world import SENDER, Sandbox, at, batch_ids, numbers, run_due_work, running, states

HOUR = timedelta(hours=1)
TEN_SECONDS = timedelta(seconds=10)
MINUTE = timedelta(minutes=1)

both_directions = pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["ahead", "behind"])


@pytest.fixture
def time(context: Context, audited: Engine, sandbox: Sandbox, database_url: str) -> Time:
    """Time in a database whose clock can be bent, at a gateway whose operators take a day."""
    sandbox.turn(delivery_s=[86_400, 90_000])
    bent.install(audited)
    dumps.configure(database_url, bent.SEARCH_PATH)
    audited.dispose()
    return Time(context, sandbox)


def waited_out(context: Context) -> timedelta:
    """How long after a leap it is trusted again by whoever noticed it at once."""
    return context.policy.quiet_period + timedelta(seconds=READING_LASTS_S)


def asked_or_sent(sandbox: Sandbox) -> int:
    """How many calls there were that send, or decide about a send."""
    requests = sandbox.summary()["requests"]
    return sum(requests.get(f"sms/{method}", 0) for method in ("send", "sendarray", "statuslocalmessageid"))


def is_trusted(context: Context) -> bool:
    return context.database(gate.read_gate).leap is None


def scheduled_in(time: Time, engine: Engine, span: timedelta) -> int:
    """A campaign that begins so far from now."""
    start = time.process().now() + span
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=numbers(200), text="بعداً", sender=SENDER)
        campaigns.start(connection, campaign, at=start)
    return campaign


def state(engine: Engine, campaign: int) -> CampaignState:
    with engine.connect() as connection:
        return campaigns.get(connection, campaign).state


def window_ends(engine: Engine, batch: int) -> object:
    with engine.connect() as connection:
        return connection.execute(text("SELECT closes_at FROM sms.batches WHERE id = :id"), {"id": batch}).scalar_one()


def next_poll_at_age(engine: Engine, batch: int) -> timedelta:
    with engine.connect() as connection:
        statement = text("SELECT poll_at - accepted_at FROM sms.batches WHERE id = :id")
        age: timedelta = connection.execute(statement, {"id": batch}).scalar_one()
    return age


@both_directions
def test_an_excursion_of_ten_seconds_sends_nothing_twice_and_nothing_early_and_stalls_nothing(
    time: Time, engine: Engine, sandbox: Sandbox, by: timedelta
) -> None:
    """A worker holds a claim meanwhile, an answer was lost, and a process starts while the clock is wrong."""
    dispatcher, worker = time.process(), time.process()
    campaign, later = running(engine, 1000), scheduled_in(time, engine, HOUR / 2)
    accepted, unanswered, *_ = batch_ids(engine, campaign)
    assert submit.send_batch(worker, accepted) is Outcome.ACCEPTED
    sandbox.arm("accept_then_drop", "sms/send", count=1)
    assert submit.send_batch(worker, unanswered) is Outcome.UNKNOWN
    guards.check_clock(dispatcher)
    ends, calls = window_ends(engine, accepted), asked_or_sent(sandbox)

    time.leap(by)
    young = time.process()
    time.let_pass(TEN_SECONDS, dispatcher, young)
    time.leap(timedelta(0))
    time.let_pass(waited_out(dispatcher) - MINUTE / 6, dispatcher, young)

    assert not is_trusted(dispatcher)
    assert asked_or_sent(sandbox) == calls
    assert window_ends(engine, accepted) == ends
    time.let_pass(MINUTE, dispatcher, young, worker)
    assert states(engine, campaign) == {"accepted": 1000}
    assert state(engine, later) is CampaignState.SCHEDULED
    time.let_pass(HOUR / 2, dispatcher)
    assert states(engine, later) == {"accepted": 200}
    assert [each.claim for each in checker.check(engine, sandbox.url).broken if each.number == "I2"] == []


@both_directions
def test_a_leap_that_stays_is_believed_once_every_lease_is_over_and_then_nothing_stalls(
    time: Time, engine: Engine, sandbox: Sandbox, by: timedelta
) -> None:
    dispatcher, worker = time.process(), time.process()
    campaign, later = running(engine, 1000), scheduled_in(time, engine, HOUR / 2)
    accepted, unanswered, *_ = batch_ids(engine, campaign)
    assert submit.send_batch(worker, accepted) is Outcome.ACCEPTED
    sandbox.arm("accept_then_drop", "sms/send", count=1)
    assert submit.send_batch(worker, unanswered) is Outcome.UNKNOWN
    guards.check_clock(dispatcher)
    calls = asked_or_sent(sandbox)

    time.leap(by)
    time.let_pass(waited_out(dispatcher) - MINUTE / 6, dispatcher, worker)

    assert asked_or_sent(sandbox) == calls
    assert state(engine, later) is CampaignState.SCHEDULED
    time.let_pass(MINUTE / 2, dispatcher, worker)
    assert is_trusted(dispatcher)
    time.let_pass(2 * dispatcher.policy.unknown_grace, dispatcher, worker)
    assert states(engine, campaign) == {"accepted": 1000}
    assert state(engine, later) is (CampaignState.RUNNING if by > timedelta(0) else CampaignState.SCHEDULED)
    assert [each.claim for each in checker.check(engine, sandbox.url).broken if each.number == "I2"] == []


def test_verdicts_come_in_time_although_a_process_that_began_in_the_leap_has_polled_before_it_was_noted(
    time: Time, engine: Engine
) -> None:
    ages = [timedelta(minutes=minutes) for minutes in (5, 10, 20)]
    dispatcher = replace(time.process(), policy=replace(time.context.policy, status_polls=ages))
    (only,) = batch_ids(engine, running(engine, 200))
    assert submit.send_batch(dispatcher, only) is Outcome.ACCEPTED
    time.let_pass(4 * MINUTE, dispatcher)

    time.leap(HOUR)
    young = replace(dispatcher, database=(began := time.process()).database, clock=began.clock)
    assert track.poll_statuses(young).asked == 200
    assert next_poll_at_age(engine, only) > HOUR
    time.let_pass(TEN_SECONDS, dispatcher)
    assert track.poll_statuses(young).asked == 0
    time.leap(timedelta(0))
    time.let_pass(waited_out(dispatcher) + MINUTE / 6, dispatcher)

    assert is_trusted(dispatcher)
    assert next_poll_at_age(engine, only) == 10 * MINUTE


def sent_while_the_clock_leaps(time: Time, engine: Engine, sandbox: Sandbox, *contexts: Context) -> Findings:
    """A worker is about to send when the database says that its lease ended an hour ago; what the checker says."""
    dispatcher, worker, other = contexts
    (only,) = batch_ids(engine, running(engine, 200))
    for context in contexts:
        context.database.clock.check_leap()

    def meanwhile() -> None:
        time.leap(HOUR)
        time.let_pass(TEN_SECONDS, dispatcher)
        time.leap(timedelta(0))
        time.let_pass(dispatcher.policy.unknown_grace + TEN_SECONDS, dispatcher)
        submit.resolve_batch(other, only)
        submit.send_batch(other, only)

    with tampered(sandbox.url, "sms/send", hold=meanwhile) as url:
        submit.send_batch(at(worker, url), only)
    return checker.check(engine, sandbox.url)


def test_a_claim_that_is_in_hand_when_the_clock_leaps_is_not_taken_for_lapsed(
    time: Time, engine: Engine, sandbox: Sandbox
) -> None:
    found = sent_while_the_clock_leaps(time, engine, sandbox, *(time.process() for _ in range(3)))
    assert (found.sent, found.doubled) == (200, 0)


def test_whoever_takes_what_the_clock_says_for_the_time_is_caught_sending_twice(
    time: Time, engine: Engine, sandbox: Sandbox
) -> None:
    """The test of the test."""
    found = sent_while_the_clock_leaps(time, engine, sandbox, *(time.process(believing=True) for _ in range(3)))
    assert (found.sent, found.doubled) == (400, 200)
    assert "I2" in {each.number for each in found.broken}


def test_a_leap_that_a_restored_database_has_forgotten_is_noted_again(time: Time, engine: Engine) -> None:
    dispatcher = time.process()
    guards.check_clock(dispatcher)
    time.leap(HOUR)
    assert not guards.check_clock(dispatcher)
    with engine.begin() as connection:
        connection.execute(text("UPDATE sms.installation SET clock_leapt_at = NULL, clock_leapt_by = NULL"))

    assert not guards.check_clock(dispatcher)

    assert not is_trusted(dispatcher)


def test_nothing_is_pulled_back_by_a_clock_that_is_not_trusted(time: Time, engine: Engine) -> None:
    """A process that starts while the clock is behind would take every window for one that ends an hour too late."""
    dispatcher = time.process()
    (only,) = batch_ids(engine, running(engine, 200))
    run_due_work(dispatcher)
    ends = window_ends(engine, only)

    time.leap(-HOUR)
    guards.check_clock(dispatcher)
    guards.pull_back_unless_leapt(time.process())

    assert window_ends(engine, only) == ends
