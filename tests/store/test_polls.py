"""Which verdicts are asked for: five hundred at a time, each message once, until its window closes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, text

from kavenegar_campaigns.rules.states import MessageState
from kavenegar_campaigns.store import gate, messages, polls
from tests.store.given import LEASE, NOW, WINDOW, accepted, batch, batch_ids, facts, lies, states
from tests.store.polling import DUE, HOUR, all_ids, asked_ids, settle, take

M = MessageState


def test_nothing_is_asked_before_it_is_due(engine: Engine, connection: Connection) -> None:
    accepted(engine, 3)
    early = DUE - timedelta(microseconds=1)
    assert not polls.any_due(connection, now=early)
    assert polls.claim(connection, now=early, lease=LEASE) == []
    assert polls.any_due(connection, now=DUE)


def test_nothing_is_asked_while_the_databases_clock_is_in_doubt(engine: Engine, connection: Connection) -> None:
    accepted(engine, 3)
    gate.note_leap(connection, by=HOUR, now=NOW)
    assert not polls.any_due(connection, now=DUE)
    assert polls.claim(connection, now=DUE, lease=LEASE) == []
    gate.clear_leap(connection, leapt_at=NOW)
    assert polls.any_due(connection, now=DUE)


def test_a_poll_takes_exactly_five_hundred_out_of_many_batches_and_the_next_goes_on_there(engine: Engine) -> None:
    campaign = accepted(engine, 1300)
    ids = all_ids(engine, campaign)
    sizes, seen = [], []
    for _ in range(3):
        asked = take(engine)
        sizes.append(len(asked_ids(asked)))
        seen += asked_ids(asked)
        settle(engine, asked)
    assert sizes == [500, 500, 300]
    assert sorted(seen) == ids
    assert take(engine) == []


def test_the_gateways_ids_are_asked_for_and_lead_back_to_ours(engine: Engine) -> None:
    campaign = accepted(engine, 3)
    (asked,) = take(engine)
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT gateway_id, id FROM sms.messages WHERE campaign_id = :id"), {"id": campaign}
        )
        assert asked.message_ids == {row.gateway_id: row.id for row in rows}


def test_small_campaigns_share_a_poll(engine: Engine) -> None:
    for _ in range(7):
        accepted(engine, 70)
    assert len(asked_ids(take(engine))) == 490


def test_a_round_that_stopped_half_way_goes_on_at_the_next_message_and_is_one_round(engine: Engine) -> None:
    campaign = accepted(engine, 600)
    third = batch_ids(engine, campaign)[2]
    ids = all_ids(engine, campaign)
    asked = take(engine)
    assert asked[-1].resume_id == ids[500]
    settle(engine, asked)
    half = batch(engine, third)
    assert (half["poll_resume_id"], half["poll_no"], half["poll_at"]) == (ids[500], 0, DUE)

    rest = take(engine)

    assert asked_ids(rest) == ids[500:]
    settle(engine, rest)
    whole = batch(engine, third)
    assert (whole["poll_resume_id"], whole["poll_no"], whole["poll_at"]) == (None, 1, DUE + HOUR)


def test_a_round_whose_rest_was_settled_by_others_starts_over(engine: Engine) -> None:
    campaign = accepted(engine, 600)
    ids = all_ids(engine, campaign)
    settle(engine, take(engine))
    third = batch_ids(engine, campaign)[2]
    with engine.begin() as connection:
        messages.lock_batches(connection, [third])
        messages.merge_facts(connection, facts(ids[500:], M.DELIVERED, 10), now=DUE)
        messages.recount(connection, [third], now=DUE)
    take(engine)
    assert batch(engine, third)["poll_resume_id"] is None
    assert asked_ids(take(engine)) == ids[400:500]


def test_only_what_has_no_verdict_is_asked_about_again(engine: Engine) -> None:
    campaign = accepted(engine, 400)
    ids = all_ids(engine, campaign)
    assert settle(engine, take(engine), delivered=ids[:150]) == 150
    assert asked_ids(take(engine, now=DUE + HOUR)) == ids[150:]


def test_a_batch_in_which_everybody_has_a_verdict_is_never_due_again(engine: Engine) -> None:
    campaign = accepted(engine, 200)
    settle(engine, take(engine), delivered=all_ids(engine, campaign))
    found = batch(engine, batch_ids(engine, campaign)[0])
    assert (found["state"], found["poll_at"], found["delivered"]) == ("closed", None, 200)


def test_pollers_at_once_never_ask_about_the_same_message_and_leave_none_out(engine: Engine) -> None:
    ids = all_ids(engine, accepted(engine, 4000))
    start = threading.Barrier(4)

    def poll() -> list[int]:
        start.wait(timeout=60)
        found = []
        for _ in range(12):
            asked = take(engine)
            settle(engine, asked)
            found += asked_ids(asked)
        return found

    with ThreadPoolExecutor(4) as pool:
        seen = [id_ for future in [pool.submit(poll) for _ in range(4)] for id_ in future.result()]

    assert sorted(seen) == ids
    with engine.connect() as connection:
        assert lies(connection) == []


def test_what_a_dead_poller_took_is_due_again_when_its_lease_ends(engine: Engine) -> None:
    accepted(engine, 200)
    first = take(engine)
    assert take(engine) == []
    assert asked_ids(take(engine, now=DUE + LEASE)) == asked_ids(first)


def test_a_poll_that_was_put_off_asks_the_same_again_and_costs_no_round(engine: Engine) -> None:
    campaign = accepted(engine, 600)
    asked = take(engine)
    until = DUE + timedelta(seconds=60)
    with engine.begin() as connection:
        polls.put_off(connection, asked, until=until)
    assert {batch(engine, each)["poll_no"] for each in batch_ids(engine, campaign)} == {0}
    assert take(engine, now=until - timedelta(seconds=1)) == []
    assert asked_ids(take(engine, now=until)) == asked_ids(asked)


def test_a_poller_that_comes_back_late_does_not_turn_the_schedule_back(engine: Engine) -> None:
    (only,) = batch_ids(engine, accepted(engine, 10))
    zombie = take(engine)
    second = take(engine, now=DUE + LEASE)
    settle(engine, second, now=DUE + LEASE, after=timedelta(hours=6))
    before = batch(engine, only)
    settle(engine, zombie, now=DUE + LEASE, after=timedelta(seconds=1))
    with engine.begin() as connection:
        polls.put_off(connection, zombie, until=DUE + LEASE)
    assert batch(engine, only) == before


def test_a_window_closes_when_it_ends_and_keeps_the_last_known_status(engine: Engine) -> None:
    campaign = accepted(engine, 600)
    ids = all_ids(engine, campaign)
    settle(engine, take(engine), delivered=ids[:100])
    with engine.begin() as connection:
        connection.execute(text("UPDATE sms.batches SET poll_at = closes_at WHERE poll_at IS NOT NULL"))
        assert polls.close_windows(connection, now=NOW + WINDOW - timedelta(seconds=1)) == 0
        assert polls.close_windows(connection, now=NOW + WINDOW) == 3
        assert polls.close_windows(connection, now=NOW + WINDOW) == 0
    assert states(engine, campaign) == {"delivered": 100, "expired": 500}
    with engine.connect() as connection:
        kept = (
            connection.execute(text("SELECT DISTINCT status FROM sms.messages WHERE state = 'expired'")).scalars().all()
        )
        assert kept == [1]
        assert lies(connection) == []
    assert {batch(engine, each)["state"] for each in batch_ids(engine, campaign)} == {"closed"}


def test_windows_are_closed_a_few_at_a_time(engine: Engine) -> None:
    accepted(engine, 1000)
    with engine.begin() as connection:
        connection.execute(text("UPDATE sms.batches SET poll_at = closes_at"))
        closed = [polls.close_windows(connection, now=NOW + WINDOW, most=2) for _ in range(4)]
    assert closed == [2, 2, 1, 0]


def test_what_the_gateway_no_longer_answers_for_is_not_asked_about(engine: Engine, connection: Connection) -> None:
    """A slot of the pace is spent before the claim: a closed window must not ring for one."""
    accepted(engine, 10)
    connection.execute(text("UPDATE sms.batches SET poll_at = closes_at"))
    assert polls.claim(connection, now=NOW + WINDOW, lease=LEASE) == []
    assert not polls.any_due(connection, now=NOW + WINDOW)


def test_the_next_poll_is_never_after_the_window(engine: Engine) -> None:
    (only,) = batch_ids(engine, accepted(engine, 1))
    settle(engine, take(engine), after=timedelta(days=30))
    assert batch(engine, only)["poll_at"] == NOW + WINDOW


@pytest.mark.parametrize("count", [1, 199, 500, 501])
def test_a_poll_is_one_line_of_evidence_for_each_batch_under_one_call(engine: Engine, count: int) -> None:
    accepted(engine, count)
    settle(engine, take(engine))
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT call_id, messages FROM sms.attempts WHERE kind = 'poll' ORDER BY batch_id")
        ).all()
    assert len({row.call_id for row in rows}) == 1
    assert sum(row.messages for row in rows) == min(count, 500)
