"""Who may send a batch: one worker at a time, only while its lease holds, and only while its campaign runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, text

from kavenegar_campaigns.rules.states import BatchState
from kavenegar_campaigns.stages import plan
from kavenegar_campaigns.store import batches, due, installation, outcomes
from kavenegar_campaigns.store.records import Claim
from tests.store.given import (
    AT_ONCE,
    LEASE,
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

LAPSED = NOW + LEASE + timedelta(seconds=1)


def test_of_many_claimers_at_once_one_wins(engine: Engine) -> None:
    ids = batch_ids(engine, running(engine, 1000))
    start = threading.Barrier(4)

    def take_all() -> list[int]:
        start.wait(timeout=PATIENCE_S)
        won = []
        for batch_id in ids:
            with engine.begin() as connection:
                if claim(connection, batch_id) is not None:
                    won.append(batch_id)
        return won

    with ThreadPoolExecutor(4) as pool:
        won = [batch_id for future in [pool.submit(take_all) for _ in range(4)] for batch_id in future.result()]

    assert sorted(won) == sorted(ids)
    assert [batch(engine, batch_id)["attempt"] for batch_id in ids] == [1] * len(ids)


def test_who_waits_for_a_claim_that_is_being_committed_gets_nothing(engine: Engine) -> None:
    (only,) = batch_ids(engine, running(engine, 3))

    def late() -> Claim | None:
        with engine.begin() as connection:
            return claim(connection, only)

    with ThreadPoolExecutor(1) as pool, engine.connect() as first:
        with first.begin():
            assert claim(first, only) is not None
            waiting = pool.submit(late)
            until_somebody_waits(engine)
        assert waiting.result(timeout=PATIENCE_S) is None


def test_a_claim_and_its_line_in_the_attempts_are_one_commit(engine: Engine) -> None:
    (only,) = batch_ids(engine, running(engine, 7))
    with engine.connect() as connection, connection.begin() as transaction:
        assert claim(connection, only) is not None
        transaction.rollback()
    assert _attempts(engine) == []
    assert batch(engine, only)["state"] == "ready"

    claimed(engine, only)

    assert _attempts(engine) == [(only, "send", "began", 1, 7)]


def _attempts(engine: Engine) -> list[tuple[int, str, str, int, int]]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT batch_id, kind, event, attempt, messages FROM sms.attempts ORDER BY id"))
        return [tuple(row) for row in rows]


def test_a_claim_holds_what_is_still_pending_with_its_ids_and_texts(engine: Engine) -> None:
    campaign = running(engine, 3)
    (only,) = batch_ids(engine, campaign)
    first = claimed(engine, only)
    assert [(message.number, message.text) for message in first.messages] == [
        ("09120000001", "سلام"),
        ("09120000002", "سلام"),
        ("09120000003", "سلام"),
    ]
    with engine.begin() as connection:
        learn(connection, first, facts([first.messages[1].id]))
        assert batches.release(connection, first, due_at=NOW, trouble="test")
    assert [message.number for message in claimed(engine, only).messages] == ["09120000001", "09120000003"]


def test_neither_numbers_nor_texts_stand_in_the_repr_of_a_claim(engine: Engine) -> None:
    found = repr(claimed(engine, batch_ids(engine, running(engine, 1))[0]))
    assert "0912" not in found
    assert "سلام" not in found


def test_a_batch_is_claimed_from_the_moment_it_is_due(engine: Engine, connection: Connection) -> None:
    (only,) = batch_ids(engine, running(engine, 1))
    assert claim(connection, only, now=NOW - timedelta(microseconds=1)) is None
    assert claim(connection, only, now=NOW) is not None


@pytest.mark.parametrize("state", sorted(set(BatchState) - {BatchState.READY}))
def test_only_a_ready_batch_can_be_sent(engine: Engine, connection: Connection, state: str) -> None:
    """Not even a claimed one whose lease has ended: nobody knows what became of it, so it is asked about first."""
    (only,) = batch_ids(engine, running(engine, 1))
    done = state not in {"claimed", "unknown", "split"}
    connection.execute(
        text("""
            UPDATE sms.batches SET state = :state, lease_owner = gen_random_uuid(),
                   pending = CASE WHEN :done THEN 0 ELSE 1 END, delivered = CASE WHEN :done THEN 1 ELSE 0 END
        """),
        {"state": state, "done": done},
    )
    assert claim(connection, only, now=LAPSED) is None


def _paused(connection: Connection, campaign: int) -> None:
    plan.pause(connection, campaign, now=NOW)


def _cancelled(connection: Connection, campaign: int) -> None:
    plan.cancel(connection, campaign, now=NOW)


def _held(connection: Connection, _campaign: int) -> None:
    installation.hold_account(connection, code=418, reason="no credit", hold_recheck_at=NOW, now=NOW)


@pytest.mark.parametrize("stop", [_paused, _cancelled, _held])
def test_nothing_is_claimed_while_sending_is_stopped(engine: Engine, stop: Callable[[Connection, int], None]) -> None:
    campaign = running(engine, 1)
    (only,) = batch_ids(engine, campaign)
    with engine.begin() as connection:
        stop(connection, campaign)
        assert claim(connection, only) is None
    assert _attempts(engine) == []


def test_a_campaign_whose_time_has_not_come_cannot_be_claimed(engine: Engine) -> None:
    tomorrow = NOW + timedelta(days=1)
    with engine.begin() as connection:
        campaign = draft(connection, 1)
        plan.start(connection, campaign, now=NOW, at=tomorrow)
    (only,) = batch_ids(engine, campaign)
    with engine.begin() as connection:
        assert claim(connection, only, now=tomorrow) is None  # due, and nobody has begun the campaign
        due.begin_scheduled(connection, now=tomorrow)
        assert claim(connection, only, now=tomorrow) is not None


def test_only_an_unknown_batch_can_be_asked_about(engine: Engine, connection: Connection) -> None:
    (only,) = batch_ids(engine, running(engine, 1))
    assert _ask(connection, only) is None
    held = claim(connection, only)
    assert held is not None
    assert _ask(connection, only) is None
    assert batches.mark_unknown(connection, held, due_at=NOW + timedelta(seconds=90), trouble="test")
    assert _ask(connection, only) is None
    asked = _ask(connection, only, now=NOW + timedelta(seconds=90))
    assert asked is not None
    assert asked.attempt == held.attempt + 1
    assert asked.first_sent_at == NOW
    assert _ask(connection, only, now=NOW + timedelta(seconds=91)) is None
    assert _ask(connection, only, now=NOW + timedelta(seconds=90) + LEASE) is not None


def _ask(connection: Connection, batch_id: int, *, now: datetime = NOW) -> Claim | None:
    return claim_unknown(connection, batch_id, now=now)


# ── fencing ──

DECISIONS: dict[str, Callable[[Connection, Claim], object]] = {
    "release": lambda connection, held: batches.release(connection, held, due_at=LAPSED, trouble="zombie"),
    "doubt": lambda connection, held: batches.mark_unknown(connection, held, due_at=LAPSED, trouble="zombie"),
    "send again": lambda connection, held: batches.send_again(connection, held, due_at=LAPSED, trouble="zombie"),
    "halve": lambda connection, held: outcomes.halve(connection, held, now=LAPSED, trouble="zombie"),
}


@pytest.mark.parametrize("decision", DECISIONS)
@pytest.mark.parametrize("retaken", [False, True], ids=["lapsed", "claimed by another"])
def test_who_has_lost_the_lease_decides_nothing(engine: Engine, decision: str, retaken: bool) -> None:
    (only,) = batch_ids(engine, running(engine, 200))
    zombie = claimed(engine, only)
    with engine.begin() as connection:
        assert due.expire_leases(connection, now=LAPSED, unknown_grace=AT_ONCE) == [only]
    if retaken:
        _return_to_ready(engine, only)
        claimed(engine, only, now=LAPSED)
    before = batch(engine, only)

    with engine.begin() as connection:
        assert not DECISIONS[decision](connection, zombie)

    assert batch(engine, only) == before


def _return_to_ready(engine: Engine, batch_id: int) -> None:
    with engine.begin() as connection:
        asked = _ask(connection, batch_id, now=LAPSED)
        assert asked is not None
        assert batches.send_again(connection, asked, due_at=LAPSED, trouble="never seen")


def test_the_same_process_is_fenced_from_its_own_earlier_attempt(engine: Engine) -> None:
    (only,) = batch_ids(engine, running(engine, 2))
    with engine.begin() as connection:
        first = claim(connection, only)
        assert first is not None
        batches.release(connection, first, due_at=NOW, trouble="test")
        assert claim(connection, only) is not None
        assert not batches.mark_unknown(connection, first, due_at=NOW, trouble="zombie")


@pytest.mark.parametrize("decision", DECISIONS)
def test_two_calls_that_hold_the_same_attempt_after_a_lost_commit_are_told_apart(engine: Engine, decision: str) -> None:
    """The commit of the first claim was lost with a failover: the second is the first attempt once more."""
    (only,) = batch_ids(engine, running(engine, 200))
    lost = claimed(engine, only)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE sms.batches SET state = 'ready', due_at = :now, lease_owner = NULL, attempt = attempt - 1"),
            {"now": NOW},
        )
    held = claimed(engine, only)
    assert held.attempt == lost.attempt
    before = batch(engine, only)

    with engine.begin() as connection:
        assert not batches.owns_lease(connection, lost)
        assert not DECISIONS[decision](connection, lost)

    assert batch(engine, only) == before


def test_the_facts_of_who_has_lost_the_lease_still_count(engine: Engine) -> None:
    campaign = running(engine, 200)
    (only,) = batch_ids(engine, campaign)
    zombie = claimed(engine, only)
    with engine.begin() as connection:
        due.expire_leases(connection, now=LAPSED, unknown_grace=AT_ONCE)
        learn(connection, zombie, facts([message.id for message in zombie.messages[:150]]))
    assert states(engine, campaign) == {"accepted": 150, "pending": 50}
    found = batch(engine, only)
    assert (found["state"], found["accepted"], found["pending"]) == ("unknown", 150, 50)
    with engine.connect() as connection:
        assert lies(connection) == []


def test_a_lease_lapses_when_it_ends_and_not_before(engine: Engine, connection: Connection) -> None:
    (only,) = batch_ids(engine, running(engine, 1))
    assert claim(connection, only) is not None
    assert due.expire_leases(connection, now=NOW + LEASE - timedelta(microseconds=1), unknown_grace=AT_ONCE) == []
    assert due.expire_leases(connection, now=NOW + LEASE, unknown_grace=AT_ONCE) == [only]
    assert due.expire_leases(connection, now=NOW + LEASE, unknown_grace=AT_ONCE) == []


def test_what_never_left_us_has_never_been_sent(engine: Engine, connection: Connection) -> None:
    """The window in which "never seen" is a proof begins with the first request that may have left."""
    (only,) = batch_ids(engine, running(engine, 1))
    first = claim(connection, only)
    assert first is not None
    assert batches.release(connection, first, due_at=NOW, trouble="no connection")
    assert _first_sent(connection) is None
    second = claim(connection, only, now=NOW + timedelta(seconds=5))
    assert second is not None
    assert batches.mark_unknown(connection, second, due_at=NOW + timedelta(seconds=5), trouble="no answer")
    asked = _ask(connection, only, now=NOW + timedelta(seconds=5))
    assert asked is not None
    assert _first_sent(connection) == NOW + timedelta(seconds=5)
    assert batches.send_again(connection, asked, due_at=NOW, trouble="never seen")
    third = claim(connection, only, now=NOW + timedelta(seconds=9))
    assert third is not None
    assert batches.release(connection, third, due_at=NOW, trouble="no connection")
    assert _first_sent(connection) is None


def _first_sent(connection: Connection) -> object:
    return connection.execute(text("SELECT first_sent_at FROM sms.batches")).scalar_one()


def test_halving_goes_down_to_single_messages_and_loses_none(engine: Engine) -> None:
    campaign = running(engine, 5)
    while whole := [each for each in batch_ids(engine, campaign) if batch(engine, each)["pending"] > 1]:
        held = claimed(engine, whole[0])
        with engine.begin() as connection:
            assert len(outcomes.halve(connection, held, now=NOW, trouble="code 411")) == 2
    with engine.connect() as connection:
        assert lies(connection) == []
        spans = connection.execute(
            text("SELECT first_id, last_id FROM sms.batches WHERE state <> 'split' ORDER BY first_id")
        ).all()
    assert [last - first for first, last in spans] == [0] * 5
    assert states(engine, campaign) == {"pending": 5}
