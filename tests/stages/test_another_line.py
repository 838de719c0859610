"""A paused campaign goes on from another line (sender): what has not left, and nothing else."""

from __future__ import annotations

import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import requests
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import BadInput, CampaignState, IllegalMove
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.stages import submit
from kavenegar_campaigns.stages.submit import Outcome
from kavenegar_campaigns.stages.verify import RECIPIENTS, verify_campaign
from kavenegar_campaigns.store import batches, loading
from tests.store import given
from tests.waiting import until_somebody_waits
from tests.world import SENDER, Sandbox, batch_ids, numbers, run_due_work, running, states

OTHER = "30002626"
BARRED = "20009999"
"""A line that is none of the account's."""


def sent_from(sandbox: Sandbox, engine: Engine) -> dict[str, int]:
    """Messages that the gateway sent, by line; nobody got two."""
    with engine.connect() as connection:
        ids = connection.execute(text("SELECT id FROM sms.messages ORDER BY id")).scalars().all()
    sent: list[dict[str, Any]] = []
    for first in range(0, len(ids), 200):
        asked = f"{sandbox.url}/_sandbox/ledger?localids={','.join(map(str, ids[first : first + 200]))}"
        sent += requests.get(asked, timeout=30).json()["messages"]
    assert len({message["localid"] for message in sent}) == len(sent) == sandbox.summary()["messages"]
    return dict(Counter(message["sender"] for message in sent))


def paused(engine: Engine, campaign: int) -> None:
    with engine.begin() as connection:
        campaigns.pause(connection, campaign)


def resumed(engine: Engine, campaign: int, sender: str | None) -> None:
    """Resumed, and the moment is over for which what has not left is put off."""
    with engine.begin() as connection:
        campaigns.resume(connection, campaign, sender=sender)
        connection.execute(text("UPDATE sms.batches SET due_at = now() - interval '1 second' WHERE state = 'ready'"))


def finish(context: Context, sandbox: Sandbox, *, rounds: int = 6) -> None:
    for _ in range(rounds):
        run_due_work(context)
        sandbox.advance(seconds=91)


def test_what_has_not_left_goes_on_from_the_other_line_and_what_has_left_keeps_its_own(
    context: Context, engine: Engine, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    campaign = running(engine, 600)
    assert submit.send_batch(context, batch_ids(engine, campaign)[0]) is Outcome.ACCEPTED
    paused(engine, campaign)
    with caplog.at_level(logging.INFO):
        resumed(engine, campaign, f"+98{OTHER}")
    finish(context, sandbox)
    assert sent_from(sandbox, engine) == {SENDER: 200, OTHER: 400}
    with engine.connect() as connection:
        assert campaigns.get(connection, campaign).sender == OTHER
        assert loading.kept_senders(connection, campaign) == {SENDER: 200}
    (logged,) = [record for record in caplog.records if record.message == "sender changed"]
    facts = {name: getattr(logged, name) for name in ("campaign_id", "before", "line", "batches", "messages_kept")}
    assert facts == {"campaign_id": campaign, "before": SENDER, "line": OTHER, "batches": 2, "messages_kept": 200}


def test_verify_holds_each_message_against_the_line_that_it_left_from(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(ip_registered=True)
    campaign = running(engine, 400)
    assert submit.send_batch(context, batch_ids(engine, campaign)[0]) is Outcome.ACCEPTED
    paused(engine, campaign)
    resumed(engine, campaign, OTHER)
    finish(context, sandbox)
    allowed = replace(context, policy=replace(context.policy, select_allowed=True))
    (found,) = (check for check in verify_campaign(allowed, campaign).checks if check.name == RECIPIENTS)
    assert found.says.startswith("400 of 400 messages compared: 0 have another number, sender or text")


@pytest.mark.parametrize("arrived", [True, False])
@pytest.mark.parametrize("dedupe", [True, False])
def test_a_batch_that_is_unknown_keeps_its_line_and_nobody_gets_two(
    context: Context, engine: Engine, sandbox: Sandbox, arrived: bool, dedupe: bool
) -> None:
    sandbox.turn(dedupe=dedupe)
    campaign = running(engine, 400)
    sandbox.arm("accept_then_drop" if arrived else "drop", "sms/send", count=1)
    assert submit.send_batch(context, batch_ids(engine, campaign)[0]) is Outcome.UNKNOWN
    paused(engine, campaign)
    resumed(engine, campaign, OTHER)
    finish(context, sandbox)
    assert sent_from(sandbox, engine) == {SENDER: 200, OTHER: 200}
    assert "uncertain" not in states(engine, campaign)
    assert "pending" not in states(engine, campaign)


def test_a_line_that_the_account_does_not_have_pauses_the_campaign_and_another_one_lets_it_go_on(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=numbers(400), text="x", sender=BARRED)
        campaigns.start(connection, campaign)
    run_due_work(context)
    with engine.connect() as connection:
        stands = campaigns.get(connection, campaign)
        waits = campaigns.why_waiting(connection, campaign)
    assert (stands.state, stands.hold_code) == (CampaignState.PAUSED, 412)
    assert waits is not None
    assert waits.sentence.endswith(
        f"`campaigns resume {campaign} --sender LINE` lets what has not left go on from another line"
    )
    resumed(engine, campaign, OTHER)
    finish(context, sandbox)
    assert sent_from(sandbox, engine) == {OTHER: 400}


def test_what_kept_a_line_that_is_refused_gets_the_next_one_once_it_is_proven_not_to_have_left(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = running(engine, 400)
    sandbox.arm("drop", "sms/send", count=1)
    assert submit.send_batch(context, batch_ids(engine, campaign)[0]) is Outcome.UNKNOWN
    paused(engine, campaign)
    sandbox.turn(senders=[OTHER])
    resumed(engine, campaign, OTHER)
    finish(context, sandbox)
    with engine.connect() as connection:
        assert campaigns.get(connection, campaign).state is CampaignState.PAUSED
    resumed(engine, campaign, OTHER)
    finish(context, sandbox)
    assert sent_from(sandbox, engine) == {OTHER: 400}


def test_the_halves_of_a_batch_keep_the_line_of_the_whole(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    campaign = running(engine, 200)
    (batch,) = batch_ids(engine, campaign)
    sandbox.arm("drop", "sms/send", count=1)
    assert submit.send_batch(context, batch) is Outcome.UNKNOWN
    paused(engine, campaign)
    resumed(engine, campaign, OTHER)
    sandbox.advance(seconds=91)
    assert submit.resolve_batch(context, batch) is Outcome.SENT_AGAIN
    sandbox.arm("code", "sms/send", count=1, code=411)
    assert submit.send_batch(context, batch) is Outcome.HALVED
    finish(context, sandbox)
    assert set(sent_from(sandbox, engine)) == {SENDER}


def test_a_claim_that_began_before_the_pause_is_over_or_finds_nothing_after_the_change(engine: Engine) -> None:
    """It believes the campaign to run, and names the old line: no batch of it may stay without a record of that."""
    campaign = given.running(engine, 200)
    (batch,) = given.batch_ids(engine, campaign)
    with engine.begin() as connection:
        campaigns.pause(connection, campaign)
    with ThreadPoolExecutor(1) as late, engine.begin() as claiming:
        claiming.execute(text("SELECT id FROM sms.batches WHERE id = :id FOR UPDATE"), {"id": batch})
        changing = late.submit(_changed, engine, campaign)
        until_somebody_waits(engine)
        claiming.execute(
            text("""
                UPDATE sms.batches SET state = 'claimed', lease_owner = gen_random_uuid(), first_sent_at = now(),
                       attempt = 1, due_at = now() + interval '2 minutes' WHERE id = :id
            """),
            {"id": batch},
        )
        claiming.commit()
        changing.result(60)
    with engine.connect() as connection:
        assert loading.kept_senders(connection, campaign) == {SENDER: 200}


def _changed(engine: Engine, campaign: int) -> None:
    with engine.begin() as connection:
        campaigns.resume(connection, campaign, sender=OTHER)


def test_what_has_not_left_is_due_later_than_a_claim_believes_that_began_before(engine: Engine) -> None:
    campaign = given.running(engine, 200)
    with engine.begin() as connection:
        campaigns.pause(connection, campaign)
    with engine.begin() as connection:
        before = connection.execute(text("SELECT now()")).scalar_one()
        campaigns.resume(connection, campaign, sender=OTHER)
        assert (
            batches.is_due(connection, given.batch_ids(engine, campaign)[0], batches.BatchState.READY, now=before)
            is False
        )


@pytest.mark.parametrize("line", ["", "sales", "1000 or so"])
def test_a_line_that_cannot_be_is_refused_and_nothing_is_changed(engine: Engine, line: str) -> None:
    campaign = running(engine, 10)
    paused(engine, campaign)
    with pytest.raises(BadInput), engine.begin() as connection:
        campaigns.resume(connection, campaign, sender=line)
    with engine.connect() as connection:
        found = campaigns.get(connection, campaign)
    assert (found.state, found.sender) == (CampaignState.PAUSED, SENDER)


def test_calls_have_no_line_to_choose(engine: Engine) -> None:
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=["09121234567"], text="x", kind="voice")
        campaigns.start(connection, campaign)
        campaigns.pause(connection, campaign)
        with pytest.raises(BadInput, match="a call takes no sender"):
            campaigns.resume(connection, campaign, sender=OTHER)


def test_only_what_is_paused_gets_another_line(engine: Engine) -> None:
    campaign = running(engine, 10)
    with engine.begin() as connection, pytest.raises(IllegalMove, match="only a paused campaign"):
        campaigns.resume(connection, campaign, sender=OTHER)
