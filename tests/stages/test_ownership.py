"""Somebody else's messages stand under our ids: what is ours counts, the others are set apart, everybody gets one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import CampaignState
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_campaigns.rules.states import MessageState
from kavenegar_campaigns.stages import submit
from kavenegar_campaigns.stages.submit import Outcome
from kavenegar_campaigns.stages.submit.ownership import LISTING_ROUNDS
from kavenegar_campaigns.store import epochs
from tests.world import SENDER, Sandbox, batch_ids, run_due_work, running, states

OTHERS = [f"0935{number:07d}" for number in range(200)]


@pytest.fixture(params=[True, False], ids=["dedupe", "no dedupe"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox.start(dedupe=request.param, delivery_s=[86_400, 90_000]) as gateway:
        yield gateway


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


@pytest.fixture(params=["select", "receptor"])
def looking(request: pytest.FixtureRequest, context: Context, sandbox: Sandbox) -> Context:
    """A context that may read whole messages, and one that may not."""
    sandbox.turn(ip_registered=request.param == "select")
    return replace(context, policy=replace(context.policy, select_allowed=request.param == "select"))


def ids(engine: Engine, campaign: int) -> list[int]:
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT id FROM sms.messages WHERE campaign_id = :id ORDER BY id"), {"id": campaign}
        )
        return list(found.scalars())


def others_send(sandbox: Sandbox, localids: list[int], *, text: str = "پیامی از پایگاه دیگر") -> None:
    """Another database on the same account uses these ids."""
    client = Client(sandbox.api_key, sandbox.url)
    client.send(OTHERS[: len(localids)], text, sender=SENDER, localids=localids)
    client.close()


def unanswered(context: Context, engine: Engine, sandbox: Sandbox, campaign: int) -> int:
    """The campaign's first batch left, and its answer was lost: it may be asked about now."""
    batch = batch_ids(engine, campaign)[0]
    sandbox.arm("accept_then_drop", "sms/send", count=1)
    assert submit.send_batch(context, batch) is Outcome.UNKNOWN
    sandbox.advance(seconds=91)
    return batch


def resolve_in_rounds(context: Context, sandbox: Sandbox, batch: int) -> Outcome:
    for _ in range(LISTING_ROUNDS + 2):
        outcome = submit.resolve_batch(context, batch)
        if outcome is not Outcome.IDS_IN_DOUBT:
            return outcome
        sandbox.advance(seconds=91)
    return outcome


def renew(context: Context, engine: Engine, campaign: int) -> None:
    context.database(epochs.renew_epoch, now=context.now())
    while context.database(epochs.reissue_ids):
        pass
    with engine.begin() as connection:
        campaigns.resume(connection, campaign)


def copies(sandbox: Sandbox) -> int:
    found: int = sandbox.summary()["most_copies_to_one_receptor"]
    return found


@pytest.mark.parametrize("theirs", [slice(0, 100), slice(100, 200)], ids=["the first half", "the second half"])
def test_of_a_batch_that_half_collided_the_accepted_half_counts_and_the_other_is_sent_under_new_ids(
    looking: Context, engine: Engine, sandbox: Sandbox, theirs: slice
) -> None:
    """The gateway dropped the ids that it knew from elsewhere, took the others, and the answer was lost."""
    sandbox.turn(dedupe=True)
    campaign = running(engine, 400)
    others_send(sandbox, ids(engine, campaign)[:200][theirs])
    batch = unanswered(looking, engine, sandbox, campaign)
    assert sandbox.summary()["messages"] == 200

    assert resolve_in_rounds(looking, sandbox, batch) is Outcome.COLLIDED

    assert states(engine, campaign) == {"accepted": 100, "uncertain": 100, "pending": 200}
    with engine.connect() as connection:
        held = campaigns.get(connection, campaign)
    assert held.state is CampaignState.PAUSED
    assert "epoch renew" in str(held.hold_reason)

    renew(looking, engine, campaign)
    run_due_work(looking)
    assert states(engine, campaign) == {"accepted": 400}
    assert sandbox.summary()["messages"] == 500
    assert copies(sandbox) == 1


def test_a_batch_of_which_everything_is_somebody_elses_is_not_taken_for_accepted(
    looking: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 400)
    second = batch_ids(engine, campaign)[1]
    assert submit.send_batch(looking, second) is Outcome.ACCEPTED
    others_send(sandbox, ids(engine, campaign)[:200])
    sandbox.arm("drop", "sms/send", count=1)
    (batch, _) = batch_ids(engine, campaign)
    assert submit.send_batch(looking, batch) is Outcome.UNKNOWN
    sandbox.advance(seconds=91)

    assert resolve_in_rounds(looking, sandbox, batch) is Outcome.COLLIDED

    assert states(engine, campaign) == {"accepted": 200, "uncertain": 200}
    renew(looking, engine, campaign)
    run_due_work(looking)
    assert states(engine, campaign) == {"accepted": 400}
    assert copies(sandbox) == 1


def test_what_was_never_seen_beside_what_collided_is_sent_once(
    looking: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """50 are ours, 50 somebody else's, 100 nobody's: the request was cut after a part."""
    campaign = running(engine, 200)
    mine = ids(engine, campaign)
    others_send(sandbox, mine[:50])
    sandbox.turn(dedupe=True)
    sandbox.arm("accept_some_then_code", "sms/send", count=1, code=503, rows=100)
    (batch,) = batch_ids(engine, campaign)
    assert submit.send_batch(looking, batch) is Outcome.UNKNOWN
    sandbox.advance(seconds=91)

    assert resolve_in_rounds(looking, sandbox, batch) is Outcome.COLLIDED
    assert states(engine, campaign) == {"accepted": 50, "uncertain": 150}

    renew(looking, engine, campaign)
    run_due_work(looking)
    assert states(engine, campaign) == {"accepted": 200}
    assert copies(sandbox) == 1


def test_an_answer_with_foreign_rows_and_missing_ones_decides_nothing_about_the_missing(
    looking: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """A row that is missing may have been accepted: it is not given new ids before the gateway has been asked."""
    sandbox.turn(dedupe=True, order="same")
    campaign = running(engine, 200)
    others_send(sandbox, ids(engine, campaign)[:20])
    sandbox.arm("missing_rows", "sms/send", count=1, rows=30)
    (batch,) = batch_ids(engine, campaign)

    assert submit.send_batch(looking, batch) is Outcome.UNKNOWN
    assert states(engine, campaign) == {"accepted": 150, "pending": 50}
    sandbox.advance(seconds=91)
    assert resolve_in_rounds(looking, sandbox, batch) is Outcome.COLLIDED

    assert states(engine, campaign) == {"accepted": 180, "uncertain": 20}
    renew(looking, engine, campaign)
    run_due_work(looking)
    assert states(engine, campaign) == {"accepted": 200}
    assert copies(sandbox) == 1


def test_short_answers_of_the_listing_are_no_proof_that_a_message_is_somebody_elses(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 200)
    batch = unanswered(context, engine, sandbox, campaign)
    sandbox.arm("missing_rows", "sms/statusbyreceptor", count=6, rows=1)

    assert resolve_in_rounds(context, sandbox, batch) is Outcome.RESOLVED

    assert states(engine, campaign) == {"accepted": 200}


def test_a_listing_that_shows_nothing_at_all_proves_nothing(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    campaign = running(engine, 400)
    assert submit.send_batch(context, batch_ids(engine, campaign)[1]) is Outcome.ACCEPTED
    batch = unanswered(context, engine, sandbox, campaign)
    sandbox.arm("missing_rows", "sms/statusbyreceptor", rows=1)

    assert submit.resolve_batch(context, batch) is Outcome.RESOLVED

    assert states(engine, campaign) == {"accepted": 400}


def test_what_decides_about_a_send_waits_behind_no_other_work(
    context: Context, looking: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """In a lane behind the polls a question got no slot while there were polls, and the one before it was in vain."""
    batch = unanswered(context, engine, sandbox, running(engine, 200))
    sandbox.advance(seconds=91)

    assert submit.resolve_batch(looking, batch) is Outcome.RESOLVED

    calls = {lane: seen.calls for lane, seen in context.pace.view().lanes.items() if seen.calls}
    assert set(calls) == {Lane.SEND}


def test_two_questions_more_are_asked_where_nothing_collided(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 200)
    batch = unanswered(context, engine, sandbox, campaign)
    assert submit.resolve_batch(context, batch) is Outcome.RESOLVED
    assert sandbox.summary()["requests"]["sms/statusbyreceptor"] == 2


def test_the_whole_message_tells_what_an_answer_by_our_ids_does_not(
    looking: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """The price of a message whose answer was lost, and how it stands now."""
    sandbox.turn(delivery_s=[1, 1], fates={"delivered": 1})
    campaign = running(engine, 3)
    batch = unanswered(looking, engine, sandbox, campaign)
    asked = sandbox.summary()["requests"].get("sms/select", 0)

    assert submit.resolve_batch(looking, batch) is Outcome.RESOLVED

    selects = sandbox.summary()["requests"].get("sms/select", 0) - asked
    with engine.connect() as connection:
        report = campaigns.build_report(connection, campaign)
    assert report.counts[MessageState.DELIVERED] == 3
    assert report.unpriced == (0 if selects else 3)
    assert report.cost_rial == (3 * 120 if selects else 0)
