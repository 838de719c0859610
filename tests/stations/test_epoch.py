"""Another database used our ids on the same account: found out, stopped, and mended without a double or a loss."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

import campaigns
from campaigns import plan, submit
from campaigns.house import House
from campaigns.rules.splitting import EPOCH_SHIFT
from campaigns.rules.states import CampaignState
from campaigns.store import epochs
from campaigns.submit import Outcome
from tests.world import Sandbox, answer_bells, batch_ids, counters, running, states


@pytest.fixture(autouse=True)
def _slow_operators(sandbox: Sandbox) -> None:
    sandbox.turn(delivery_s=[86_400, 90_000])


def _restored(engine: Engine, house: House, sent_since: int) -> None:
    """The database is the backup of before the last campaign, whose `sent_since` messages the gateway remembers."""
    running(engine, sent_since, text="سلام از همان شماره‌ها")
    answer_bells(house)
    with engine.begin() as connection:
        for table in ("attempts", "batches", "messages", "campaigns"):
            connection.execute(text(f"DELETE FROM sms.{table}"))
        connection.execute(text("ALTER SEQUENCE sms.message_id_blocks RESTART"))


def _mend(house: House) -> int:
    epoch = house.database(epochs.renew, now=house.now())
    while house.database(epochs.reissue):
        pass
    return epoch


def test_a_message_that_is_not_ours_stops_the_campaign_and_is_not_taken_for_ours(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    _restored(engine, house, 200)
    campaign = running(engine, 400)

    assert submit.run(house, batch_ids(engine, campaign)[0]) is Outcome.COLLIDED

    assert states(engine, campaign) == {"uncertain": 200, "pending": 200}
    with engine.connect() as connection:
        held = campaigns.get(connection, campaign)
    assert held.state is CampaignState.PAUSED
    assert "epoch renew" in str(held.hold_reason)
    sandbox.advance(hours=1)
    answer_bells(house)
    assert sandbox.summary()["requests"].get("sms/statuslocalmessageid") is None


@pytest.mark.parametrize("remembered", [200, 150, 1, 250])
def test_after_a_new_epoch_everybody_gets_exactly_one_message(
    house: House, engine: Engine, sandbox: Sandbox, remembered: int
) -> None:
    _restored(engine, house, remembered)
    campaign = running(engine, 400, text="پیام تازه برای {name}")
    for batch in batch_ids(engine, campaign):
        submit.run(house, batch)

    epoch = _mend(house)
    with engine.begin() as connection:
        campaigns.resume(connection, campaign)
    answer_bells(house)

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


def test_a_draft_that_was_loaded_before_moves_to_the_new_epoch(house: House, engine: Engine, sandbox: Sandbox) -> None:
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=["09121234567"], text="سلام", sender="10004346")
    epoch = _mend(house)

    with engine.begin() as connection:
        plan.start(connection, campaign, now=house.now())

    with engine.connect() as connection:
        (found,) = connection.execute(text("SELECT id >> :shift FROM sms.messages"), {"shift": EPOCH_SHIFT}).scalars()
    assert found == epoch
    answer_bells(house)
    assert states(engine, campaign) == {"accepted": 1}
