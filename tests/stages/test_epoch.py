"""Another database used our ids on the same account: found out, stopped, and mended without a double or a loss."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.rules.batches import EPOCH_SHIFT
from kavenegar_campaigns.rules.states import CampaignState
from kavenegar_campaigns.stages import plan, submit
from kavenegar_campaigns.stages.submit import Outcome
from kavenegar_campaigns.store import epochs
from tests.world import Sandbox, batch_ids, counters, run_due_work, running, states

pytestmark = pytest.mark.usefixtures("slow_operators")


def _restored(engine: Engine, context: Context, sent_since: int) -> None:
    """The database is the backup of before the last campaign, whose `sent_since` messages the gateway remembers."""
    running(engine, sent_since, text="سلام از همان شماره‌ها")
    run_due_work(context)
    with engine.begin() as connection:
        for table in ("attempts", "batches", "messages", "campaigns"):
            connection.execute(text(f"DELETE FROM sms.{table}"))
        connection.execute(text("ALTER SEQUENCE sms.message_id_blocks RESTART"))


def _mend(context: Context) -> int:
    epoch = context.database(epochs.renew_epoch, now=context.now())
    while context.database(epochs.reissue_ids):
        pass
    return epoch


def test_a_message_that_is_not_ours_stops_the_campaign_and_is_not_taken_for_ours(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    _restored(engine, context, 200)
    campaign = running(engine, 400)

    assert submit.send_batch(context, batch_ids(engine, campaign)[0]) is Outcome.COLLIDED

    assert states(engine, campaign) == {"uncertain": 200, "pending": 200}
    with engine.connect() as connection:
        held = campaigns.get(connection, campaign)
    assert held.state is CampaignState.PAUSED
    assert "epoch renew" in str(held.hold_reason)
    sandbox.advance(hours=1)
    run_due_work(context)
    assert sandbox.summary()["requests"].get("sms/statuslocalmessageid") is None


@pytest.mark.parametrize("remembered", [200, 150, 1, 250])
def test_after_a_new_epoch_everybody_gets_exactly_one_message(
    context: Context, engine: Engine, sandbox: Sandbox, remembered: int
) -> None:
    _restored(engine, context, remembered)
    campaign = running(engine, 400, text="پیام تازه برای {name}")
    for batch in batch_ids(engine, campaign):
        submit.send_batch(context, batch)

    epoch = _mend(context)
    with engine.begin() as connection:
        campaigns.resume(connection, campaign)
    run_due_work(context)

    assert states(engine, campaign) == {"accepted": 400}
    assert sandbox.summary()["messages"] == remembered + 400
    assert sandbox.summary()["localids_sent_twice"] == 0
    with engine.connect() as connection:
        assert counters(connection, campaign) == {"accepted": 400}
        ids = connection.execute(text("SELECT id >> :shift FROM sms.messages"), {"shift": EPOCH_SHIFT}).scalars()
        assert epoch in set(ids)
        spans = connection.execute(
            text("""
                SELECT count(*) FROM sms.campaigns, unnest(message_ids) AS span
                  JOIN sms.messages AS message ON message.id >= lower(span) AND message.id < upper(span)
            """)
        ).scalar_one()
    assert spans == 400


def test_a_draft_that_was_loaded_before_moves_to_the_new_epoch(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=["09121234567"], text="سلام", sender="10004346")
    epoch = _mend(context)

    with engine.begin() as connection:
        plan.start(connection, campaign, now=context.now())

    with engine.connect() as connection:
        (found,) = connection.execute(text("SELECT id >> :shift FROM sms.messages"), {"shift": EPOCH_SHIFT}).scalars()
    assert found == epoch
    run_due_work(context)
    assert states(engine, campaign) == {"accepted": 1}
