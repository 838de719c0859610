"""Why a campaign waits: one reason, one line, one time, and never at the cost of its messages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.errors import NotFound
from kavenegar_campaigns.rules.pace import Lane, LaneView, PaceView
from kavenegar_campaigns.rules.states import MessageState
from kavenegar_campaigns.stages import plan, submit
from kavenegar_campaigns.stages.waiting import Waiting, WaitingReason
from kavenegar_campaigns.stages.waiting.reasons import why_each_waits, why_waiting
from kavenegar_campaigns.store import batches, due, installation, messages
from kavenegar_campaigns.store.backlog import open_work
from tests.kavenegar.scripted_server import ScriptedServer
from tests.store import given
from tests.store.given import LEASE, NOW  # 11:30 in Tehran
from tests.world import Sandbox, at, batch_ids, run_due_work
from tests.world import running as running_now

MINUTE = timedelta(minutes=1)


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


@pytest.fixture
def ticking(engine: Engine) -> Engine:
    """The same database, with a dispatcher that ticked this very second."""
    with engine.begin() as connection:
        due.record_heartbeat(connection, now=NOW)
    return engine


def pace(rate: float = 2.0, *, paused_for_s: float = 0, code: int | None = None, **calls: int) -> PaceView:
    """A pace at NOW; `calls` of the last minute by lane."""
    return PaceView(
        at=NOW,
        rate=rate,
        max_rate=20,
        fixed=False,
        learnt=None,
        queue_s=0,
        paused_until=NOW + timedelta(seconds=paused_for_s) if paused_for_s else None,
        code=code,
        refusals=0,
        pauses=0,
        lanes={lane: LaneView(calls.get(lane.label, 0), waiting=False) for lane in Lane},
    )


def ask(engine: Engine, campaign: int, seen: PaceView | None = None, *, now: datetime = NOW) -> Waiting:
    """Why a campaign waits that is not over."""
    with engine.connect() as connection:
        found = why_waiting(connection, campaign, now=now, pace=seen)
    assert found is not None
    return found


def execute(engine: Engine, statement: str, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement), values)


# ── what a person has to mend ──


def test_a_draft_waits_for_somebody_to_start_it(ticking: Engine) -> None:
    with ticking.begin() as connection:
        campaign = given.draft(connection, 3)
    found = ask(ticking, campaign)
    assert (found.reason, found.until) == (WaitingReason.DRAFT, None)
    assert f"`campaigns start {campaign}` starts it" in found.sentence


def test_a_paused_campaign_tells_why_and_since_when(ticking: Engine) -> None:
    campaign = given.running(ticking, 300)
    with ticking.begin() as connection:
        plan.pause(connection, campaign, now=NOW, reason="قیمت\nاشتباه است")
    assert ask(ticking, campaign).sentence == (
        f"paused since 11:30:00 Tehran: قیمت اشتباه است; `campaigns resume {campaign}` lets it go on"
    )


def test_an_installation_in_which_nobody_ticks_is_told_before_anything_that_would_pass_by_itself(
    engine: Engine,
) -> None:
    campaign = given.running(engine, 3)
    assert ask(engine, campaign, pace()).reason is WaitingReason.SILENT
    with engine.begin() as connection:
        due.record_heartbeat(connection, now=NOW)
    assert ask(engine, campaign, pace(), now=NOW + timedelta(seconds=10)).reason is WaitingReason.SENDING
    found = ask(engine, campaign, pace(), now=NOW + 20 * MINUTE)
    assert (found.reason, found.until) == (WaitingReason.SILENT, None)
    assert found.sentence == "no tick came since 11:30 Tehran: `campaigns doctor` says who is missing"


def test_uncertain_messages_wait_for_a_person_while_others_wait_for_their_verdict(ticking: Engine) -> None:
    campaign = given.accepted(ticking, 300)
    last = given.batch_ids(ticking, campaign)[-1]
    execute(
        ticking,
        """UPDATE sms.batches SET state = 'uncertain', uncertain = 100, accepted = 0, poll_at = NULL WHERE id = :id""",
        id=last,
    )
    found = ask(ticking, campaign)
    assert found.reason is WaitingReason.UNCERTAIN
    assert found.sentence == (
        f"100 messages uncertain: a person decides (`campaigns uncertain list --campaign {campaign}`)"
    )


# ── what passes by itself ──


def test_a_scheduled_campaign_tells_its_time_as_far_as_it_is_not_today(ticking: Engine) -> None:
    with ticking.begin() as connection:
        campaign = given.draft(connection, 3)
        plan.start(connection, campaign, now=NOW, at=datetime(2026, 1, 6, 5, 30, tzinfo=UTC))
    found = ask(ticking, campaign, pace(paused_for_s=60, code=451))
    assert found == Waiting(
        WaitingReason.SCHEDULED, "scheduled for 2026-01-06 09:00 Tehran", datetime(2026, 1, 6, 5, 30, tzinfo=UTC)
    )


def test_an_account_without_credit_holds_what_has_not_left_and_says_when_it_is_looked_at_again(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.set_credit(0)
    held, over = running_now(engine, 3), given.accepted(engine, 3, now=context.now())
    run_due_work(context)
    with engine.connect() as connection:
        found = why_waiting(connection, held, now=context.now(), pace=context.pace.view())
        other = why_waiting(connection, over, now=context.now(), pace=context.pace.view())
        hold = installation.read(connection).hold
    assert found is not None
    assert hold is not None
    assert (found.reason, found.until) == (WaitingReason.ON_HOLD, hold.hold_recheck_at)
    assert found.sentence.startswith("the account is on hold (418, the credit does not suffice) since ")
    assert "; looked at again at " in found.sentence
    assert other is not None
    assert other.reason is WaitingReason.VERDICTS


def test_a_pause_of_all_calls_is_told_with_its_code_and_its_end(ticking: Engine) -> None:
    campaign = given.running(ticking, 3)
    found = ask(ticking, campaign, pace(paused_for_s=65, code=451))
    assert found == Waiting(
        WaitingReason.PACE_PAUSED,
        "the gateway answered 451, too many calls from our IP address: all calls pause until 11:31:05 Tehran",
        NOW + timedelta(seconds=65),
    )


def test_a_pause_is_no_reason_for_who_would_not_call_before_its_end_nor_one_that_is_over_when_it_is_read(
    ticking: Engine,
) -> None:
    waits_for_verdicts = given.accepted(ticking, 3)  # asked about in five minutes
    assert ask(ticking, waits_for_verdicts, pace(paused_for_s=120, code=451)).reason is WaitingReason.VERDICTS
    assert ask(ticking, waits_for_verdicts, pace(paused_for_s=301, code=429)).reason is WaitingReason.PACE_PAUSED
    assert ask(ticking, given.running(ticking, 3), pace(paused_for_s=1, code=451)).reason is WaitingReason.SENDING


def test_a_gateway_that_does_not_answer_is_told_although_other_requests_are_due(ticking: Engine) -> None:
    campaign = given.running(ticking, 600)
    claim = given.claimed(ticking, given.batch_ids(ticking, campaign)[0])
    with ticking.begin() as connection:
        batches.release(connection, claim, due_at=NOW + timedelta(seconds=5), trouble="GatewayDown")
    assert ask(ticking, campaign, pace()).reason is WaitingReason.GATEWAY_DOWN
    assert ask(ticking, campaign, pace(), now=NOW + timedelta(seconds=6)).reason is WaitingReason.SENDING


def test_what_is_all_put_off_is_told_with_the_time_of_the_first(ticking: Engine) -> None:
    campaign = given.running(ticking, 300)
    first, second = given.batch_ids(ticking, campaign)
    with ticking.begin() as connection:
        batches.postpone(connection, first, due_at=NOW + 11 * MINUTE)
    assert ask(ticking, campaign, pace()).reason is WaitingReason.SENDING
    with ticking.begin() as connection:
        batches.postpone(connection, second, due_at=NOW + 12 * MINUTE)
    found = ask(ticking, campaign, pace())
    assert found == Waiting(
        WaitingReason.PUT_OFF, "2 requests put off; the first is tried again at 11:41 Tehran", NOW + 11 * MINUTE
    )


def enqueued(engine: Engine, *, at: datetime) -> None:
    """The dispatcher ticks at `at`, and enqueues what is due."""
    with engine.begin() as connection:
        due.record_heartbeat(connection, now=at)
        assert due.enqueue_ready(connection, now=at, since=at - timedelta(seconds=10), room=5)


def test_with_nobody_who_sends_it_is_told_since_when_and_no_end_is_promised(ticking: Engine) -> None:
    campaign, other = given.running(ticking, 3000), given.running(ticking, 10)
    given.claimed(ticking, given.batch_ids(ticking, campaign)[0], now=NOW + timedelta(seconds=1))
    for seconds in (2, 12, 22, 32, 42, 52):
        enqueued(ticking, at=NOW + timedelta(seconds=seconds))
    soon = ask(ticking, campaign, pace(), now=NOW + timedelta(seconds=30))
    assert (soon.reason, soon.until) == (WaitingReason.SENDING, None)
    assert soon.sentence == "14 requests to leave before its last one; none has left since 11:30:01 Tehran"
    for each_ in (campaign, other):
        for seen in (pace(), None):
            late = ask(ticking, each_, seen, now=NOW + timedelta(seconds=55))
            assert (late.reason, late.until) == (WaitingReason.NOBODY_SENDS, None)
            assert "none has left since 11:30:01 Tehran; `campaigns doctor` says who is missing" in late.sentence


def test_nobody_who_has_ever_sent_is_told_since_the_campaign_runs(ticking: Engine) -> None:
    campaign = given.running(ticking, 1000)
    enqueued(ticking, at=NOW + timedelta(seconds=50))
    found = ask(ticking, campaign, pace(), now=NOW + timedelta(seconds=55))
    assert found.sentence == (
        "nobody sends: 5 requests to leave, and none has left since 11:30:00 Tehran; "
        "`campaigns doctor` says who is missing"
    )


def test_a_campaign_that_was_resumed_a_moment_ago_is_not_told_that_nobody_sends(ticking: Engine) -> None:
    campaign = given.running(ticking, 1000)
    enqueued(ticking, at=NOW + timedelta(seconds=1))
    with ticking.begin() as connection:
        plan.pause(connection, campaign, now=NOW + timedelta(seconds=2))
        plan.resume(connection, campaign, now=NOW + 60 * MINUTE)
        due.record_heartbeat(connection, now=NOW + 60 * MINUTE)
    assert ask(ticking, campaign, pace(), now=NOW + 60 * MINUTE).reason is WaitingReason.SENDING


def test_a_slow_pace_is_not_taken_for_nobody_who_sends(ticking: Engine) -> None:
    campaign = given.running(ticking, 3000)
    given.claimed(ticking, given.batch_ids(ticking, campaign)[0])
    enqueued(ticking, at=NOW + timedelta(seconds=55))
    found = ask(ticking, campaign, pace(0.01), now=NOW + timedelta(seconds=60))
    assert found.reason is WaitingReason.SENDING
    assert found.until is not None


@pytest.mark.parametrize("lost", ["no connection", "no answer"])
def test_while_the_gateway_is_down_no_end_is_promised_at_any_moment(
    context: Context, engine: Engine, closed_port_url: str, server: ScriptedServer, lost: str
) -> None:
    """Neither while requests are put off nor when they are due again."""
    if lost == "no connection":
        silent = at(context, closed_port_url)
    else:
        server.will(server.raw_then_close())
        silent = at(context, server.url)
    campaign = running_now(engine, 3000)
    due_work = run_due_work(silent)
    assert due_work.send
    for seconds in range(0, 40, 5):
        now = context.now() + timedelta(seconds=seconds)
        with engine.begin() as connection:
            due.record_heartbeat(connection, now=now)
            found = why_waiting(connection, campaign, now=now, pace=context.pace.view())
        assert found is not None
        assert found.reason in (WaitingReason.GATEWAY_DOWN, WaitingReason.NOBODY_SENDS, WaitingReason.UNANSWERED)
        assert "ends about" not in found.sentence


def test_a_gateway_that_is_back_is_told_at_its_first_answer(
    context: Context, engine: Engine, closed_port_url: str
) -> None:
    campaign = running_now(engine, 1200)
    run_due_work(at(context, closed_port_url))
    with engine.begin() as connection:
        connection.execute(text("UPDATE sms.batches SET due_at = :now WHERE state = 'ready'"), {"now": context.now()})
    submit.send_batch(context, batch_ids(engine, campaign)[0])
    with engine.begin() as connection:
        due.record_heartbeat(connection, now=context.now())
        found = why_waiting(connection, campaign, now=context.now(), pace=context.pace.view())
    assert found is not None
    assert found.reason is WaitingReason.SENDING


# ── sending, and how long that takes ──


def test_while_it_is_sent_it_is_told_how_many_requests_leave_before_its_last_and_when_that_is(ticking: Engine) -> None:
    small = given.running(ticking, 1000)
    assert ask(ticking, small, pace(0.01)).sentence == (
        "4 requests to leave before its last one, at 0.01 a second: sending ends about 11:38:20 Tehran"
    )
    huge = given.running(ticking, 4000)
    alone, beside = ask(ticking, small, pace(2)), ask(ticking, huge, pace(2))
    # Turn by turn: five of the huge one before the small one's fifth, and all five of the small one before its last.
    assert (alone.until, beside.until) == (NOW + timedelta(seconds=5), NOW + timedelta(seconds=12.5))
    assert alone.sentence == (
        "9 requests to leave before its last one, at 2 a second: sending ends about 11:30:05 Tehran"
    )


def test_what_other_lanes_take_is_not_left_for_sends_but_their_shares_bound_it(ticking: Engine) -> None:
    campaign = given.running(ticking, 1000)
    polled = ask(ticking, campaign, pace(2, poll=60, send=600))
    flooded = ask(ticking, campaign, pace(2, otp=6000))
    assert polled.until == NOW + timedelta(seconds=5)
    assert flooded.until is not None
    assert flooded.until - NOW == pytest.approx(timedelta(seconds=5 / (2 * 0.08)), abs=timedelta(seconds=1))


def test_a_pause_puts_the_end_of_sending_off(ticking: Engine) -> None:
    campaign = given.running(ticking, 200)
    assert ask(ticking, campaign, pace(1, paused_for_s=2, code=451)).until == NOW + timedelta(seconds=3)


def test_without_a_pace_everything_else_is_still_told(ticking: Engine) -> None:
    several, single = given.running(ticking, 1000), given.running(ticking, 3)
    assert ask(ticking, several) == Waiting(
        WaitingReason.SENDING, "5 requests to leave before its last one; due since 11:30:00 Tehran"
    )
    assert ask(ticking, single).sentence == "1 request to leave before its last one; due since 11:30:00 Tehran"


# ── after it has left ──


def test_a_request_without_an_answer_is_told_with_the_time_at_which_it_is_asked_about(ticking: Engine) -> None:
    campaign = given.running(ticking, 3)
    claim = given.claimed(ticking, given.batch_ids(ticking, campaign)[0])
    under_way = ask(ticking, campaign, pace())
    assert (under_way.reason, under_way.until) == (WaitingReason.UNDER_WAY, NOW + LEASE)
    with ticking.begin() as connection:
        batches.mark_unknown(connection, claim, due_at=NOW + MINUTE, trouble="no answer in time")
    assert ask(ticking, campaign, pace()) == Waiting(
        WaitingReason.UNANSWERED, "1 request without an answer; asked about at 11:31:00 Tehran", NOW + MINUTE
    )
    late = NOW + 2 * MINUTE
    with ticking.begin() as connection:
        due.record_heartbeat(connection, now=late)
    overdue = ask(ticking, campaign, pace(), now=late)
    assert overdue.sentence == "1 request without an answer; due to be asked about since 11:31:00 Tehran"
    assert overdue.until is None


def test_verdicts_are_waited_for_until_the_next_poll(ticking: Engine) -> None:
    campaign = given.accepted(ticking, 1200)
    assert ask(ticking, campaign, pace()) == Waiting(
        WaitingReason.VERDICTS,
        "1,200 messages without a verdict; asked about at 11:35:00 Tehran",
        NOW + given.FIRST_POLL,
    )


def test_a_cancelled_campaign_waits_until_what_has_not_left_is_withdrawn_and_what_has_left_is_known(
    ticking: Engine,
) -> None:
    campaign = given.running(ticking, 600)
    claim = given.claimed(ticking, given.batch_ids(ticking, campaign)[0])
    with ticking.begin() as connection:
        given.learn(connection, claim, given.facts([message.id for message in claim.messages]))
        plan.cancel(connection, campaign, now=NOW)
    assert ask(ticking, campaign, pace(paused_for_s=60, code=451)).reason is WaitingReason.WITHDRAWING
    with ticking.begin() as connection:
        due.cancel_unsent(connection, now=NOW)
    assert ask(ticking, campaign, pace()).reason is WaitingReason.VERDICTS


def test_a_campaign_with_nothing_open_waits_for_the_tick_that_closes_it_and_then_for_nothing(ticking: Engine) -> None:
    campaign = given.accepted(ticking, 3)
    with ticking.begin() as connection:
        ids = [row.id for row in connection.execute(text("SELECT id FROM sms.messages"))]
        messages.merge_facts(connection, given.facts(ids, MessageState.DELIVERED, 10), now=NOW)
        messages.recount(connection, given.batch_ids(ticking, campaign), now=NOW)
    assert ask(ticking, campaign).reason is WaitingReason.CLOSING
    with ticking.begin() as connection:
        due.finish_campaigns(connection, now=NOW)
        assert why_waiting(connection, campaign, now=NOW, pace=pace()) is None


# ── asking ──


def test_a_campaign_that_is_not_there_is_not_found(ticking: Engine) -> None:
    with ticking.connect() as connection, pytest.raises(NotFound):
        why_waiting(connection, 77, now=NOW, pace=None)


def test_a_web_app_asks_by_the_face_of_the_package(ticking: Engine) -> None:
    """It asks at the database's own time, and NOW is long past: nobody has ticked since."""
    campaign = given.running(ticking, 3)
    with ticking.connect() as connection:
        found = campaigns.why_waiting(connection, campaign)
    assert found is not None
    assert found.reason is WaitingReason.SILENT
    assert "2026-01-05 11:30 Tehran" in found.sentence


def some_of_each(engine: Engine) -> list[campaigns.Campaign]:
    with engine.begin() as connection:
        given.draft(connection, 3)
    given.running(engine, 1000)
    given.accepted(engine, 400)
    with engine.connect() as connection:
        return campaigns.newest(connection)


def test_many_are_asked_about_in_as_many_questions_as_one_and_say_the_same(ticking: Engine) -> None:
    found = some_of_each(ticking)
    with ticking.connect() as connection:
        together = why_each_waits(connection, found, now=NOW, pace=pace())
        alone = {campaign.id: why_waiting(connection, campaign.id, now=NOW, pace=pace()) for campaign in found}
        assert together == alone
        few = statements(connection, found[:1])
        many = statements(connection, found)
    assert len(many) == len(few) == 5


def statements(connection: Connection, asked: list[campaigns.Campaign]) -> list[tuple[str, Any]]:
    """What is executed to ask about these, and about the installation for its metrics when there are none."""
    seen: list[tuple[str, Any]] = []

    def note(_conn: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        seen.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    try:
        why_each_waits(connection, asked, now=NOW, pace=pace()) if asked else open_work(connection, now=NOW)
    finally:
        event.remove(connection, "before_cursor_execute", note)
    return seen


def test_asking_reads_no_message_and_as_much_however_many_batches_are_over(ticking: Engine) -> None:
    """EXPLAIN says so, of the reasons and of the metrics."""
    found = some_of_each(ticking)
    over = given.running(ticking, 1)
    execute(ticking, "DELETE FROM sms.batches WHERE campaign_id = :id", id=over)
    execute(ticking, "UPDATE sms.campaigns SET state = 'finished', finished_at = now() WHERE id = :id", id=over)
    costs = []
    for first, last in [(1, 1_000), (1_001, 60_000)]:
        execute(
            ticking,
            """INSERT INTO sms.batches (campaign_id, first_id, last_id, state, due_at, pending, delivered,
                                        first_sent_at, accepted_at, closes_at)
               SELECT :over, n * 200, n * 200 + 199, 'closed', :now, 0, 200, :now, :now, :now
                 FROM generate_series(CAST(:first AS bigint), :last) AS n""",
            over=over, now=NOW, first=first, last=last,
        )  # fmt: skip
        with ticking.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE sms.batches, sms.messages, sms.campaigns"))
        costs.append(cost(ticking, found))
    assert costs[1] <= 1.5 * costs[0] + 30


def cost(engine: Engine, asked: list[campaigns.Campaign]) -> int:
    """Pages read by all questions together; none of them is about a message, or reads all batches."""
    pages = 0
    with engine.connect() as connection:
        for statement, parameters in [*statements(connection, asked), *statements(connection, [])]:
            explained = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters)
            answer = explained.scalar_one()
            top = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
            pages += top["Shared Hit Blocks"] + top["Shared Read Blocks"]
            read = {(node.get("Relation Name"), node["Node Type"]) for node in nodes(top)}
            assert "messages" not in {relation for relation, _ in read}
            assert ("batches", "Seq Scan") not in read, statement
    return pages


def nodes(top: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield top
    for inner in top.get("Plans", []):
        yield from nodes(inner)
