"""A tick reads as much with a hundred thousand batches behind it as with a thousand: EXPLAIN says so."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from kavenegar_campaigns.context import Policy
from kavenegar_campaigns.rules.pace import PaceView
from kavenegar_campaigns.stages.dispatch import _apply_deadlines_and_recall_pace, _save_pace_and_enqueue
from kavenegar_campaigns.store import due
from kavenegar_campaigns.store.installation import RememberedPace
from tests.store.emptying import empty
from tests.store.given import AT_ONCE, NOW, running
from tests.world import ACCOUNT

FEW, MANY = 1_000, 100_000
OPEN = NOW + timedelta(hours=48)
LATER = NOW + timedelta(minutes=1)
NEWS = RememberedPace(rate=5.0, refused=None, at=NOW)
VIEW = PaceView(
    at=NOW,
    rate=5.0,
    max_rate=20.0,
    fixed=False,
    learnt=None,
    queue_s=0.0,
    paused_until=None,
    code=None,
    refusals=0,
    pauses=0,
    lanes={},
)

_CLOSED = text("""
    INSERT INTO sms.batches (campaign_id, first_id, last_id, state, due_at, pending, delivered, first_sent_at,
                             accepted_at, closes_at)
    SELECT :campaign, n * 200, n * 200 + 199, 'closed', :now, 0, 200, :now, :now, :now
      FROM generate_series(CAST(:first AS bigint), :last) AS n
""")
_ASKED = text("""
    INSERT INTO sms.batches (campaign_id, first_id, last_id, state, due_at, pending, accepted, first_sent_at,
                             accepted_at, closes_at, poll_at)
    SELECT :campaign, 10^9 + n * 200, 10^9 + n * 200 + 199, 'accepted', :now, 0, 200, :now, :now,
           :closes, :due
      FROM generate_series(CAST(:first AS bigint), :last) AS n
""")
_WAITING = text("""
    INSERT INTO sms.batches (campaign_id, first_id, last_id, state, due_at, pending)
    SELECT :campaign, :campaign * 10^9 + n * 200, :campaign * 10^9 + n * 200 + 199, 'ready', :now, 200
      FROM generate_series(CAST(:first AS bigint), :last) AS n
""")
_MESSAGES = text("""
    INSERT INTO sms.messages (id, campaign_id, row_no, parts, number, state, gateway_id)
    SELECT n, :campaign, n, 1, '09120000000', 'delivered', n FROM generate_series(1, 100000) AS n
""")


@dataclass(frozen=True)
class Cost:
    """What a tick's statements read: pages in all, and which tables were read from end to end."""

    pages: dict[str, int]
    scanned: set[str]

    @property
    def total(self) -> int:
        return sum(self.pages.values())


def statements_of_a_tick(engine: Engine, view: PaceView) -> list[tuple[str, Any]]:
    """Every statement that a tick executes, with its parameters; nothing of it is kept."""
    seen: list[tuple[str, Any]] = []

    def note(_conn: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        with engine.connect() as connection, connection.begin() as transaction:
            _apply_deadlines_and_recall_pace(connection, "account", now=LATER, policy=Policy(unknown_grace=AT_ONCE))
            _save_pace_and_enqueue(connection, "account", NEWS, now=LATER, account=ACCOUNT, policy=Policy(), view=view)
            transaction.rollback()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return seen


def cost_of_a_tick(engine: Engine, *, rate: float = 5.0) -> Cost:
    pages: dict[str, int] = {}
    scanned: set[str] = set()
    with engine.connect() as connection, connection.begin() as transaction:
        for statement, parameters in statements_of_a_tick(engine, replace(VIEW, rate=rate)):
            explained = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters)
            found = explained.scalar_one()
            plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
            pages[" ".join(statement.split())[:100]] = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
            scanned |= {node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"}
        transaction.rollback()
    return Cost(pages, scanned)


def nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


def _analysed(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE sms.batches, sms.messages, sms.campaigns"))


def _over(engine: Engine) -> int:
    """A campaign that is over, to hang old batches on."""
    campaign = running(engine, 1)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM sms.batches"))
        connection.execute(text("UPDATE sms.campaigns SET state = 'finished', finished_at = :now"), {"now": NOW})
        connection.execute(_MESSAGES, {"campaign": campaign})
    return campaign


def _insert(engine: Engine, statement: Any, campaign: int, first: int, last: int, **times: datetime) -> None:
    with engine.begin() as connection:
        connection.execute(statement, {"campaign": campaign, "first": first, "last": last, "now": NOW, **times})


@pytest.fixture(scope="module")
def costs(shared: Engine) -> dict[int, Cost]:
    """What a busy tick costs with few and with many batches that are over, or wait for their next poll."""
    empty(shared)
    over = _over(shared)
    live = [running(shared, 10_000) for _ in range(3)]
    found = {}
    for before, count in [(0, FEW), (FEW, MANY)]:
        _insert(shared, _CLOSED, over, before + 1, count)
        _insert(shared, _ASKED, live[0], before // 5 + 1, count // 5, due=NOW + timedelta(hours=1), closes=OPEN)
        _analysed(shared)
        found[count] = cost_of_a_tick(shared)
    return found


def test_a_tick_looks_at_every_kind_of_work_in_a_few_statements(costs: dict[int, Cost]) -> None:
    assert 10 <= len(costs[MANY].pages) <= 26


def test_no_question_of_the_tick_reads_all_batches_or_all_messages(costs: dict[int, Cost]) -> None:
    assert costs[MANY].scanned & {"batches", "messages"} == set()


def test_a_tick_costs_the_same_whatever_lies_behind_it(costs: dict[int, Cost]) -> None:
    assert costs[MANY].total <= 1.5 * costs[FEW].total + 50, costs[MANY].pages


def test_a_tick_costs_the_same_however_many_polls_are_overdue(shared: Engine, costs: dict[int, Cost]) -> None:
    """After a day without the gateway, every accepted batch is due: each tick must not read them all."""
    campaign = running(shared, 1)
    found = []
    for first, last in [(1_000_001, 1_000_000 + FEW), (1_000_001 + FEW, 1_020_000)]:
        _insert(shared, _ASKED, campaign, first, last, due=NOW, closes=OPEN)
        _analysed(shared)
        found.append(cost_of_a_tick(shared))
    assert found[1].total <= 1.5 * found[0].total + 50, found[1].pages


@pytest.mark.parametrize("poll_at", [NOW, NOW + timedelta(minutes=10)], ids=["overdue", "waiting for the end"])
def test_a_tick_costs_the_same_however_many_windows_are_about_to_close(
    shared: Engine, costs: dict[int, Cost], poll_at: datetime
) -> None:
    campaign = running(shared, 1)
    block = 2_000_000 if poll_at == NOW else 3_000_000
    found = []
    for first, last in [(block + 1, block + FEW), (block + 1 + FEW, block + 20_000)]:
        _insert(shared, _ASKED, campaign, first, last, due=poll_at, closes=NOW + timedelta(minutes=10))
        _analysed(shared)
        found.append(cost_of_a_tick(shared))
    assert found[1].total <= 1.5 * found[0].total + 50, found[1].pages
    assert found[1].scanned & {"batches", "messages"} == set()


def test_a_tick_costs_the_same_whether_twenty_campaigns_have_few_batches_or_many(engine: Engine) -> None:
    """Twenty-five rings of one of them are on their way, and there is room for as many again."""
    campaigns = [running(engine, 1) for _ in range(20)]
    found = []
    for first, last in [(1, 50), (51, 2_000)]:
        for campaign in campaigns:
            _insert(engine, _WAITING, campaign, first, last)
        with engine.begin() as connection:
            due.enqueue_ready(connection, now=LATER, since=LATER, room=25)
        _analysed(engine)
        found.append(cost_of_a_tick(engine, rate=10.0))
    assert found[1].total <= 1.5 * found[0].total + 50, found[1].pages
    assert found[1].scanned & {"batches", "messages"} == set()
