"""People who got a message twice are seen by `verify` and by the ledger, whatever ids the second one left under.

Nothing of ours sends twice any more: here it is done by hand, as the product of before did it, or as a person can.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.rules.dates import TEHRAN
from kavenegar_campaigns.stages import sent_at_gateway, submit
from kavenegar_campaigns.stages.submit import Outcome
from kavenegar_campaigns.stages.verify import Check, verify_campaign
from kavenegar_campaigns.store import epochs, identity
from tests.backups import dump, restore
from tests.world import Sandbox, batch_ids, run_due_work, running, states

COUNT, IN_BACKUP = 1000, 400


@pytest.fixture(params=[True, False], ids=["dedupe", "no dedupe"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A gateway of either kind, whose operators take a day."""
    with Sandbox.start(dedupe=request.param, delivery_s=[86_400, 90_000]) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def at_noon(context: Context, sandbox: Sandbox) -> None:
    """What is sent twice is of one day of Tehran."""
    now = context.now().astimezone(TEHRAN)
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
    sandbox.advance(seconds=((noon - now) % timedelta(days=1)).total_seconds())


def restored_in_silence(engine: Engine, backup: bytes) -> None:
    """A restore that nobody notices, as every restore was before databases knew their place."""
    restore(engine, backup)
    with engine.begin() as connection:
        identity.record_place(connection)


def send_all(context: Context, sandbox: Sandbox) -> None:
    for _ in range(4):
        run_due_work(context)
        sandbox.advance(seconds=1)


def outbox_of(context: Context, campaign: int) -> Check:
    (found,) = (check for check in verify_campaign(context, campaign).checks if check.name == "outbox at the gateway")
    return found


def doubled_under_new_ids(context: Context, engine: Engine, sandbox: Sandbox) -> int:
    """A backup is restored, and `epoch renew` gives new ids to what has left since it was made."""
    campaign = running(engine, COUNT)
    for batch in batch_ids(engine, campaign)[: IN_BACKUP // 200]:
        assert submit.send_batch(context, batch) is Outcome.ACCEPTED
    backup = dump(engine)
    send_all(context, sandbox)
    assert sandbox.summary()["messages"] == COUNT
    restored_in_silence(engine, backup)
    context.database(epochs.renew_epoch, now=context.now())
    while context.database(epochs.reissue_ids):
        pass
    send_all(context, sandbox)
    assert sandbox.summary()["messages"] == 2 * COUNT - IN_BACKUP
    return campaign


def test_what_was_sent_again_under_new_ids_after_a_restore(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    campaign = doubled_under_new_ids(context, engine, sandbox)

    finding = outbox_of(context, campaign)
    assert finding.holds is False
    assert f"at least {COUNT - IN_BACKUP:,} cannot be explained" in finding.says
    assert not verify_campaign(context, campaign).true
    assert sent_at_gateway.keep_ledger(context)[0].unexplained == COUNT - IN_BACKUP


def test_what_was_sent_again_under_the_same_ids(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    """A gateway that drops repeated ids keeps people from a second message; the other one counts it."""
    campaign = running(engine, COUNT)
    backup = dump(engine)
    send_all(context, sandbox)
    restored_in_silence(engine, backup)
    send_all(context, sandbox)
    doubles = sandbox.summary()["messages"] - COUNT
    assert doubles == (0 if sandbox.summary()["dedupe_hits"] else COUNT)

    assert outbox_of(context, campaign).holds is (doubles == 0)
    assert sent_at_gateway.keep_ledger(context)[0].unexplained == doubles


def test_an_account_that_is_shared_with_other_software_explains_it(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """Then only a person can tell ours from theirs: the figure is kept, and nothing is called untrue for it."""
    campaign = doubled_under_new_ids(context, engine, sandbox)
    shared = replace(context, policy=replace(context.policy, account_shared=True))
    assert outbox_of(shared, campaign).holds is True
    assert sent_at_gateway.keep_ledger(shared)[0].unexplained == COUNT - IN_BACKUP


def test_of_what_was_sent_once_everything_is_explained(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    """Also a batch without an answer, which the gateway may or may not have."""
    sandbox.arm("accept_then_drop", "sms/send", count=1)
    campaign = running(engine, COUNT)
    send_all(context, sandbox)
    assert sent_at_gateway.keep_ledger(context)[0].unexplained == 0
    sandbox.advance(seconds=91)
    send_all(context, sandbox)
    assert sandbox.summary()["messages"] == COUNT
    assert outbox_of(context, campaign).holds is True
    assert sent_at_gateway.keep_ledger(context)[0].unexplained == 0


def test_uncertain_messages_that_a_person_sent_again_although_they_had_arrived(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.arm("accept_then_drop", "sms/send", count=1)
    campaign = running(engine, 200)
    run_due_work(context)
    with engine.begin() as connection:
        connection.execute(text("UPDATE sms.batches SET first_sent_at = first_sent_at - interval '13 hours'"))
    sandbox.turn(localid_window_s=0)
    sandbox.advance(seconds=91)
    send_all(context, sandbox)
    assert states(engine, campaign) == {"uncertain": 200}
    with engine.begin() as connection:
        campaigns.send_uncertain(connection, campaign)
    send_all(context, sandbox)
    doubles = sandbox.summary()["messages"] - 200
    assert doubles == (0 if sandbox.summary()["dedupe_hits"] else 200)

    assert outbox_of(context, campaign).holds is (doubles == 0)
    assert sent_at_gateway.keep_ledger(context)[0].unexplained == doubles
