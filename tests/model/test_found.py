"""What the model found in the code, shown on a real database that was dumped and restored; each is mended.

Each names the switch of docs/model/switches.pml that puts the fault back into the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.kavenegar.call import Answer, Call
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.paced_client import PacedClient
from kavenegar_campaigns.kavenegar.transport import InTime
from kavenegar_campaigns.rules.batches import BATCH_SIZE, EPOCH_SHIFT, ID_BLOCK_SIZE
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_campaigns.stages import account, guards, submit
from kavenegar_campaigns.stages.submit import Outcome
from kavenegar_campaigns.store import epochs
from tests.backups import dump, restore
from tests.world import SENDER, Sandbox, batch_ids, numbers, run_due_work, running, states

OTHER = "key-of-another-account"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A gateway that sends what it is given, however often, with two accounts; its operators take a day."""
    with Sandbox.start(other_keys=[OTHER], dedupe=False, delivery_s=[86_400, 90_000]) as gateway:
        yield gateway


@pytest.fixture
def other(context: Context, sandbox: Sandbox) -> Iterator[Context]:
    """The same context under the key of another account."""
    with closing(Client(OTHER, sandbox.url, deadline_s=15.0)) as client:
        yield replace(context, gateway=PacedClient(client, context.pace))


def draft(engine: Engine, count: int) -> int:
    with engine.begin() as connection:
        return campaigns.create(connection, recipients=numbers(count), text="سلام", sender=SENDER)


def start(engine: Engine, campaign: int) -> None:
    with engine.begin() as connection:
        campaigns.start(connection, campaign)


def send_all(context: Context, engine: Engine, campaign: int) -> None:
    batches = batch_ids(engine, campaign)
    assert [submit.send_batch(context, batch_id) for batch_id in batches] == [Outcome.ACCEPTED] * len(batches)


def accept_restored(context: Context) -> None:
    """What `campaigns restored` does."""
    guards.accept_database(context.database, context.policy, copy=False, now=context.now())


def settle(context: Context, sandbox: Sandbox) -> None:
    """Until whatever could still be under way is over, and then some ticks."""
    sandbox.advance(seconds=(context.policy.quiet_period + timedelta(seconds=1)).total_seconds())
    for _ in range(4):
        run_due_work(context)


def renew(context: Context) -> None:
    """What `campaigns epoch renew` does."""
    context.database(epochs.renew_epoch, now=context.now())
    while context.database(epochs.reissue_ids):
        pass


def ids(engine: Engine, campaign: int) -> list[int]:
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT id FROM sms.messages WHERE campaign_id = :id ORDER BY id"), {"id": campaign}
        )
        return list(found.scalars())


def sent(sandbox: Sandbox) -> int:
    """Messages that the gateway has sent, under both accounts."""
    summary = sandbox.summary()
    return int(summary["messages"]) + sum(summary["other_accounts"])


def test_the_ticks_of_a_restored_database_are_no_sign_of_life_of_the_lost_history(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """Switch LOST_SINCE_TICKS: what left 13 hours ago can no longer be asked about, and must not leave again."""
    campaign = running(engine, 400)
    backup = dump(engine)
    send_all(context, engine, campaign)
    restore(engine, backup)
    sandbox.advance(hours=13)

    run_due_work(context)  # the workers run, and tick
    accept_restored(context)
    settle(context, sandbox)

    assert sent(sandbox) == 400
    assert states(engine, campaign) == {"uncertain": 400}


def test_a_campaign_cancelled_in_a_restored_database_is_asked_about_all_the_same(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """Switch ENDS_BEFORE_HANDLING: what was sent in the lost history is not recorded as cancelled."""
    campaign = running(engine, 400)
    backup = dump(engine)
    send_all(context, engine, campaign)
    restore(engine, backup)

    with engine.begin() as connection:
        campaigns.cancel(connection, campaign)
    run_due_work(context)
    accept_restored(context)
    settle(context, sandbox)

    assert states(engine, campaign) == {"accepted": 400}


def test_who_got_a_message_in_the_lost_history_is_not_recorded_as_suppressed(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """Switch SUPPRESSED_AT_CUT: a draft of the backup had been started, and somebody opted out because of it."""
    campaign = draft(engine, 200)
    backup = dump(engine)
    start(engine, campaign)
    send_all(context, engine, campaign)
    restore(engine, backup)
    accept_restored(context)
    with engine.begin() as connection:
        campaigns.suppress(connection, numbers(1))

    start(engine, campaign)
    settle(context, sandbox)

    assert states(engine, campaign) == {"accepted": 200}


def test_after_a_restore_batches_are_asked_about_under_the_account_in_use(
    context: Context, other: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """Switch ACCOUNT_UNSET: a batch that was never claimed is taken for one of the first account, long given up."""
    account.recognise_key(context)
    first = running(engine, 200)
    send_all(context, engine, first)
    account.recognise_key(other)
    campaign = running(engine, 200, text="تازه")
    backup = dump(engine)
    send_all(other, engine, campaign)
    restore(engine, backup)
    accept_restored(other)
    settle(other, sandbox)

    assert states(engine, campaign) == {"accepted": 200}


def test_a_draft_of_before_a_collision_is_asked_about_under_the_ids_it_left_under(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """Switch MOVED_AT_START: new ids were given at the start, in the lost history and here, and these differed."""
    campaign = draft(engine, 200)
    renew(context)
    backup = dump(engine)
    start(engine, campaign)
    send_all(context, engine, campaign)
    restore(engine, backup)
    accept_restored(context)

    start(engine, campaign)
    settle(context, sandbox)

    assert sent(sandbox) == 200


def test_a_draft_of_many_blocks_has_new_ids_in_the_old_order_after_a_collision(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = draft(engine, ID_BLOCK_SIZE + 300)
    before = ids(engine, campaign)

    renew(context)

    moved = ids(engine, campaign)
    assert len(moved) == len(before)
    assert {id_ >> EPOCH_SHIFT for id_ in moved}.isdisjoint({id_ >> EPOCH_SHIFT for id_ in before})
    with engine.connect() as connection:
        in_order = text("SELECT number FROM sms.messages WHERE campaign_id = :id ORDER BY id")
        assert list(connection.execute(in_order, {"id": campaign}).scalars()) == numbers(ID_BLOCK_SIZE + 300)
    start(engine, campaign)
    assert len(batch_ids(engine, campaign)) == ID_BLOCK_SIZE // BATCH_SIZE + 2
    assert ids(engine, campaign) == moved


def test_a_draft_that_may_have_left_before_a_restore_keeps_the_ids_it_is_asked_about_by(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    campaign = draft(engine, 200)
    before = ids(engine, campaign)
    accept_restored(context)

    renew(context)

    assert ids(engine, campaign) == before


def test_nothing_that_a_question_brought_ends_in_a_restored_database_before_everything_is_asked_about(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """Switch ENDS_BEFORE_HANDLING: "never seen" is no reason to cancel while a lost request may be under way."""
    campaign = running(engine, 200)
    (batch,) = batch_ids(engine, campaign)
    sandbox.arm("drop", "sms/send", count=1)
    assert submit.send_batch(context, batch) is Outcome.UNKNOWN
    restore(engine, dump(engine))
    with engine.begin() as connection:
        campaigns.cancel(connection, campaign)
    sandbox.advance(seconds=91)

    assert submit.resolve_batch(context, batch) is Outcome.PUT_OFF

    assert states(engine, campaign) == {"pending": 200}
    accept_restored(context)
    settle(context, sandbox)
    assert states(engine, campaign) == {"cancelled": 200}


class Late(PacedClient):
    """Whose answers come when `meanwhile` has happened."""

    def __init__(self, client: Client, context: Context, meanwhile: Callable[[], None]) -> None:
        super().__init__(client, context.pace)
        self._meanwhile = meanwhile

    def perform(self, call: Call[Answer], *, lane: Lane, in_time: InTime | None = None) -> Answer:
        found = super().perform(call, lane=lane, in_time=in_time)
        self._meanwhile()
        return found


def test_a_collision_is_no_reason_to_set_apart_what_somebody_else_has_decided_about(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    """Switch COLLISION_UNFENCED: the batch is ready again by the time the answer comes."""
    sandbox.turn(dedupe=True)
    campaign = running(engine, 200)
    (batch,) = batch_ids(engine, campaign)

    def asked_meanwhile() -> None:
        decided = text("UPDATE sms.batches SET state = 'ready', lease_owner = NULL, due_at = :now WHERE id = :id")
        with engine.begin() as connection:
            connection.execute(decided, {"id": batch, "now": context.now()})

    with closing(Client(sandbox.api_key, sandbox.url, deadline_s=15.0)) as client:
        client.send([f"0935{number:07d}" for number in range(200)], "x", sender=SENDER, localids=ids(engine, campaign))
        late = replace(context, gateway=Late(client, context, asked_meanwhile))
        assert submit.send_batch(late, batch) is Outcome.FENCED

    assert states(engine, campaign) == {"pending": 200}
    with engine.connect() as connection:
        found = connection.execute(text("SELECT state, trouble FROM sms.batches")).one()
    assert (found.state, found.trouble) == ("ready", None)
