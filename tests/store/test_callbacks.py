"""Callbacks are parked once, taken by one, kept as long as they may be of use; gateway_ids say whose ids they carry."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, text

from kavenegar_campaigns.rules.states import MessageState
from kavenegar_campaigns.store import callbacks, lookups, polls
from kavenegar_campaigns.store.callbacks import DeferredCallback, StatusCallback
from tests.store.given import NOW, WINDOW, accepted, batch, batch_ids, facts, gateway_id, lies, running, states
from tests.store.polling import all_ids

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def status_callbacks(*gateway_ids: int, status: int = 10) -> list[StatusCallback]:
    return [StatusCallback(each, status) for each in gateway_ids]


def park(engine: Engine, *gateway_ids: int, status: int = 10) -> int:
    with engine.begin() as connection:
        return callbacks.record(connection, status_callbacks(*gateway_ids, status=status), now=NOW)


def known(engine: Engine, count: int) -> list[int]:
    """The ids of as many messages that the gateway has, with their gateway_ids."""
    ids = all_ids(engine, accepted(engine, count))
    with engine.begin() as connection:
        lookups.expect_callbacks(connection, facts(ids), closes_at=NOW + WINDOW)
    return ids


def count(connection: Connection, table: str) -> int:
    return int(connection.execute(text(f"SELECT count(*) FROM sms.{table}")).scalar_one())


# ── parked ──


def test_a_callback_is_parked_once_however_often_it_is_told(engine: Engine) -> None:
    assert park(engine, 1, 2) == 2
    assert park(engine, 2, 1, 1) == 0
    assert park(engine, 1, status=6) == 1


def test_how_many_wait_is_counted_only_as_far_as_it_matters(connection: Connection) -> None:
    callbacks.record(connection, status_callbacks(*range(1, 11)), now=NOW)
    assert [callbacks.count_pending(connection, most=most) for most in (5, 10, 20)] == [5, 10, 10]


def test_two_who_look_at_once_take_different_callbacks(engine: Engine) -> None:
    park(engine, *range(1, 6))
    with engine.connect() as one, engine.connect() as other, one.begin(), other.begin():
        mine = callbacks.take(one, now=NOW, most=3)
        theirs = callbacks.take(other, now=NOW, most=3)
    assert (len(mine), len(theirs)) == (3, 2)
    assert not {each.callback for each in mine} & {each.callback for each in theirs}


def test_a_callback_finds_the_message_that_is_meant(engine: Engine, connection: Connection) -> None:
    first, *_ = known(engine, 3)
    callbacks.record(connection, status_callbacks(gateway_id(first), 99), now=NOW)
    found = {each.callback.gateway_id: each for each in callbacks.take(connection, now=NOW, most=10)}
    assert (found[gateway_id(first)].message_id, found[gateway_id(first)].state) == (first, MessageState.ACCEPTED)
    assert (found[99].message_id, found[99].state) == (None, None)


def test_a_receipt_that_speaks_of_another_message_leads_nowhere(engine: Engine, connection: Connection) -> None:
    """The id of a message may have been merged from elsewhere: then it is not this one."""
    first, *_ = known(engine, 1)
    connection.execute(text("INSERT INTO sms.gateway_ids VALUES (99, :id, now())"), {"id": first})
    callbacks.record(connection, status_callbacks(99), now=NOW)
    (only,) = callbacks.take(connection, now=NOW, most=10)
    assert only.message_id is None


def test_what_is_kept_is_due_again_at_its_time_and_what_is_forgotten_never(connection: Connection) -> None:
    callbacks.record(connection, status_callbacks(1, 2), now=NOW)
    one, two = status_callbacks(1, 2)
    callbacks.defer(connection, [DeferredCallback(one, NOW + MINUTE)])
    callbacks.delete(connection, [two])
    assert not callbacks.any_due(connection, now=NOW)
    assert callbacks.any_due(connection, now=NOW + MINUTE)
    assert [each.callback for each in callbacks.take(connection, now=NOW + MINUTE, most=10)] == [one]


# ── asked about ──


def test_what_is_to_be_asked_is_claimed_once_until_the_lease_ends(engine: Engine, connection: Connection) -> None:
    first, *_ = known(engine, 1)
    (only,) = status_callbacks(gateway_id(first))
    callbacks.record(connection, [only], now=NOW)
    callbacks.defer(connection, [DeferredCallback(only, NOW + SECOND, first)])
    assert callbacks.count_to_confirm(connection, now=NOW, most=10) == 0
    later = NOW + SECOND
    assert not callbacks.any_due(connection, now=later)
    assert callbacks.count_to_confirm(connection, now=later, most=10) == 1
    assert [each.message_id for each in callbacks.claim_to_confirm(connection, now=later, lease=MINUTE, most=10)] == [
        first
    ]
    assert callbacks.claim_to_confirm(connection, now=later, lease=MINUTE, most=10) == []
    assert len(callbacks.claim_to_confirm(connection, now=later + MINUTE, lease=MINUTE, most=10)) == 1


@pytest.mark.parametrize(
    ("state", "status", "left"),
    [(MessageState.ACCEPTED, 4, 1), (MessageState.UNDELIVERED, 11, 1), (MessageState.DELIVERED, 10, 0)],
)
def test_nobody_is_asked_about_a_message_that_can_become_nothing_else(
    engine: Engine, connection: Connection, state: MessageState, status: int, left: int
) -> None:
    first, *_ = known(engine, 1)
    callbacks.record(connection, status_callbacks(gateway_id(first)), now=NOW)
    callbacks.defer(connection, [DeferredCallback(each, NOW, first) for each in status_callbacks(gateway_id(first))])
    polls.record_verdicts(connection, [first], facts([first], state, status), now=NOW)
    callbacks.delete_settled(connection, now=NOW, most=10)
    assert callbacks.count_to_confirm(connection, now=NOW, most=10) == left


def test_messages_of_one_batch_are_asked_about_together(engine: Engine, connection: Connection) -> None:
    ids = known(engine, 400)
    mixed = [ids[place % 2 * 200 + place // 2] for place in range(400)]
    callbacks.record(connection, status_callbacks(*map(gateway_id, mixed)), now=NOW)
    callbacks.defer(connection, [DeferredCallback(StatusCallback(gateway_id(each), 10), NOW, each) for each in mixed])
    claimed = callbacks.claim_to_confirm(connection, now=NOW, lease=MINUTE, most=200)
    assert {each.message_id for each in claimed} == set(ids[:200])


def test_facts_about_single_messages_leave_every_counter_true_and_every_schedule_as_it_is(engine: Engine) -> None:
    campaign = accepted(engine, 450)
    ids = all_ids(engine, campaign)
    before = [batch(engine, each) for each in batch_ids(engine, campaign)]
    with engine.begin() as connection:
        chosen = [ids[0], ids[1], ids[-1]]
        assert len(polls.record_verdicts(connection, chosen, facts(chosen, MessageState.DELIVERED, 10), now=NOW)) == 3
        assert len(polls.record_verdicts(connection, chosen, facts(chosen, MessageState.FAILED, 6), now=NOW)) == 0
    assert states(engine, campaign) == {"accepted": 447, "delivered": 3}
    after = [batch(engine, each) for each in batch_ids(engine, campaign)]
    assert [each["delivered"] for each in after] == [2, 0, 1]
    for column in ("poll_at", "poll_no", "poll_resume_id", "closes_at", "accepted_at", "state"):
        assert [each[column] for each in after] == [each[column] for each in before]
    with engine.connect() as connection:
        assert lies(connection) == []


# ── leaned on ──


def test_leaning_begins_once_and_ends_once(connection: Connection) -> None:
    seen = [callbacks.update_active(connection, since=NOW)]
    callbacks.record_last_callback(connection, at=NOW + MINUTE)
    seen += [callbacks.update_active(connection, since=NOW), callbacks.update_active(connection, since=NOW)]
    seen += [
        callbacks.update_active(connection, since=NOW + MINUTE),
        callbacks.update_active(connection, since=NOW + MINUTE),
    ]
    assert seen == [None, True, None, False, None]


@pytest.mark.parametrize(
    ("age", "poll_no", "poll_at", "expected"),
    [
        (6, 1, 40, 10),  # the first age that was left out is still to come
        (15, 1, 40, 15),  # it has passed: at once
        (15, 0, 40, 40),  # it was never asked about, so nothing was left out
        (45, 3, 80, 80),  # nothing is left out that late
        (15, 1, 12, 12),  # due already
        (7, 1, 9, 9),  # earlier already
    ],
)
def test_what_was_left_out_is_made_up_for_by_one_poll(
    engine: Engine, age: int, poll_no: int, poll_at: int, expected: int
) -> None:
    (only,) = batch_ids(engine, accepted(engine, 5))
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE sms.batches SET poll_no = :no, poll_at = :at"), {"no": poll_no, "at": NOW + poll_at * MINUTE}
        )
        callbacks.restore_full_polls(connection, first=10 * MINUTE, quiet_age=40 * MINUTE, now=NOW + age * MINUTE)
    assert batch(engine, only)["poll_at"] == NOW + expected * MINUTE


# ── gateway_ids ──


def test_a_receipt_is_written_once_and_only_for_what_the_gateway_has(engine: Engine, connection: Connection) -> None:
    ids = all_ids(engine, running(engine, 3))
    known_ones = facts(ids[:2])
    for _ in range(2):
        lookups.expect_callbacks(connection, known_ones, closes_at=NOW + WINDOW)
    lookups.expect_callbacks(connection, [], closes_at=NOW + WINDOW)
    assert count(connection, "gateway_ids") == 2


def test_receipts_go_a_portion_at_a_time(engine: Engine, connection: Connection) -> None:
    lookups.expect_callbacks(connection, facts(range(1, 8)), closes_at=NOW)
    lookups.expect_callbacks(connection, facts(range(8, 11)), closes_at=NOW + SECOND)
    assert [lookups.drop_closed_ids(connection, now=NOW, most=5) for _ in range(3)] == [5, 2, 0]
    assert count(connection, "gateway_ids") == 3
