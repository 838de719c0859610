"""A true record verifies; each kind of lie in it is found, by the check that is there to find it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import Engine, text

import campaigns_devkit
import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context, Policy
from kavenegar_campaigns.errors import NotFound
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.kavenegar.paced_client import PacedClient
from kavenegar_campaigns.kavenegar.redis_client import connect_redis
from kavenegar_campaigns.stages import submit
from kavenegar_campaigns.stages.verify import Verified, verify_campaign
from kavenegar_campaigns.store.database import Database
from tests.conftest import _create
from tests.world import Sandbox, batch_ids, numbers, run_due_work, running


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


def wrong(verified: Verified) -> list[str]:
    return [check.name for check in verified.checks if check.holds is False]


@pytest.fixture
def over(context: Context, engine: Engine, sandbox: Sandbox) -> int:
    """A campaign of 450 that is finished, a few minutes ago."""
    return _finished(context, sandbox)


def _finished(context: Context, sandbox: Sandbox) -> int:
    sandbox.turn(fates={"delivered": 6, "undelivered": 2, "failed": 1, "blocked": 1})
    campaign = running(context.database.engine, 450)
    run_due_work(context)
    sandbox.advance(minutes=6)
    run_due_work(context)
    run_due_work(context)
    return campaign


@dataclass(frozen=True)
class Record:
    """A finished campaign, its true record, and the gateway that remembers it."""

    context: Context
    campaign: int

    @contextmanager
    def untrue(self, lie: str) -> Iterator[None]:
        """The record with a lie in it; afterwards it is true again."""
        with self.context.database.engine.begin() as connection:
            for table in ("messages", "batches"):
                connection.execute(text(f"CREATE TABLE true_{table} AS TABLE sms.{table}"))
            assert connection.execute(text(lie)).rowcount
        yield
        with self.context.database.engine.begin() as connection:
            for table in ("messages", "batches"):
                connection.execute(text(f"TRUNCATE sms.{table}"))
                connection.execute(text(f"INSERT INTO sms.{table} OVERRIDING SYSTEM VALUE TABLE true_{table}"))
                connection.execute(text(f"DROP TABLE true_{table}"))


@pytest.fixture(scope="module")
def record(servers: campaigns_devkit.Attached, _template: str) -> Iterator[Record]:
    """One record for all lies: it costs more than telling them."""
    engine = _create(servers, "lies", _template)
    throttle = Throttle(connect_redis(str(servers.broker_url)), account="lies", start_rate=500.0, max_rate=500.0)
    database = Database(engine)
    with Sandbox.start() as sandbox:
        client = Client(sandbox.api_key, sandbox.url)
        sandbox.turn(ip_registered=True)
        select_allowed = Policy(select_allowed=True)
        context = Context(
            database, PacedClient(client, throttle), throttle, lambda: database.now() + sandbox.ahead, select_allowed
        )
        yield Record(context, _finished(context, sandbox))
        client.close()
    engine.dispose()


def test_a_true_record_verifies_and_everything_was_checked(context: Context, over: int) -> None:
    verified = verify_campaign(context, over)
    assert verified.true, verified
    assert verified.checked
    assert [check.name for check in verified.checks if check.holds is None] == ["prices at the gateway"]
    assert all(check.says for check in verified.checks)


def test_a_campaign_with_every_kind_of_ending_verifies(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    """Suppressed, refused and withdrawn messages beside those that left."""
    sandbox.turn(bad_receptors=numbers(1), fates={"delivered": 1, "stuck": 1})
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO sms.suppressions (number, reason, source) VALUES (:number, 'opt-out', 'test')"),
            {"number": numbers(300)[299]},
        )
    campaign = running(engine, 300)
    for _ in range(12):
        run_due_work(context)
    sandbox.advance(minutes=6)
    run_due_work(context)
    assert verify_campaign(context, campaign).true


# What is made untrue, and the check that finds it.
LIES: dict[str, tuple[str, str]] = {
    "a gateway id that is not theirs": (
        "UPDATE sms.messages SET gateway_id = gateway_id + 1 WHERE id = (SELECT min(id) FROM sms.messages)",
        "ids at the gateway",
    ),
    "two messages that swapped their gateway ids": (
        """
        UPDATE sms.messages AS message SET gateway_id = other.gateway_id FROM sms.messages AS other
         WHERE message.id IN (SELECT id FROM sms.messages ORDER BY id LIMIT 2)
           AND other.id IN (SELECT id FROM sms.messages ORDER BY id LIMIT 2) AND other.id <> message.id
        """,
        "ids at the gateway",
    ),
    "a delivery that was none": (
        """
        UPDATE sms.messages SET state = 'delivered'
         WHERE id = (SELECT min(id) FROM sms.messages WHERE state = 'failed')
        """,
        "verdicts at the gateway",
    ),
    "a failure that was none": (
        """
        UPDATE sms.messages SET state = 'failed'
         WHERE id = (SELECT min(id) FROM sms.messages WHERE state = 'delivered')
        """,
        "verdicts at the gateway",
    ),
    "a message that was sent and is not said to be": (
        """
        UPDATE sms.messages SET state = 'cancelled', gateway_id = NULL, status = NULL
         WHERE id = (SELECT min(id) FROM sms.messages)
        """,
        "ids at the gateway",
    ),
    "a counter": (
        "UPDATE sms.batches SET delivered = delivered - 1, failed = failed + 1 WHERE delivered > 1",
        "counters",
    ),
    "counters of two batches that make up for each other": (
        """
        UPDATE sms.batches AS batch SET delivered = delivered + step.by, failed = failed - step.by
          FROM (SELECT id, CASE row_number() OVER (ORDER BY id) WHEN 1 THEN 1 ELSE -1 END AS by
                  FROM sms.batches WHERE failed > 1 ORDER BY id LIMIT 2) AS step
         WHERE step.id = batch.id
        """,
        "counters",
    ),
    "a message that is gone": ("DELETE FROM sms.messages WHERE id = (SELECT min(id) FROM sms.messages)", "rows"),
    "one gateway id for two messages of different states": (
        """
        UPDATE sms.messages SET gateway_id = (SELECT min(gateway_id) FROM sms.messages WHERE state = 'delivered')
         WHERE id = (SELECT min(id) FROM sms.messages WHERE state = 'failed')
        """,
        "gateway ids",
    ),
    "a message that went to another number": (
        "UPDATE sms.messages SET number = '09700000001' WHERE id = (SELECT min(id) FROM sms.messages)",
        "recipients at the gateway",
    ),
    "another text": (
        "UPDATE sms.messages SET text = 'سلام دیگر' WHERE id = (SELECT min(id) FROM sms.messages)",
        "recipients at the gateway",
    ),
    "another price": (
        "UPDATE sms.messages SET cost_rial = cost_rial + 1 WHERE id = (SELECT min(id) FROM sms.messages)",
        "prices at the gateway",
    ),
    "two prices that make up for each other": (
        """
        UPDATE sms.messages AS message SET cost_rial = cost_rial + step.by
          FROM (SELECT id, CASE row_number() OVER (ORDER BY id) WHEN 1 THEN 1 ELSE -1 END AS by
                  FROM sms.messages ORDER BY id LIMIT 2) AS step
         WHERE step.id = message.id
        """,
        "prices at the gateway",
    ),
    "an end before everybody has a verdict": (
        """
        WITH back AS (UPDATE sms.messages SET state = 'accepted' WHERE state = 'blocked' RETURNING id)
        UPDATE sms.batches AS batch SET state = 'accepted', poll_at = closes_at, accepted = blocked, blocked = 0
         WHERE blocked > 0
        """,
        "verdicts",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_every_lie_is_found(record: Record, lie: str) -> None:
    statement, check = LIES[lie]
    assert verify_campaign(record.context, record.campaign).true
    with record.untrue(statement):
        verified = verify_campaign(record.context, record.campaign)
    assert not verified.true
    assert check in wrong(verified)


def test_a_gateway_id_that_the_gateway_does_not_know_is_found_after_the_twelve_hours_too(
    context: Context, engine: Engine, sandbox: Sandbox, over: int
) -> None:
    """Our own ids are forgotten by then; the gateway's ids are not, for two days."""
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE sms.messages SET gateway_id = gateway_id + 1 WHERE id = (SELECT min(id) FROM sms.messages)")
        )
    sandbox.advance(hours=13)
    assert wrong(verify_campaign(context, over)) == ["verdicts at the gateway", "recipients at the gateway"]


def test_what_the_gateway_no_longer_tells_is_said_to_be_unchecked(
    context: Context, engine: Engine, sandbox: Sandbox, over: int
) -> None:
    sandbox.advance(hours=80)
    verified = verify_campaign(context, over)
    assert verified.true
    unchecked = {check.name for check in verified.checks if check.holds is None}
    assert {"ids at the gateway", "verdicts at the gateway"} <= unchecked
    assert not verified.checked


def test_where_whole_messages_may_not_be_read_numbers_and_the_sum_of_prices_are_checked(
    context: Context, engine: Engine, over: int
) -> None:
    """One number is one request, so only some are asked about: the first is among them."""
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE sms.messages SET number = '09700000001' WHERE id = (SELECT min(id) FROM sms.messages)")
        )
        connection.execute(
            text("UPDATE sms.messages SET cost_rial = cost_rial + 1 WHERE id = (SELECT max(id) FROM sms.messages)")
        )
    assert wrong(verify_campaign(context, over)) == ["recipients at the gateway", "cost at the gateway"]


def test_an_address_that_may_not_read_whole_messages_after_all_is_told(
    context: Context, engine: Engine, over: int
) -> None:
    allowed = replace(context, policy=replace(context.policy, select_allowed=True))
    verified = verify_campaign(allowed, over)
    assert verified.true
    assert [check.name for check in verified.checks if check.missed] == ["prices at the gateway"]


def test_an_uncertain_message_has_no_verdict(context: Context, engine: Engine, over: int) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE sms.messages SET state = 'uncertain', gateway_id = NULL WHERE id IN "
                 "(SELECT id FROM sms.messages WHERE state = 'delivered' ORDER BY id DESC LIMIT 3)")
        )  # fmt: skip
    (found,) = (check for check in verify_campaign(context, over).checks if check.name == "verdicts")
    assert (found.holds, found.missed) == (None, True)
    assert found.says == "447 of 450 messages have their verdict; 3 are uncertain: nobody knows whether they were sent"


def test_a_gateway_that_does_not_answer_leaves_its_part_unchecked(
    context: Context, engine: Engine, sandbox: Sandbox, over: int
) -> None:
    sandbox.turn(account_code=403)
    verified = verify_campaign(context, over)
    assert verified.true
    assert not verified.checked
    assert [check.name for check in verified.checks if check.holds is None] == ["gateway"]


def test_a_draft_verifies_and_nothing_is_asked(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=numbers(3), text="سلام", sender="10004346")
    assert verify_campaign(context, campaign).true
    assert sandbox.summary()["requests"] == {}


def test_a_draft_that_was_cancelled_verifies(context: Context, engine: Engine) -> None:
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=numbers(3), text="سلام", sender="10004346")
        campaigns.cancel(connection, campaign)
    run_due_work(context)
    assert wrong(verify_campaign(context, campaign)) == []


def test_a_campaign_under_way_is_no_lie(context: Context, engine: Engine, sandbox: Sandbox) -> None:
    """One batch accepted, one without an answer although the gateway has it, one still to leave."""
    campaign = running(engine, 600)
    first, second, _ = batch_ids(engine, campaign)
    submit.send_batch(context, first)
    sandbox.arm("accept_then_drop", "sms/send", count=1)
    submit.send_batch(context, second)
    assert wrong(verify_campaign(context, campaign)) == []


def test_a_message_that_the_gateway_sends_again_by_itself_is_no_lie(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(delivery_s=[300, 300], fates={"resent": 1.0})
    campaign = running(engine, 3)
    run_due_work(context)
    sandbox.advance(minutes=6)
    run_due_work(context)
    for _ in range(4):
        assert wrong(verify_campaign(context, campaign)) == []
        sandbox.advance(minutes=5)


def test_only_a_sample_of_a_large_campaign_is_asked_about(
    context: Context, engine: Engine, sandbox: Sandbox, over: int
) -> None:
    before = sandbox.summary()["requests"]
    assert verify_campaign(context, over, sample=50).true
    after = sandbox.summary()["requests"]
    assert after["sms/statuslocalmessageid"] - before.get("sms/statuslocalmessageid", 0) == 1
    assert after["sms/status"] - before["sms/status"] == 1


def test_there_is_nothing_to_verify_where_there_is_no_campaign(context: Context, engine: Engine) -> None:
    with pytest.raises(NotFound):
        verify_campaign(context, 4711)
