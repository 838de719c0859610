"""Whatever the gateway answers, it may have taken all of a request, a part or nothing: everybody gets one message."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import CampaignState
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.stages import account, submit
from kavenegar_campaigns.stages.submit import Outcome
from tests.chaos import audit, checker
from tests.chaos.checker import Findings
from tests.world import Sandbox, batch_ids, numbers, run_due_work, running, states

UNCLEAR = [402, 409, 503, 777, 299]
"""Codes that do not say what was done."""
REFUSALS = [411, 412, 413, 418, 403, 607, 414, 400]
THROTTLED = [451, 429]
TAKEN = {"all": ("accept_then_code", {}), "a part": ("accept_some_then_code", {"rows": 77}), "nothing": ("code", {})}


@pytest.fixture(params=[True, False], ids=["dedupe", "no dedupe"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A gateway that drops repeated localids, and one that does not."""
    with Sandbox.start(dedupe=request.param, order="shuffled") as gateway:
        yield gateway


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    audit.install(emptied)
    return emptied


def to_the_end(context: Context, engine: Engine, sandbox: Sandbox) -> Findings:
    """Tick on; a person resumes what was paused, and an account on hold is looked at."""
    for _ in range(60):
        account.recheck_hold(context)
        with engine.begin() as connection:
            found = campaigns.newest(connection)
            for campaign in found:
                if campaign.state is CampaignState.PAUSED:
                    campaigns.resume(connection, campaign.id)
            if all(campaign.finished_at for campaign in found):
                break
        run_due_work(context)
        sandbox.advance(seconds=91)
    return checker.check(engine, sandbox.url)


@pytest.mark.parametrize("taken", TAKEN)
@pytest.mark.parametrize("code", UNCLEAR + REFUSALS + THROTTLED)
def test_everybody_gets_one_message_whatever_was_taken_and_whatever_was_said(
    context: Context, engine: Engine, sandbox: Sandbox, code: int, taken: str
) -> None:
    kind, details = TAKEN[taken]
    sandbox.arm(kind, "sms/send", count=2, code=code, **details)
    running(engine, 250)

    found = to_the_end(context, engine, sandbox)

    assert found.broken == (), "; ".join(map(str, found.broken))
    assert found.sent == 250 - found.states.get("refused", 0)
    assert sandbox.summary()["most_copies_to_one_receptor"] == 1
    assert "uncertain" not in found.states


@pytest.mark.parametrize("code", [411, 422])
def test_a_guilty_message_stands_alone_although_each_refusal_took_a_part(
    context: Context, engine: Engine, sandbox: Sandbox, code: int
) -> None:
    """The gateway refuses the whole request for one number or text, and has taken the first of it all the same."""
    guilty = numbers(150)[-1]
    sandbox.turn(**{"bad_receptors": [guilty]} if code == 411 else {"poison_text": "نام 149 "})
    sandbox.arm("accept_some_then_code", "sms/sendarray", count=1, code=code, rows=10)
    campaign = running(engine, 200, text="سلام {name} عزیز")

    found = to_the_end(context, engine, sandbox)

    assert found.broken == (), "; ".join(map(str, found.broken))
    assert states(engine, campaign)["refused"] == 1
    assert found.sent == 199


@pytest.mark.parametrize("code", UNCLEAR)
def test_a_code_that_does_not_say_what_was_done_leaves_the_batch_unknown(
    context: Context, engine: Engine, sandbox: Sandbox, code: int
) -> None:
    sandbox.arm("code", "sms/send", count=1, code=code)
    campaign = running(engine, 200)
    (batch,) = batch_ids(engine, campaign)

    assert submit.send_batch(context, batch) is Outcome.UNKNOWN
    assert submit.resolve_batch(context, batch) is Outcome.NOT_DUE, "the gateway has had no time to make up its mind"
    with engine.connect() as connection:
        paused = campaigns.get(connection, campaign).state is CampaignState.PAUSED
    assert paused == (code in {777, 299}), "of a code that nobody has documented, a person reads"


@pytest.mark.parametrize("code", THROTTLED)
def test_a_batch_that_met_the_limit_is_asked_about_as_soon_as_the_pace_allows(
    context: Context, engine: Engine, sandbox: Sandbox, code: int
) -> None:
    sandbox.arm("code", "sms/send", count=1, code=code)
    campaign = running(engine, 200)
    (batch,) = batch_ids(engine, campaign)
    assert submit.send_batch(context, batch) is Outcome.PUT_OFF
    with engine.connect() as connection:
        row = connection.execute(text("SELECT state, due_at FROM sms.batches")).one()
    assert row.state == "unknown"
    assert (row.due_at - context.now()) < context.policy.unknown_grace
    sandbox.advance(seconds=301)
    assert submit.resolve_batch(context, batch) is Outcome.SENT_AGAIN
    assert submit.send_batch(context, batch) is Outcome.ACCEPTED


def test_a_refusal_is_not_acted_upon_while_the_gateway_cannot_be_asked(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.arm("code", "sms/send", count=1, code=411)
    sandbox.arm("http_5xx_html_before", "sms/statuslocalmessageid", count=2)
    campaign = running(engine, 200)
    (batch,) = batch_ids(engine, campaign)

    assert submit.send_batch(context, batch) is Outcome.UNKNOWN

    assert batch_ids(engine, campaign) == [batch], "it was not halved"
    assert submit.resolve_batch(context, batch) is Outcome.SENT_AGAIN
    assert submit.send_batch(context, batch) is Outcome.ACCEPTED


def test_a_refused_batch_whose_ids_were_not_all_answered_for_is_not_halved(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.arm("code", "sms/send", count=1, code=411)
    sandbox.arm("missing_rows", "sms/statuslocalmessageid", count=1, rows=200)
    campaign = running(engine, 200)
    (batch,) = batch_ids(engine, campaign)
    assert submit.send_batch(context, batch) is Outcome.UNKNOWN
    assert batch_ids(engine, campaign) == [batch]


def test_a_batch_that_keeps_failing_without_a_cause_stops_its_campaign(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.arm("code", "sms/send", code=402)
    campaign = running(engine, 200)
    for _ in range(12):
        run_due_work(context)
        sandbox.advance(seconds=91)
    with engine.connect() as connection:
        held = campaigns.get(connection, campaign)
    assert held.state is CampaignState.PAUSED
    assert held.hold_code == 402
    assert sandbox.summary()["requests"]["sms/send"] == 4
