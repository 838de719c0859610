"""What a test of the store takes for granted: campaigns cut into batches, claims, and facts about their messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Engine, text

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.rules.states import BatchState, MessageState
from kavenegar_campaigns.stages import plan
from kavenegar_campaigns.store import batches
from kavenegar_campaigns.store.records import Claim, Fact
from tests.world import ACCOUNT

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
LEASE = timedelta(seconds=120)
WINDOW = timedelta(hours=48)
AT_ONCE = timedelta(0)
FIRST_POLL = timedelta(minutes=5)
PRICE = 120


def draft(connection: Connection, count: int, **options: Any) -> int:
    """A campaign of `count` recipients that was never started."""
    numbers = [f"0912{number:07d}" for number in range(1, count + 1)]
    return campaigns.create(connection, **{"recipients": numbers, "text": "سلام", "sender": "10004346", **options})


def running(engine: Engine, count: int, *, now: datetime = NOW) -> int:
    """A campaign that runs since `now`, and its batches with it."""
    with engine.begin() as connection:
        campaign = draft(connection, count)
        plan.start(connection, campaign, now=now)
    return campaign


def batch_ids(engine: Engine, campaign_id: int) -> list[int]:
    """The batches of a campaign, in order."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT id FROM sms.batches WHERE campaign_id = :id AND state <> 'split' ORDER BY first_id"),
            {"id": campaign_id},
        )
        return [row.id for row in rows]


def claim(connection: Connection, batch_id: int, *, now: datetime = NOW) -> Claim | None:
    """The batch, claimed for sending by a new call."""
    return batches.claim_ready(connection, batch_id, account=ACCOUNT, call_id=uuid4(), now=now, lease=LEASE)


def claim_unknown(connection: Connection, batch_id: int, *, now: datetime = NOW) -> Claim | None:
    """The batch, claimed by a new call that asks about it."""
    return batches.claim_unknown(
        connection,
        batch_id,
        account=ACCOUNT,
        call_id=uuid4(),
        now=now,
        lease=LEASE,
        localid_cutoff=now - timedelta(hours=11),
    )


def claimed(engine: Engine, batch_id: int, *, now: datetime = NOW) -> Claim:
    """The same, committed; it must succeed."""
    with engine.begin() as connection:
        found = claim(connection, batch_id, now=now)
    assert found is not None
    return found


def gateway_id(message_id: int) -> int:
    """The id under which the gateway has a message."""
    return 10**12 + message_id


def facts(message_ids: Sequence[int], state: MessageState = MessageState.ACCEPTED, status: int = 1) -> list[Fact]:
    """What the gateway says of these messages."""
    return [Fact(each, state, gateway_id(each), status, PRICE) for each in message_ids]


def learn(connection: Connection, claim: Claim, found: Sequence[Fact], *, now: datetime = NOW) -> None:
    """Merge facts about a claim as a stage does."""
    batches.record_facts(connection, claim, found, now=now, poll_at=now + FIRST_POLL, closes_at=now + WINDOW)


def accepted(engine: Engine, count: int, *, now: datetime = NOW) -> int:
    """A running campaign whose messages are all with the gateway since `now`."""
    campaign = running(engine, count, now=now)
    for batch_id in batch_ids(engine, campaign):
        claim = claimed(engine, batch_id, now=now)
        with engine.begin() as connection:
            learn(connection, claim, facts([message.id for message in claim.messages]), now=now)
    return campaign


def batch(engine: Engine, batch_id: int) -> dict[str, Any]:
    """A batch's row."""
    with engine.connect() as connection:
        found = connection.execute(text("SELECT * FROM sms.batches WHERE id = :id"), {"id": batch_id})
        return dict(found.mappings().one())


def states(engine: Engine, campaign_id: int) -> dict[str, int]:
    """How many messages of a campaign stand where, counted one by one."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT state, count(*) AS messages FROM sms.messages WHERE campaign_id = :id GROUP BY state"),
            {"id": campaign_id},
        )
        return {row.state: row.messages for row in rows}


def lies(connection: Connection) -> list[int]:
    """The batches whose counters say something else than their messages."""
    recount = " OR ".join(
        f"batch.{state} <> count(message.id) FILTER (WHERE message.state = '{state}')" for state in MessageState
    )
    rows = connection.execute(
        text(f"""
            SELECT batch.id FROM sms.batches AS batch
              LEFT JOIN sms.messages AS message ON message.id BETWEEN batch.first_id AND batch.last_id
             WHERE batch.state <> '{BatchState.SPLIT}'
          GROUP BY batch.id HAVING {recount}
        """)
    )
    return [row.id for row in rows]


# Notes every move of a batch or a message in the transaction's own table `moves`.
MOVES_SEEN = """
    CREATE TEMP TABLE moves (table_name text, was text, became text);
    CREATE OR REPLACE FUNCTION pg_temp.note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF old.state <> new.state THEN INSERT INTO moves VALUES (TG_TABLE_NAME, old.state, new.state); END IF;
        RETURN new;
    END $$;
    CREATE TRIGGER note AFTER UPDATE ON sms.batches FOR EACH ROW EXECUTE FUNCTION pg_temp.note();
    CREATE TRIGGER note AFTER UPDATE ON sms.messages FOR EACH ROW EXECUTE FUNCTION pg_temp.note();
"""
