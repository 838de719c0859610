"""Polls of windows that are about to close: the next to close is asked about first, and no message twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, text

from kavenegar_campaigns.store import polls
from kavenegar_campaigns.store.records import PollShare
from tests.store.given import LEASE, NOW, WINDOW, accepted, batch, batch_ids
from tests.store.polling import DUE, all_ids, asked_ids, settle, take

# Accepted almost two days ago: ten minutes are left, and the windows of what was accepted since stay open.
LONG_AGO = NOW - WINDOW + timedelta(minutes=10)
CLOSING_BEFORE = NOW + timedelta(minutes=15)


def take_closing(engine: Engine, *, now: datetime = NOW) -> list[PollShare]:
    with engine.begin() as connection:
        return polls.claim(connection, now=now, lease=LEASE, closing_before=CLOSING_BEFORE)


def put_forward(engine: Engine, campaign: int, poll_at: datetime) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE sms.batches SET poll_at = :at WHERE campaign_id = :id"), {"at": poll_at, "id": campaign}
        )


def test_what_closes_next_is_asked_first_however_long_others_have_been_due(engine: Engine) -> None:
    old = accepted(engine, 600, now=NOW - WINDOW / 2)
    later = accepted(engine, 300, now=LONG_AGO)
    first = accepted(engine, 300, now=LONG_AGO - timedelta(minutes=5))
    for campaign in (later, first):
        put_forward(engine, campaign, NOW)

    untouched = [batch(engine, each) for each in batch_ids(engine, old)]
    assert asked_ids(take_closing(engine)) == [*all_ids(engine, first), *all_ids(engine, later)[:200]]
    assert [batch(engine, each) for each in batch_ids(engine, old)] == untouched
    assert asked_ids(take_closing(engine)) == [*all_ids(engine, later)[200:], *all_ids(engine, old)[:400]]
    assert asked_ids(take_closing(engine)) == all_ids(engine, old)[400:]


def test_a_batch_that_closes_half_asked_goes_on_where_it_stopped(engine: Engine) -> None:
    ids = all_ids(engine, accepted(engine, 600, now=LONG_AGO))
    asked = take_closing(engine)
    assert asked[-1].resume_id == ids[500]
    settle(engine, asked, now=NOW)
    assert asked_ids(take_closing(engine)) == ids[500:]


def test_an_ordinary_poll_takes_the_oldest_due_and_closing_ones_in_their_turn(engine: Engine) -> None:
    old = accepted(engine, 400, now=NOW - WINDOW / 2)
    closing = accepted(engine, 400, now=LONG_AGO)
    put_forward(engine, closing, NOW)
    assert asked_ids(take(engine, now=NOW)) == [*all_ids(engine, old), *all_ids(engine, closing)[:100]]


def test_what_waits_is_counted_and_what_of_it_is_about_to_close(engine: Engine, connection: Connection) -> None:
    accepted(engine, 600, now=NOW - WINDOW / 2)
    accepted(engine, 300, now=LONG_AGO)
    accepted(engine, 100)  # not due yet
    only_ends = accepted(engine, 700, now=LONG_AGO)  # asked for the last time; it waits for its end
    put_forward(engine, only_ends, LONG_AGO + WINDOW)

    def waiting(most_batches: int) -> tuple[int, int]:
        return polls.count_due(connection, now=NOW, closing_before=CLOSING_BEFORE, most_batches=most_batches)

    assert waiting(100) == (900, 300)
    assert waiting(1) == (200, 200)
    assert polls.any_due(connection, now=NOW, closing_before=CLOSING_BEFORE)
    assert not polls.any_due(connection, now=NOW, closing_before=NOW + timedelta(minutes=9))


def test_pollers_of_both_kinds_at_once_never_ask_about_the_same_message(engine: Engine) -> None:
    ids = all_ids(engine, accepted(engine, 1500, now=LONG_AGO)) + all_ids(engine, accepted(engine, 1500))
    start = threading.Barrier(4)

    def poll(claim: Callable[..., list[PollShare]]) -> list[int]:
        start.wait(timeout=60)
        found = []
        for _ in range(8):
            asked = claim(engine, now=DUE)
            settle(engine, asked)
            found += asked_ids(asked)
        return found

    with ThreadPoolExecutor(4) as pool:
        polled = [pool.submit(poll, claim) for claim in (take, take_closing, take, take_closing)]
        seen = [id_ for future in polled for id_ in future.result()]

    assert sorted(set(seen)) == sorted(ids)
    assert len(seen) == len(set(seen))
