"""A campaign that is half sent when tables and columns get other names goes on to its end, and nobody gets two.

The database at the old names is one of today that was taken back: the renames are all that lies between.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import requests
from alembic import command
from sqlalchemy import Engine, text

import campaigns_devkit
import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.errors import NotReady
from kavenegar_campaigns.rules.states import CampaignState
from kavenegar_campaigns.stages import submit
from kavenegar_campaigns.stages.submit import Outcome
from kavenegar_campaigns.store import due, inbound, lines, lookups, otps, polls
from kavenegar_campaigns.store.inbound import Arrival, InboundPolicy, Via
from kavenegar_campaigns.store.migrate import configuration, is_behind, upgrade
from kavenegar_campaigns.store.records import Claim, Fact
from tests.conftest import _create, _drop
from tests.stages.inboxes import line_added
from tests.stages.otp_requests import otp_request
from tests.store.given import lies
from tests.store.test_migrate import CATALOG
from tests.store.upgrades import old_names
from tests.store.upgrades.conftest import OldDatabase, reading
from tests.store.upgrades.old_workers import OldWorkers
from tests.waiting import until
from tests.world import SENDER, Sandbox, batch_ids, claimed, run_due_work, running, states

BATCHES = 7
RECIPIENTS = 200 * BATCHES
MINUTE = timedelta(minutes=1)
_numbers = itertools.count()


@pytest.fixture
def engine(servers: campaigns_devkit.Attached, _template: str) -> Iterator[Engine]:
    """A database of its own: a test that fails half-way leaves it at the old names."""
    found = _create(servers, f"renamed_{next(_numbers)}", _template)
    yield found
    _drop(servers, found)


def take_back(engine: Engine) -> None:
    """Give tables and columns their old names."""
    with engine.connect() as connection:
        command.downgrade(configuration(connection), old_names.BEFORE)


def columns(engine: Engine) -> dict[str, set[str]]:
    """The columns of each table."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'sms'")
        ).all()
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row.table_name, set()).add(row.column_name)
    return found


def content(engine: Engine) -> dict[str, list[str]]:
    """Every row of every table, as the transaction that wrote it left it; without the names of its columns."""
    with engine.connect() as connection:
        names = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'sms'")).scalars().all()
        return {
            old_names.TABLES.get(name, name): sorted(
                connection.execute(text(f"SELECT xmin::text || ' ' || t::text FROM sms.{name} AS t")).scalars()
            )
            for name in names
            if name != "alembic_version"
        }


def request_leaves(sandbox: Sandbox, claim: Claim) -> None:
    """The request of a claim reaches the gateway; whoever sent it dies before the answer comes."""
    fields = {
        "receptor": ",".join(message.number for message in claim.messages),
        "localid": ",".join(str(message.id) for message in claim.messages),
        "sender": claim.sender,
        "message": claim.messages[0].text,
    }
    url = f"{sandbox.url}/v1/{sandbox.api_key}/sms/send.json"
    requests.post(url, data=fields, timeout=60).raise_for_status()


def half_sent(context: Context, engine: Engine, sandbox: Sandbox) -> int:
    """A campaign of which each batch stands elsewhere on its way, and nobody is at work any more."""
    campaign = running(engine, RECIPIENTS)
    first, second, third, fourth, fifth, *_ = batch_ids(engine, campaign)
    assert submit.send_batch(context, first) is Outcome.ACCEPTED
    sandbox.advance(minutes=6)
    assert context.database(polls.claim, now=context.now(), lease=MINUTE), "a poll that nobody comes back from"
    assert submit.send_batch(context, second) is Outcome.ACCEPTED
    sandbox.arm("accept_then_drop", "sms/send", count=1)
    assert submit.send_batch(context, third) is Outcome.UNKNOWN
    request_leaves(sandbox, claimed(context, fourth))
    claimed(context, fifth)
    before = context.now() - timedelta(seconds=10)
    assert len(context.database(due.enqueue_ready, now=context.now(), since=before, room=1)) == 1
    return campaign


def listening(context: Context) -> int:
    """Make an inbound message that was delivered once and not acknowledged, a line to reconcile, an id that callbacks
    may name, and a one-time password that was refused. Returns the password's id.
    """
    now = context.now()
    arrived = Arrival(7, "09123334400", "سلام", now)
    context.database(inbound.store_new, SENDER, [arrived], via=Via.RECEIVE, watch=InboundPolicy(deliver=True), now=now)
    assert [message.delivery_attempts for message in context.database(inbound.claim_due, now=now, most=10)] == [1]
    line_added(context)
    pull = context.database(
        lines.claim, SENDER, owner=uuid4(), now=context.now(), lease=MINUTE, unknown_grace=timedelta(0)
    )
    assert pull is not None, "nobody comes back from it"
    context.database(
        lookups.expect_callbacks, [Fact(1, campaigns.MessageState.ACCEPTED, 99)], closes_at=now + timedelta(hours=48)
    )
    otp_id, _ = context.database(otps.create, otp_request(), now=now)
    claim = context.database(otps.claim, otp_id, owner=uuid4(), now=now, lease=MINUTE)
    assert claim is not None
    assert context.database(otps.refuse, claim, code=424, now=now)
    return otp_id


def test_a_half_sent_campaign_ends_after_the_names_have_changed_and_nobody_gets_two(
    context: Context, engine: Engine, sandbox: Sandbox
) -> None:
    sandbox.turn(dedupe=False)  # whatever is sent twice is sent twice
    campaign = half_sent(context, engine, sandbox)
    otp_id = listening(context)
    before = content(engine)

    take_back(engine)
    with engine.connect() as connection:
        assert is_behind(connection), "workers of this version wait"
    at_old_names = columns(engine)
    assert upgrade(engine)

    for old, new in old_names.TABLES.items():
        assert (old in at_old_names, new in at_old_names) == (True, False)
    for table, names in old_names.COLUMNS.items():
        assert set(names) <= at_old_names[table]
        assert not set(names.values()) & at_old_names[table]
        assert set(names.values()) <= columns(engine)[table]
    assert content(engine) == before, "no row was written"
    with engine.connect() as connection:
        assert lines.read(connection, SENDER).needs_reconcile_since is not None

    _until_finished(context, engine, sandbox, campaign)
    found, sent = states(engine, campaign), sandbox.summary()
    assert sum(found.values()) == RECIPIENTS
    assert set(found) <= {"delivered", "undelivered", "failed", "blocked"}
    assert (sent["messages"], sent["localids_sent_twice"]) == (RECIPIENTS, 0)
    assert sent["requests"]["sms/send"] == BATCHES
    with engine.connect() as connection:
        assert lies(connection) == []
        assert otps.read(connection, otp_id).refused_code == 424
    again = context.database(inbound.claim_due, now=context.now(), most=10)
    assert [(message.id, message.delivery_attempts) for message in again] == [(7, 2)]
    assert context.database(inbound.acknowledge, 7, now=context.now())
    assert context.database(inbound.count_unacknowledged) == (0, 0)


def _until_finished(context: Context, engine: Engine, sandbox: Sandbox, campaign_id: int) -> None:
    for _ in range(40):
        run_due_work(context)
        with engine.connect() as connection:
            if campaigns.get(connection, campaign_id).state is CampaignState.FINISHED:
                return
        sandbox.advance(minutes=6)
    raise AssertionError("the campaign did not finish")


def _catalog(engine: Engine) -> set[tuple[Any, ...]]:
    with engine.connect() as connection:
        return {tuple(row) for row in connection.execute(CATALOG)}


def test_the_way_back_leads_exactly_to_the_old_names(old: Callable[[str], OldDatabase]) -> None:
    database = old(old_names.BEFORE)
    before = _catalog(database.engine)
    upgrade(database.engine)
    assert _catalog(database.engine) != before
    take_back(database.engine)
    assert database.stands_at() == old_names.BEFORE
    assert _catalog(database.engine) == before


def test_renames_give_way_to_whoever_reads_and_the_next_upgrade_goes_on(old: Callable[[str], OldDatabase]) -> None:
    database = old(old_names.BEFORE)
    with reading(database.url) as reader:
        gave_way = r"revision 0006_1 gave way for 1 s and is not done: sms\.batches is in use by"
        with pytest.raises(NotReady, match=gave_way) as raised:
            upgrade(database.engine, patience_s=1.0)
        assert f"pid {reader.pid} " in str(raised.value)
        assert database.stands_at() == old_names.BEFORE
        reader.leave()
        assert upgrade(database.engine)
    assert database.is_current()


def test_workers_of_the_version_before_that_still_run_claim_nothing_any_more_and_leave_nothing_half_done(
    old: Callable[[str], OldDatabase],
) -> None:
    database = old(old_names.BEFORE)
    with OldWorkers(database.url, database.batches) as workers:
        assert workers.errors == []
        assert upgrade(database.engine)
        begun = _attempts_begun(database.engine)
        until(lambda: len(workers.errors) > 10, "old workers that find the new names")
    assert all("UndefinedColumn" in error for error in workers.errors), workers.errors
    assert _attempts_begun(database.engine) == begun
    assert database.is_current()
    with database.engine.connect() as connection:
        assert lies(connection) == []


def _attempts_begun(engine: Engine) -> int:
    with engine.connect() as connection:
        begun = text("SELECT count(*) FROM sms.attempts WHERE event = 'began'")
        return int(connection.execute(begun).scalar_one())
