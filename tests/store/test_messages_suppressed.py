"""Whoever is suppressed by the time a batch is claimed is not in the claim, and every count stays true."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from kavenegar_campaigns.rules.suppression import SuppressionReason
from kavenegar_campaigns.stages import plan
from kavenegar_campaigns.store import batches, due, suppressions
from kavenegar_campaigns.store.messages import _SUPPRESSED
from kavenegar_campaigns.store.records import Claim
from tests.store.given import (
    AT_ONCE,
    LEASE,
    MOVES_SEEN,
    NOW,
    batch,
    batch_ids,
    claim,
    claim_unknown,
    claimed,
    draft,
    facts,
    learn,
    lies,
    running,
    states,
)
from tests.waiting import PATIENCE_S, until_somebody_waits


def number(place: int) -> str:
    """Of a campaign's recipient at this place; the first is 1."""
    return f"0912{place:07d}"


def suppress(engine: Engine, *places: int) -> None:
    with engine.begin() as connection:
        numbers = [number(place) for place in places]
        suppressions.add(connection, numbers, reason=SuppressionReason.OPTED_OUT, source="a test", now=NOW)


def lift(engine: Engine, *places: int) -> None:
    with engine.begin() as connection:
        suppressions.lift(connection, [number(place) for place in places], now=NOW)


def tried(engine: Engine, batch_id: int) -> Claim | None:
    with engine.begin() as connection:
        return claim(connection, batch_id)


def attempts(engine: Engine) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT batch_id, event, attempt, messages FROM sms.attempts ORDER BY id"))
        return [tuple(row) for row in rows]


def test_who_is_suppressed_between_two_batches_is_not_in_the_second(engine: Engine) -> None:
    campaign = running(engine, 450)
    first, second, third = batch_ids(engine, campaign)
    claimed(engine, first)

    suppress(engine, 1, 201, 202, 400)  # the first of them has left already
    found = claimed(engine, second)

    assert [message.number for message in found.messages] == [number(place) for place in range(203, 400)]
    assert (batch(engine, second)["pending"], batch(engine, second)["suppressed"]) == (197, 3)
    assert attempts(engine) == [(first, "began", 1, 200), (second, "began", 1, 197)]
    assert states(engine, campaign) == {"pending": 447, "suppressed": 3}
    assert len(claimed(engine, third).messages) == 50
    with engine.connect() as connection:
        assert lies(connection) == []


def test_what_was_suppressed_has_the_moment_at_which_it_was(engine: Engine) -> None:
    (only,) = batch_ids(engine, running(engine, 2))
    suppress(engine, 1)
    claimed(engine, only, now=NOW + timedelta(hours=1))
    with engine.connect() as connection:
        settled = connection.execute(text("SELECT state, settled_at FROM sms.messages ORDER BY id")).all()
    assert [tuple(row) for row in settled] == [("suppressed", NOW + timedelta(hours=1)), ("pending", None)]


def test_a_batch_in_which_nobody_is_left_is_over_and_nothing_says_that_it_left(engine: Engine) -> None:
    campaign = running(engine, 3)
    (only,) = batch_ids(engine, campaign)
    suppress(engine, 1, 2, 3)

    assert tried(engine, only) is None

    row = batch(engine, only)
    assert (row["state"], row["suppressed"], row["pending"]) == ("closed", 3, 0)
    assert (row["attempt"], row["first_sent_at"], row["accepted_at"], row["lease_owner"]) == (0, None, None, None)
    assert attempts(engine) == []
    with engine.begin() as connection:
        assert due.finish_campaigns(connection, now=NOW) == [campaign]
        assert lies(connection) == []


def test_whoever_was_lifted_gets_their_message(engine: Engine) -> None:
    suppress(engine, 1, 2)
    lift(engine, 1)
    campaign = running(engine, 3)  # the plan heeds it too
    assert states(engine, campaign) == {"pending": 2, "suppressed": 1}
    lift(engine, 2)
    suppress(engine, 3)
    lift(engine, 3)
    (only,) = batch_ids(engine, campaign)
    assert [message.number for message in claimed(engine, only).messages] == [number(1), number(3)]


@pytest.mark.parametrize("state", ["paused", "cancelled"])
def test_a_batch_that_may_not_leave_is_not_claimed_for_that(engine: Engine, state: str) -> None:
    campaign = running(engine, 3)
    (only,) = batch_ids(engine, campaign)
    suppress(engine, 1, 2, 3)
    with engine.begin() as connection:
        plan.pause(connection, campaign, now=NOW) if state == "paused" else plan.cancel(connection, campaign, now=NOW)
    assert tried(engine, only) is None
    assert attempts(engine) == []
    with engine.connect() as connection:
        assert lies(connection) == []


def test_what_comes_back_from_unknown_is_looked_at_again_before_it_leaves(engine: Engine) -> None:
    campaign = running(engine, 5)
    (only,) = batch_ids(engine, campaign)
    first = claimed(engine, only)
    with engine.begin() as connection:
        learn(connection, first, facts([first.messages[0].id]))
        batches.mark_unknown(connection, first, due_at=NOW, trouble="x")
        asking = claim_unknown(connection, only)
        assert asking is not None
        assert len(asking.messages) == 4
        batches.send_again(connection, asking, due_at=NOW, trouble="never seen by the gateway")

    suppress(engine, 1, 2, 3)  # the first of them the gateway has
    again = claimed(engine, only)

    assert [message.number for message in again.messages] == [number(4), number(5)]
    assert states(engine, campaign) == {"accepted": 1, "pending": 2, "suppressed": 2}


def test_asking_what_became_of_a_batch_suppresses_nobody(engine: Engine) -> None:
    campaign = running(engine, 3)
    (only,) = batch_ids(engine, campaign)
    first = claimed(engine, only)
    suppress(engine, 1, 2, 3)
    with engine.begin() as connection:
        batches.mark_unknown(connection, first, due_at=NOW, trouble="x")
        asking = claim_unknown(connection, only)
    assert asking is not None
    assert states(engine, campaign) == {"pending": 3}


def test_what_is_left_of_a_batch_is_closed_with_what_was_accepted_of_it(engine: Engine) -> None:
    """Some accepted, the others suppressed when they came back: the batch is polled like any other."""
    campaign = running(engine, 4)
    (only,) = batch_ids(engine, campaign)
    first = claimed(engine, only)
    with engine.begin() as connection:
        learn(connection, first, facts([first.messages[0].id]))
        batches.release(connection, first, due_at=NOW, trouble="x")
    suppress(engine, 2, 3, 4)

    assert tried(engine, only) is None

    row = batch(engine, only)
    assert (row["state"], row["accepted"], row["suppressed"]) == ("accepted", 1, 3)
    assert row["poll_at"] is not None


def test_only_moves_of_the_table_are_made(connection: Connection) -> None:
    connection.execute(text(MOVES_SEEN))
    campaign = draft(connection, 2)
    plan.start(connection, campaign, now=NOW)
    (only,) = connection.execute(text("SELECT id FROM sms.batches")).scalars()
    suppressions.add(connection, [number(1), number(2)], reason=SuppressionReason.MANUAL, source="a test", now=NOW)
    assert claim(connection, only) is None
    moves = connection.execute(text("SELECT table_name, was, became FROM moves")).all()
    assert sorted(map(tuple, moves)) == [
        ("batches", "ready", "closed"),
        ("messages", "pending", "suppressed"),
        ("messages", "pending", "suppressed"),
    ]


# ── at the same moment ──


def test_of_two_claimers_one_spares_and_claims_and_the_other_gets_nothing(engine: Engine) -> None:
    campaign = running(engine, 10)
    (only,) = batch_ids(engine, campaign)
    suppress(engine, 1, 2)

    with ThreadPoolExecutor(1) as pool, engine.connect() as first:
        with first.begin():
            mine = claim(first, only)
            assert mine is not None
            assert len(mine.messages) == 8
            waiting = pool.submit(tried, engine, only)
            until_somebody_waits(engine)
        assert waiting.result(timeout=PATIENCE_S) is None

    assert states(engine, campaign) == {"pending": 8, "suppressed": 2}
    assert attempts(engine) == [(only, "began", 1, 8)]


def test_a_suppression_that_is_not_committed_yet_holds_no_batch_up(engine: Engine) -> None:
    """Whoever commits first comes first: the batch leaves with everybody, and nobody waits."""
    (only,) = batch_ids(engine, running(engine, 3))
    with engine.connect() as other, other.begin():
        suppressions.add(other, [number(1)], reason=SuppressionReason.MANUAL, source="a test", now=NOW)
        assert len(claimed(engine, only).messages) == 3


def test_people_opt_out_while_batches_are_claimed_and_every_count_stays_true(engine: Engine) -> None:
    """Four claimers race two who suppress: whoever was committed as suppressed before a claim is not in it."""
    campaign = running(engine, 2000)
    ids = batch_ids(engine, campaign)
    start, taken, lock = threading.Barrier(6), dict[int, Claim](), threading.Lock()

    def take_all() -> None:
        start.wait(timeout=PATIENCE_S)
        for batch_id in ids:
            with engine.begin() as connection:
                before = {
                    each.number for page in suppressions.in_pages(connection) for each in page
                }  # committed before the claim
                found = claim(connection, batch_id)
            if found is not None:
                assert before.isdisjoint(message.number for message in found.messages)
                with lock:
                    taken[batch_id] = found

    def opt_out(every: int) -> None:
        start.wait(timeout=PATIENCE_S)
        for at in range(0, 2000, 100):
            suppress(engine, *range(at + every, at + 101, 7))

    with ThreadPoolExecutor(6) as pool:
        work = [pool.submit(take_all) for _ in range(4)] + [pool.submit(opt_out, every) for every in (1, 3)]
        for each in work:
            each.result(timeout=PATIENCE_S)

    counted = states(engine, campaign)
    assert counted["pending"] == sum(len(found.messages) for found in taken.values())
    assert sum(counted.values()) == 2000
    assert [asked for *_, asked in sorted(attempts(engine))] == [len(taken[each].messages) for each in sorted(taken)]
    with engine.connect() as connection:
        assert lies(connection) == []


def test_a_lease_that_lapses_after_the_sparing_tells_of_those_who_are_left(engine: Engine) -> None:
    (only,) = batch_ids(engine, running(engine, 5))
    suppress(engine, 5)
    claimed(engine, only)
    with engine.begin() as connection:
        assert due.expire_leases(connection, now=NOW + LEASE + timedelta(seconds=1), unknown_grace=AT_ONCE) == [only]
    assert (batch(engine, only)["state"], batch(engine, only)["pending"]) == ("unknown", 4)


# ── what it costs ──


def pages_read(connection: Connection, batch_id: int) -> tuple[int, set[str]]:
    """How many pages the look at the list reads, and which tables it reads from end to end."""
    plan_ = connection.execute(
        text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {_SUPPRESSED}"), {"batch_id": batch_id, "now": NOW}
    ).scalar_one()
    top = (json.loads(plan_) if isinstance(plan_, str) else plan_)[0]["Plan"]

    def scanned(node: dict[str, Any]) -> set[str]:
        own = {node["Relation Name"]} if node["Node Type"] == "Seq Scan" else set()
        return own.union(*map(scanned, node.get("Plans", [])))

    return top["Shared Hit Blocks"] + top["Shared Read Blocks"], scanned(top)


_MANY = text("""
    INSERT INTO sms.suppressions (number, reason, source)
    SELECT '0935' || lpad(n::text, 7, '0'), 'imported', 'a test' FROM generate_series(1, 100000) AS n
""")


@pytest.mark.parametrize("analysed", [True, False], ids=["analysed", "statistics that know of nothing"])
def test_a_long_list_costs_a_claim_no_more_than_its_own_numbers(engine: Engine, analysed: bool) -> None:
    """A hundred thousand suppressed: the list's key is asked for two hundred numbers, and never read through."""
    first, second, *_ = batch_ids(engine, running(engine, 2000))
    suppress(engine, 1, 1000)
    with engine.begin() as connection:
        connection.execute(text("ANALYZE sms.suppressions, sms.messages, sms.batches"))
        few, _ = pages_read(connection, first)
        connection.execute(_MANY)
        if analysed:
            connection.execute(text("ANALYZE sms.suppressions"))
        many, scanned = pages_read(connection, second)
    assert "suppressions" not in scanned
    assert many < few + 200 * 4, (few, many)  # a path of at most four pages for each number
