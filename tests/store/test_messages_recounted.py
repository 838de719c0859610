"""A batch follows its messages: its state, its window, its polls and its counters, also when it was split meanwhile."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text

from kavenegar_campaigns.rules.states import BATCH_MOVES, BatchState, MessageState
from kavenegar_campaigns.store import batches, due, outcomes, polls
from kavenegar_campaigns.store.records import Fact
from tests.store.given import (
    AT_ONCE,
    MOVES_SEEN,
    NOW,
    WINDOW,
    accepted,
    batch,
    batch_ids,
    claim,
    claim_unknown,
    claimed,
    facts,
    learn,
    lies,
    running,
    states,
)

M, B = MessageState, BatchState


# ── a batch that was split while somebody still asked about it ──


def _half_accepted_then_split(engine: Engine) -> tuple[int, int, list[int]]:
    """(campaign, the batch that was split, the ids of its accepted messages): 100 accepted, 100 refused as a whole."""
    campaign = running(engine, 200)
    (whole,) = batch_ids(engine, campaign)
    first = claimed(engine, whole)
    ids = [message.id for message in first.messages]
    with engine.begin() as connection:
        learn(connection, first, facts(ids[:50] + ids[150:]))
        assert batches.mark_unknown(connection, first, due_at=NOW, trouble="rows missing")
        again = claim_unknown(connection, whole)
        assert again is not None
        assert batches.send_again(connection, again, due_at=NOW, trouble="never seen")
    return campaign, whole, ids[:50] + ids[150:]


def _split(engine: Engine, whole: int) -> list[int]:
    second = claimed(engine, whole)
    with engine.begin() as connection:
        return outcomes.halve(connection, second, now=NOW, trouble="code 411")


def test_verdicts_that_were_asked_for_before_a_batch_was_split_count_in_its_halves(engine: Engine) -> None:
    _, whole, known = _half_accepted_then_split(engine)
    later = NOW + timedelta(minutes=6)
    with engine.begin() as connection:
        asked = polls.claim(connection, now=later, lease=timedelta(minutes=2))
    assert [each.batch_id for each in asked] == [whole]
    _split(engine, whole)
    with engine.begin() as connection:
        delivered = facts(known, M.DELIVERED, 10)
        polls.record_poll(
            connection, asked, delivered, next_polls=[later + timedelta(hours=1)], call_id=uuid4(), now=later
        )
    with engine.connect() as connection:
        assert lies(connection) == []


def test_an_answer_that_comes_after_a_batch_was_split_counts_in_its_halves(engine: Engine) -> None:
    """A worker slept past its lease, another was refused and halved the batch; then the first one's answer arrives."""
    campaign = running(engine, 200)
    (whole,) = batch_ids(engine, campaign)
    zombie = claimed(engine, whole)
    later = zombie.claimed_at + timedelta(minutes=3)
    with engine.begin() as connection:
        assert due.expire_leases(connection, now=later, unknown_grace=AT_ONCE) == [whole]
        resolver = claim_unknown(connection, whole, now=later)
        assert resolver is not None
        assert batches.send_again(connection, resolver, due_at=later, trouble="never seen")
        second = claim(connection, whole, now=later)
        assert second is not None
        assert len(outcomes.halve(connection, second, now=later, trouble="code 411")) == 2
        learn(connection, zombie, facts([message.id for message in zombie.messages]), now=later)
    assert states(engine, campaign) == {"accepted": 200}
    with engine.connect() as connection:
        assert lies(connection) == []


def test_a_batch_that_was_split_hands_its_polls_and_its_place_to_its_halves(engine: Engine) -> None:
    campaign, whole, known = _half_accepted_then_split(engine)
    born = _split(engine, whole)
    assert batch(engine, whole)["state"] == "split"
    assert batch_ids(engine, campaign) == born
    with engine.connect() as connection:
        assert lies(connection) == []
        asked = polls.claim(connection, now=NOW + timedelta(minutes=6), lease=timedelta(minutes=2))
        assert sorted(id_ for each in asked for id_ in each.message_ids.values()) == sorted(known)


# ── what a batch follows from its messages ──


@pytest.mark.parametrize(
    ("state", "status", "becomes"),
    [(M.ACCEPTED, 1, B.ACCEPTED), (M.DELIVERED, 10, B.CLOSED), (M.BLOCKED, 14, B.CLOSED), (M.FAILED, 6, B.CLOSED)],
)
def test_a_batch_follows_its_messages(engine: Engine, state: MessageState, status: int, becomes: BatchState) -> None:
    campaign = running(engine, 5)
    (only,) = batch_ids(engine, campaign)
    held = claimed(engine, only)
    with engine.begin() as connection:
        learn(connection, held, facts([message.id for message in held.messages], state, status))
    found = batch(engine, only)
    assert found["state"] == becomes
    assert (found["poll_at"] is None) is (becomes is B.CLOSED)


def test_messages_that_were_sent_days_after_their_neighbours_get_a_window_of_their_own(engine: Engine) -> None:
    """Rows were missing, then the campaign was paused for three days: what left then is asked about then."""
    campaign = running(engine, 10)
    (only,) = batch_ids(engine, campaign)
    first = claimed(engine, only)
    ids = [message.id for message in first.messages]
    monday = NOW + timedelta(days=3)
    with engine.begin() as connection:
        learn(connection, first, facts(ids[:5], M.DELIVERED, 10))
        batches.release(connection, first, due_at=monday, trouble="test")
        second = claim(connection, only, now=monday)
        assert second is not None
        learn(connection, second, facts(ids[5:]), now=monday)
        polls.close_windows(connection, now=monday + timedelta(minutes=6))
    found = batch(engine, only)
    assert states(engine, campaign) == {"delivered": 5, "accepted": 5}
    assert found["closes_at"] > monday + WINDOW - timedelta(hours=1)


def test_every_move_of_a_batch_stands_in_the_table(engine: Engine) -> None:
    campaign = accepted(engine, 600)
    ready = batch_ids(engine, running(engine, 400))
    with engine.connect() as connection, connection.begin() as transaction:
        connection.execute(text(MOVES_SEEN))
        held = claim(connection, ready[0])
        assert held is not None
        due.expire_leases(connection, now=NOW + timedelta(hours=1), unknown_grace=AT_ONCE)
        learn(connection, held, facts([message.id for message in held.messages]))
        zombie = claim(connection, ready[1])
        assert zombie is not None
        batches.release(connection, zombie, due_at=NOW, trouble="test")
        learn(connection, zombie, facts([message.id for message in zombie.messages]))
        connection.execute(text("UPDATE sms.batches SET poll_at = closes_at WHERE campaign_id = :id"), {"id": campaign})
        polls.close_windows(connection, now=NOW + WINDOW)
        seen = connection.execute(text("SELECT DISTINCT was, became FROM moves WHERE table_name = 'batches'")).all()
        transaction.rollback()
    assert [(was, became) for was, became in seen if B(became) not in BATCH_MOVES[B(was)]] == []


@pytest.mark.parametrize("decision", [M.UNCERTAIN, M.REFUSED, M.CANCELLED])
def test_what_is_decided_about_some_does_not_begin_the_polls_of_the_others_anew(
    engine: Engine, decision: MessageState
) -> None:
    """Eleven hours later the missing rows are given up: their neighbours keep their schedule and their window."""
    (only,) = batch_ids(engine, running(engine, 10))
    held = claimed(engine, only)
    ids = [message.id for message in held.messages]
    code = 411 if decision is M.REFUSED else None
    with engine.begin() as connection:
        learn(connection, held, facts(ids[:5]))
    before = batch(engine, only)
    with engine.begin() as connection:
        decided = [Fact(each, decision, refused_code=code) for each in ids[5:]]
        learn(connection, held, decided, now=NOW + timedelta(hours=11))
    after = batch(engine, only)
    assert {name: after[name] for name in ("accepted_at", "closes_at", "poll_at")} == {
        name: before[name] for name in ("accepted_at", "closes_at", "poll_at")
    }
