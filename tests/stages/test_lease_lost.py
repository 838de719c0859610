"""Who decides about a batch may be overtaken while it waits for an answer; what was really sent must win."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import redis
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.rules.states import CampaignState, MessageState
from kavenegar_campaigns.stages import dispatch, submit
from kavenegar_campaigns.stages.submit import Outcome
from kavenegar_campaigns.store import batches, due
from kavenegar_campaigns.store.records import Claim, Fact
from tests.kavenegar.scripted_server import Behaviour, ScriptedServer, Wire
from tests.world import SENDER, Sandbox, batch_ids, claimed, run_due_work, running, states

pytestmark = pytest.mark.usefixtures("slow_operators")


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def localids(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT id FROM sms.messages ORDER BY id")).scalars())


def meanwhile(do: Callable[[], object], then: Behaviour) -> Behaviour:
    """Answer only after something else has happened."""

    def behave(wire: Wire) -> None:
        do()
        then(wire)

    return behave


def write_accepted(context: Context, claim: Claim) -> None:
    """Another worker's good answer."""
    found = [Fact(each.id, MessageState.ACCEPTED, 10**9 + place, 1, 120) for place, each in enumerate(claim.messages)]
    now = context.now()
    context.database(batches.record_facts, claim, found, now=now, poll_at=now, closes_at=now + timedelta(hours=48))


def unknown(context: Context, engine: Engine, count: int = 3) -> tuple[int, int]:
    """(campaign, batch): a campaign whose only batch left without an answer, and may be asked about."""
    campaign = running(engine, count)
    (only,) = batch_ids(engine, campaign)
    claim = claimed(context, only)
    context.database(batches.mark_unknown, claim, due_at=context.now(), trouble="test")
    return campaign, only


def row(localid: int, status: int, messageid: int | None) -> dict[str, Any]:
    return {"messageid": messageid, "localid": str(localid), "status": status, "statustext": ""}


# ── asking ──


@pytest.mark.parametrize(
    ("status", "messageid"),
    [(1, None), (4, 0), (10, None), (100, 4711)],
    ids=["queued, no id", "under way, id 0", "delivered, no id", "an id, status 100"],
)
def test_only_a_plain_never_seen_lets_a_message_leave_again(
    context: Context, scripted: Context, engine: Engine, server: ScriptedServer, status: int, messageid: int | None
) -> None:
    """Whatever else the gateway says of our id, it has heard of it."""
    campaign, only = unknown(context, engine)
    first, *others = localids(engine)
    server.will(server.answer(entries=[row(first, status, messageid), *(row(each, 1, each) for each in others)]))

    assert submit.resolve_batch(scripted, only) not in (Outcome.SENT_AGAIN, Outcome.RESOLVED)

    assert states(engine, campaign) == {"accepted": 2, "pending": 1}
    with engine.connect() as connection:
        assert connection.execute(text("SELECT state FROM sms.batches")).scalar_one() == "unknown"


def test_the_row_of_a_stranger_does_not_stand_in_for_one_that_is_missing(
    context: Context, scripted: Context, engine: Engine, server: ScriptedServer
) -> None:
    campaign, only = unknown(context, engine)
    first, second, _ = localids(engine)
    server.will(server.answer(entries=[row(first, 1, 1), row(second, 100, None), row(99, 100, None)]))
    assert submit.resolve_batch(scripted, only) is Outcome.PUT_OFF
    assert states(engine, campaign) == {"accepted": 1, "pending": 2}


def test_a_question_that_comes_late_is_still_asked_and_what_is_found_counts(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """After twelve hours "never seen" proves nothing, but "I have it" still does."""
    sandbox.turn(localid_window_s=86_400)
    campaign = running(engine, 200)
    sandbox.arm("accept_then_drop", "sms/send", count=1)
    submit.send_batch(context, batch_ids(engine, campaign)[0])
    sandbox.advance(hours=13)
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 200}


def test_what_was_proven_never_to_have_arrived_has_a_new_window_when_it_leaves_again(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """Lost on the way, resolved, paused over night, sent in the morning, and that answer is lost too."""
    campaign = running(engine, 200)
    (only,) = batch_ids(engine, campaign)
    sandbox.arm("drop", "sms/send", count=1)
    assert submit.send_batch(context, only) is Outcome.UNKNOWN
    sandbox.advance(seconds=91)
    assert submit.resolve_batch(context, only) is Outcome.SENT_AGAIN
    sandbox.advance(hours=13)
    sandbox.arm("accept_then_drop", "sms/send", count=1)
    assert submit.send_batch(context, only) is Outcome.UNKNOWN
    sandbox.advance(seconds=91)
    assert submit.resolve_batch(context, only) is Outcome.RESOLVED
    assert states(engine, campaign) == {"accepted": 200}


# ── overtaken ──


def test_a_withdrawal_does_not_overrule_an_acceptance_that_was_written_meanwhile(
    context: Context, scripted: Context, engine: Engine, server: ScriptedServer
) -> None:
    """The campaign is cancelled, the gateway says "never seen", and the sender that slept wakes up and sends."""
    campaign = running(engine, 3)
    (only,) = batch_ids(engine, campaign)
    sender = claimed(context, only)
    context.database(due.expire_leases, now=context.now() + context.policy.lease, unknown_grace=timedelta(0))
    with engine.begin() as connection:
        campaigns.cancel(connection, campaign)
        connection.execute(text("UPDATE sms.batches SET due_at = :now"), {"now": context.now()})
    never = server.answer(entries=[row(each, 100, None) for each in localids(engine)])
    server.will(meanwhile(lambda: write_accepted(context, sender), never))

    submit.resolve_batch(scripted, only)

    assert states(engine, campaign) == {"accepted": 3}


def test_a_refusal_by_a_worker_that_lost_its_lease_does_not_count(
    context: Context, scripted: Context, engine: Engine, server: ScriptedServer
) -> None:
    """While it waited for its 411, another worker sent the message, and the gateway took it."""
    campaign = running(engine, 1)
    (only,) = batch_ids(engine, campaign)
    later = context.policy.lease + timedelta(seconds=1)
    taken: list[Claim] = []

    def another_worker_sends() -> None:
        context.database(due.expire_leases, now=context.now() + later, unknown_grace=timedelta(0))
        asked = context.database(
            batches.claim_unknown,
            only,
            account=context.account,
            call_id=uuid4(),
            now=context.now() + later,
            lease=context.policy.lease,
            localid_cutoff=context.now() - timedelta(hours=11),
        )
        assert asked is not None
        assert context.database(batches.send_again, asked, due_at=context.now(), trouble="never seen")
        taken.append(claimed(context, only, after=later))

    server.will(
        meanwhile(another_worker_sends, server.answer(code=411)),
        server.answer(entries=[row(each, 100, None) for each in localids(engine)]),
    )
    submit.send_batch(scripted, only)
    write_accepted(context, taken[0])

    assert states(engine, campaign) == {"accepted": 1}


def test_an_answer_that_comes_after_the_batch_was_halved_stops_nobody(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """A sleeper's acceptance reaches a batch that others have split: nothing is sent twice, and the tick goes on."""
    campaign = running(engine, 4)
    (whole,) = batch_ids(engine, campaign)
    sleeper = claimed(context, whole)
    sandbox.advance(seconds=121)
    dispatch.tick(context, now=context.now())
    sandbox.advance(seconds=91)
    assert submit.resolve_batch(context, whole) is Outcome.SENT_AGAIN
    sandbox.arm("code", "sms/send", count=1, code=411)
    assert submit.send_batch(context, whole) is Outcome.HALVED
    write_accepted(context, sleeper)

    for batch_id in batch_ids(engine, campaign):
        submit.send_batch(context, batch_id)
    with engine.begin() as connection:
        campaigns.cancel(connection, campaign)
    run_due_work(context)

    assert states(engine, campaign) == {"accepted": 4}
    assert sandbox.summary()["messages"] == 0


# ── odd answers to a send ──


@pytest.mark.parametrize("status", [100, 50, 99_999])
def test_an_acceptance_with_an_odd_status_is_an_acceptance(
    context: Context, scripted: Context, engine: Engine, server: ScriptedServer, status: int
) -> None:
    campaign = running(engine, 1)
    entry = {
        "messageid": 7,
        "message": "سلام",
        "status": status,
        "sender": SENDER,
        "receptor": "09120000001",
        "cost": 120,
    }
    server.will(server.answer(entries=[entry]))
    assert submit.send_batch(scripted, batch_ids(engine, campaign)[0]) is Outcome.ACCEPTED
    assert states(engine, campaign) == {"accepted": 1}


def test_a_defect_of_ours_pauses_the_campaign_instead_of_refusing_everybody(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """419, lists of different length, of a message that stands alone is nobody's fault but ours."""
    sandbox.arm("code", "sms/send", count=1000, code=419)
    campaign = running(engine, 8)
    for _ in range(6):
        run_due_work(context)
    with engine.connect() as connection:
        assert campaigns.get(connection, campaign).state is CampaignState.PAUSED
    assert states(engine, campaign) == {"pending": 8}
    assert sandbox.summary()["requests"]["sms/send"] <= 8


def test_a_storm_of_451_is_weathered_and_pauses_no_campaign(
    context: Context, engine: Engine, sandbox: Sandbox, broker_url: str
) -> None:
    campaign = running(engine, 200)
    (only,) = batch_ids(engine, campaign)
    with redis.Redis.from_url(broker_url) as broker:
        for _ in range(12):
            sandbox.arm("code", "sms/send", count=1, code=451)
            assert submit.send_batch(context, only) is Outcome.PUT_OFF
            broker.flushall()  # the pause is over
            sandbox.advance(minutes=16)
            assert submit.resolve_batch(context, only) is Outcome.SENT_AGAIN
    assert submit.send_batch(context, only) is Outcome.ACCEPTED
    with engine.connect() as connection:
        assert campaigns.get(connection, campaign).state is CampaignState.RUNNING
    assert states(engine, campaign) == {"accepted": 200}
