"""The questions of the one-second tick: fair between campaigns, bounded in what they ring for, and cheap for ever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Engine, text

from kavenegar_campaigns.context import Policy
from kavenegar_campaigns.stages import plan
from kavenegar_campaigns.stages.dispatch import apply_deadlines
from kavenegar_campaigns.store import batches, due, polls
from tests.store.given import (
    AT_ONCE,
    LEASE,
    NOW,
    WINDOW,
    batch,
    batch_ids,
    claimed,
    draft,
    facts,
    learn,
    lies,
    running,
    states,
)
from tests.world import ACCOUNT

SECOND = timedelta(seconds=1)
REENQUEUE_AFTER = timedelta(seconds=10)


def enqueue(engine: Engine, *, room: int, now: datetime = NOW) -> list[int]:
    with engine.begin() as connection:
        return due.enqueue_ready(connection, now=now, since=now - REENQUEUE_AFTER, room=room)


def ask(engine: Engine, *, room: int, now: datetime = NOW) -> list[int]:
    with engine.begin() as connection:
        times = {"since": now - REENQUEUE_AFTER, "localid_cutoff": now - timedelta(hours=11)}
        return due.enqueue_unknown(connection, account=ACCOUNT, now=now, most=room, **times)


def campaign_of(engine: Engine, enqueued: list[int]) -> Counter[int]:
    return Counter(batch(engine, batch_id)["campaign_id"] for batch_id in enqueued)


def test_campaigns_take_turns_whatever_their_size(engine: Engine) -> None:
    big, middle, small = running(engine, 4000), running(engine, 600), running(engine, 200)
    assert campaign_of(engine, enqueue(engine, room=7)) == {big: 3, middle: 3, small: 1}
    assert campaign_of(engine, enqueue(engine, room=11)) == {big: 4}


def test_a_small_campaign_behind_a_huge_one_has_its_turns_at_once(engine: Engine) -> None:
    """Forty rings of the huge one wait for a worker: these were its turns, and the next are the small one's."""
    huge = running(engine, 100 * 200)
    assert campaign_of(engine, enqueue(engine, room=40)) == {huge: 40}
    small = running(engine, 10 * 200)

    shares = [campaign_of(engine, enqueue(engine, room=40 + n, now=NOW + SECOND)) for n in (1, 4, 9)]

    assert shares == [{small: 1}, {small: 3}, {small: 5}]


@pytest.mark.parametrize("room", [1, 2, 3, 8, 15])
def test_a_small_campaign_gets_at_least_its_half_of_what_the_pace_takes(engine: Engine, room: int) -> None:
    huge = running(engine, 100 * 200)
    for batch_id in enqueue(engine, room=room):
        claimed(engine, batch_id)
    small = running(engine, 10 * 200)
    share = campaign_of(engine, enqueue(engine, room=room, now=NOW + SECOND))
    assert share[small] >= min(10, room / 2)
    assert share[small] + share[huge] == room


def test_turns_that_come_to_the_same_do_not_always_go_to_the_older_campaign(engine: Engine) -> None:
    """A slow pace: one ring a tick, answered before the next. Five batches would else wait for the end of a hundred."""
    running(engine, 100 * 200)
    small = running(engine, 5 * 200)
    seconds = range(60)
    for second in seconds:
        for batch_id in enqueue(engine, room=1, now=NOW + second * SECOND):
            held = claimed(engine, batch_id, now=NOW + second * SECOND)
            with engine.begin() as connection:
                learn(connection, held, facts([message.id for message in held.messages]))
    assert states(engine, small) == {"accepted": 1000}


def test_the_rings_of_a_campaign_that_was_paused_leave_their_room_to_the_others(engine: Engine) -> None:
    paused = running(engine, 100 * 200)
    assert len(enqueue(engine, room=5)) == 5
    with engine.begin() as connection:
        plan.pause(connection, paused, now=NOW)
    other = running(engine, 10 * 200)
    assert campaign_of(engine, enqueue(engine, room=5, now=NOW + SECOND)) == {other: 5}


def test_the_oldest_due_batch_of_a_campaign_is_rung_for_first(engine: Engine) -> None:
    ids = batch_ids(engine, running(engine, 1000))
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE sms.batches SET due_at = due_at - interval '1 hour' WHERE id = :id"), {"id": ids[3]}
        )
    assert enqueue(engine, room=1) == [ids[3]]
    assert enqueue(engine, room=2) == [ids[0]]


def test_what_is_not_due_or_not_running_is_not_rung_for(engine: Engine) -> None:
    running(engine, 200, now=NOW + timedelta(seconds=1))
    paused = running(engine, 200)
    with engine.begin() as connection:
        plan.pause(connection, paused, now=NOW)
        draft(connection, 200)
    assert enqueue(engine, room=100) == []


def test_nobody_is_rung_for_while_the_account_is_held(engine: Engine) -> None:
    running(engine, 200)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE sms.installation SET hold_code = 418, held_since = :now, hold_recheck_at = :now"), {"now": NOW}
        )
    assert enqueue(engine, room=100) == []


def test_no_more_rings_are_on_their_way_than_there_is_room(engine: Engine) -> None:
    running(engine, 4000)
    enqueued = [enqueue(engine, room=5, now=NOW + turn * SECOND) for turn in range(5)]
    assert [len(each) for each in enqueued] == [5, 0, 0, 0, 0]
    claimed(engine, enqueued[0][0], now=NOW + 5 * SECOND)
    assert len(enqueue(engine, room=5, now=NOW + 6 * SECOND)) == 1


def test_no_more_questions_are_on_their_way_than_there_is_room(engine: Engine) -> None:
    """After an outage everything is unknown at once; each ring too many costs a slot of the pace and finds nothing."""
    for batch_id in batch_ids(engine, running(engine, 4000)):
        held = claimed(engine, batch_id)
        with engine.begin() as connection:
            batches.mark_unknown(connection, held, due_at=NOW, trouble="test")
    enqueued = [ask(engine, room=5, now=NOW + turn * SECOND) for turn in range(4)]
    assert sum(len(each) for each in enqueued) <= 5


def test_a_lost_ring_is_rung_again(engine: Engine) -> None:
    ids = batch_ids(engine, running(engine, 400))
    assert sorted(enqueue(engine, room=10)) == ids
    assert enqueue(engine, room=10, now=NOW + REENQUEUE_AFTER - SECOND) == []
    assert sorted(enqueue(engine, room=10, now=NOW + REENQUEUE_AFTER)) == ids


def test_a_batch_that_came_back_is_rung_for_at_once_when_it_is_due(engine: Engine) -> None:
    (only,) = batch_ids(engine, running(engine, 200))
    assert enqueue(engine, room=10) == [only]
    held = claimed(engine, only)
    with engine.begin() as connection:
        batches.release(connection, held, due_at=NOW + 2 * SECOND, trouble="test")
    assert enqueue(engine, room=10, now=NOW + SECOND) == []
    assert enqueue(engine, room=10, now=NOW + 2 * SECOND) == [only]


def test_what_the_pace_put_off_comes_back_when_there_is_a_slot(engine: Engine) -> None:
    (only,) = batch_ids(engine, running(engine, 200))
    enqueue(engine, room=10)
    with engine.begin() as connection:
        batches.postpone(connection, only, due_at=NOW + 3 * SECOND)
    assert enqueue(engine, room=10, now=NOW + 2 * SECOND) == []
    assert enqueue(engine, room=10, now=NOW + 3 * SECOND) == [only]
    assert batch(engine, only)["attempt"] == 0


def test_an_unknown_batch_is_asked_about_when_it_has_settled(engine: Engine) -> None:
    (only,) = batch_ids(engine, running(engine, 200))
    held = claimed(engine, only)
    with engine.begin() as connection:
        batches.mark_unknown(connection, held, due_at=NOW + 90 * SECOND, trouble="test")
    assert ask(engine, room=5, now=NOW + 89 * SECOND) == []
    assert ask(engine, room=5, now=NOW + 90 * SECOND) == [only]
    assert ask(engine, room=5, now=NOW + 91 * SECOND) == []
    assert ask(engine, room=5, now=NOW + 101 * SECOND) == [only]


def test_one_dispatcher_ticks_at_a_time(engine: Engine) -> None:
    with engine.begin() as first, engine.begin() as second:
        assert due.try_tick_lock(first)
        assert not due.try_tick_lock(second)
    with engine.begin() as third:
        assert due.try_tick_lock(third)


def test_a_cancelled_campaign_is_withdrawn_a_few_batches_at_a_time(engine: Engine) -> None:
    campaign = running(engine, 1000)
    with engine.begin() as connection:
        plan.cancel(connection, campaign, now=NOW)
        assert [due.cancel_unsent(connection, now=NOW, most=2) for _ in range(4)] == [2, 2, 1, 0]
        assert due.finish_campaigns(connection, now=NOW) == [campaign]
        assert lies(connection) == []
    assert states(engine, campaign) == {"cancelled": 1000}


def test_a_cancelled_campaign_is_over_only_when_what_had_left_has_its_verdict(engine: Engine) -> None:
    campaign = running(engine, 400)
    first, _ = batch_ids(engine, campaign)
    held = claimed(engine, first)
    ids = [message.id for message in held.messages]
    with engine.begin() as connection:
        plan.cancel(connection, campaign, now=NOW)
        due.cancel_unsent(connection, now=NOW)
        assert due.finish_campaigns(connection, now=NOW) == []
        learn(connection, held, facts(ids))
        assert due.finish_campaigns(connection, now=NOW) == []
        asked = polls.claim(connection, now=NOW + WINDOW / 2, lease=LEASE)
        polls.record_poll(
            connection, asked, facts(ids, status=4), next_polls=[NOW + WINDOW], call_id=uuid4(), now=NOW + WINDOW / 2
        )
        connection.execute(text("UPDATE sms.batches SET poll_at = closes_at WHERE poll_at IS NOT NULL"))
        polls.close_windows(connection, now=NOW + WINDOW)
        assert due.finish_campaigns(connection, now=NOW + WINDOW) == [campaign]
    assert states(engine, campaign) == {"expired": 200, "cancelled": 200}


def test_one_campaign_that_cannot_end_does_not_stop_the_tick_for_all(engine: Engine) -> None:
    """Scheduled, everybody suppressed, then paused: there is nothing left to send, and it never began."""
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO sms.suppressions (number, reason, source) VALUES ('09120000001', 'test', 'test')")
        )
        campaign = draft(connection, 1)
        plan.start(connection, campaign, now=NOW, at=NOW + timedelta(days=1))
        plan.pause(connection, campaign, now=NOW)
    with engine.begin() as connection:
        apply_deadlines(connection, now=NOW, policy=Policy(unknown_grace=AT_ONCE))


@pytest.fixture
def quiet(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that is rolled back."""
    with engine.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


def test_the_tick_leaves_a_sign_that_it_came(quiet: Connection) -> None:
    apply_deadlines(quiet, now=NOW, policy=Policy(unknown_grace=AT_ONCE))
    assert quiet.execute(text("SELECT ticked_at FROM sms.installation")).scalar_one() == NOW
