"""Who decides about a batch may be overtaken while it waits for an answer; what was really sent must win."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import redis
from sqlalchemy import Engine, text

import campaigns
from campaigns import dispatch, submit
from campaigns.house import House
from campaigns.rules.states import CampaignState, MessageState
from campaigns.store import batches, due
from campaigns.store.records import Claim, Fact
from campaigns.submit import Outcome
from tests.kavenegar.scripted_server import Behaviour, ScriptedServer, Wire
from tests.world import SENDER, Sandbox, answer_bells, batch_ids, running, states


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


@pytest.fixture(autouse=True)
def _slow_operators(sandbox: Sandbox) -> None:
    sandbox.turn(delivery_s=[86_400, 90_000])


def localids(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT id FROM sms.messages ORDER BY id")).scalars())


def meanwhile(do: Callable[[], object], then: Behaviour) -> Behaviour:
    """Answer only after something else has happened."""

    def behave(wire: Wire) -> None:
        do()
        then(wire)

    return behave


def take(house: House, batch_id: int, *, after: timedelta = timedelta(0)) -> Claim:
    """Another worker's claim."""
    claim = house.database(
        batches.claim_ready,
        batch_id,
        account=house.account,
        call_id=uuid4(),
        now=house.now() + after,
        lease=house.policy.lease,
    )
    assert claim is not None
    return claim


def write_accepted(house: House, claim: Claim) -> None:
    """Another worker's good answer."""
    found = [Fact(each.id, MessageState.ACCEPTED, 10**9 + place, 1, 120) for place, each in enumerate(claim.messages)]
    now = house.now()
    house.database(batches.learn, claim, found, now=now, poll_at=now, closes_at=now + timedelta(hours=48))


def unknown(house: House, engine: Engine, count: int = 3) -> tuple[int, int]:
    """(campaign, batch): a campaign whose only batch left without an answer, and may be asked about."""
    campaign = running(engine, count)
    (only,) = batch_ids(engine, campaign)
    claim = take(house, only)
    house.database(batches.doubt, claim, due_at=house.now(), trouble="test")
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
    house: House, scripted: House, engine: Engine, server: ScriptedServer, status: int, messageid: int | None
) -> None:
    """Whatever else the gateway says of our id, it has heard of it."""
    campaign, only = unknown(house, engine)
    first, *others = localids(engine)
    server.will(server.answer(entries=[row(first, status, messageid), *(row(each, 1, each) for each in others)]))

    assert submit.resolve(scripted, only) not in (Outcome.SENT_AGAIN, Outcome.RESOLVED)

    assert states(engine, campaign) == {"accepted": 2, "pending": 1}
    with engine.connect() as connection:
        assert connection.execute(text("SELECT state FROM sms.batches")).scalar_one() == "unknown"


def test_the_row_of_a_stranger_does_not_stand_in_for_one_that_is_missing(
    house: House, scripted: House, engine: Engine, server: ScriptedServer
) -> None:
    campaign, only = unknown(house, engine)
    first, second, _ = localids(engine)
    server.will(server.answer(entries=[row(first, 1, 1), row(second, 100, None), row(99, 100, None)]))
    assert submit.resolve(scripted, only) is Outcome.PUT_OFF
    assert states(engine, campaign) == {"accepted": 1, "pending": 2}


def test_a_question_that_comes_late_is_still_asked_and_what_is_found_counts(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    """After twelve hours "never seen" proves nothing, but "I have it" still does."""
    sandbox.turn(localid_window_s=86_400)
    campaign = running(engine, 200)
    sandbox.arm("accept_then_drop", "sms/send", count=1)
    submit.run(house, batch_ids(engine, campaign)[0])
    sandbox.advance(hours=13)
    answer_bells(house)
    assert states(engine, campaign) == {"accepted": 200}


def test_what_was_proven_never_to_have_arrived_has_a_new_window_when_it_leaves_again(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    """Lost on the way, resolved, paused over night, sent in the morning, and that answer is lost too."""
    campaign = running(engine, 200)
    (only,) = batch_ids(engine, campaign)
    sandbox.arm("drop", "sms/send", count=1)
    assert submit.run(house, only) is Outcome.UNKNOWN
    sandbox.advance(seconds=91)
    assert submit.resolve(house, only) is Outcome.SENT_AGAIN
    sandbox.advance(hours=13)
    sandbox.arm("accept_then_drop", "sms/send", count=1)
    assert submit.run(house, only) is Outcome.UNKNOWN
    sandbox.advance(seconds=91)
    assert submit.resolve(house, only) is Outcome.RESOLVED
    assert states(engine, campaign) == {"accepted": 200}


# ── overtaken ──


def test_a_withdrawal_does_not_overrule_an_acceptance_that_was_written_meanwhile(
    house: House, scripted: House, engine: Engine, server: ScriptedServer
) -> None:
    """The campaign is cancelled, the gateway says "never seen", and the sender that slept wakes up and sends."""
    campaign = running(engine, 3)
    (only,) = batch_ids(engine, campaign)
    sender = take(house, only)
    house.database(due.lapse, now=house.now() + house.policy.lease, settle=timedelta(0))
    with engine.begin() as connection:
        campaigns.cancel(connection, campaign)
        connection.execute(text("UPDATE sms.batches SET due_at = :now"), {"now": house.now()})
    never = server.answer(entries=[row(each, 100, None) for each in localids(engine)])
    server.will(meanwhile(lambda: write_accepted(house, sender), never))

    submit.resolve(scripted, only)

    assert states(engine, campaign) == {"accepted": 3}


def test_a_refusal_by_a_worker_that_lost_its_lease_does_not_count(
    house: House, scripted: House, engine: Engine, server: ScriptedServer
) -> None:
    """While it waited for its 411, another worker sent the message, and the gateway took it."""
    campaign = running(engine, 1)
    (only,) = batch_ids(engine, campaign)
    later = house.policy.lease + timedelta(seconds=1)
    taken: list[Claim] = []

    def another_worker_sends() -> None:
        house.database(due.lapse, now=house.now() + later, settle=timedelta(0))
        asked = house.database(
            batches.claim_unknown,
            only,
            account=house.account,
            call_id=uuid4(),
            now=house.now() + later,
            lease=house.policy.lease,
            forgotten_before=house.now() - timedelta(hours=11),
        )
        assert asked is not None
        assert house.database(batches.send_again, asked, due_at=house.now(), trouble="never seen")
        taken.append(take(house, only, after=later))

    server.will(
        meanwhile(another_worker_sends, server.answer(code=411)),
        server.answer(entries=[row(each, 100, None) for each in localids(engine)]),
    )
    submit.run(scripted, only)
    write_accepted(house, taken[0])

    assert states(engine, campaign) == {"accepted": 1}


def test_an_answer_that_comes_after_the_batch_was_halved_stops_nobody(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    """A sleeper's acceptance reaches a batch that others have split: nothing is sent twice, and the tick goes on."""
    campaign = running(engine, 4)
    (whole,) = batch_ids(engine, campaign)
    sleeper = take(house, whole)
    sandbox.advance(seconds=121)
    dispatch.tick(house, now=house.now())
    sandbox.advance(seconds=91)
    assert submit.resolve(house, whole) is Outcome.SENT_AGAIN
    sandbox.arm("code", "sms/send", count=1, code=411)
    assert submit.run(house, whole) is Outcome.HALVED
    write_accepted(house, sleeper)

    for batch_id in batch_ids(engine, campaign):
        submit.run(house, batch_id)
    with engine.begin() as connection:
        campaigns.cancel(connection, campaign)
    answer_bells(house)

    assert states(engine, campaign) == {"accepted": 4}
    assert sandbox.summary()["messages"] == 0


# ── odd answers to a send ──


@pytest.mark.parametrize("status", [100, 50, 99_999])
def test_an_acceptance_with_an_odd_status_is_an_acceptance(
    house: House, scripted: House, engine: Engine, server: ScriptedServer, status: int
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
    assert submit.run(scripted, batch_ids(engine, campaign)[0]) is Outcome.ACCEPTED
    assert states(engine, campaign) == {"accepted": 1}


def test_a_defect_of_ours_pauses_the_campaign_instead_of_refusing_everybody(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    """419, lists of different length, of a message that stands alone is nobody's fault but ours."""
    sandbox.arm("code", "sms/send", count=1000, code=419)
    campaign = running(engine, 8)
    for _ in range(6):
        answer_bells(house)
    with engine.connect() as connection:
        assert campaigns.get(connection, campaign).state is CampaignState.PAUSED
    assert states(engine, campaign) == {"pending": 8}
    assert sandbox.summary()["requests"]["sms/send"] <= 8


def test_a_storm_of_451_is_weathered_and_pauses_no_campaign(
    house: House, engine: Engine, sandbox: Sandbox, broker_url: str
) -> None:
    campaign = running(engine, 200)
    (only,) = batch_ids(engine, campaign)
    with redis.Redis.from_url(broker_url) as broker:
        for _ in range(12):
            sandbox.arm("code", "sms/send", count=1, code=451)
            assert submit.run(house, only) is Outcome.PUT_OFF
            broker.flushall()  # the pause is over
            sandbox.advance(minutes=16)
            assert submit.resolve(house, only) is Outcome.SENT_AGAIN
    assert submit.run(house, only) is Outcome.ACCEPTED
    with engine.connect() as connection:
        assert campaigns.get(connection, campaign).state is CampaignState.RUNNING
    assert states(engine, campaign) == {"accepted": 200}
