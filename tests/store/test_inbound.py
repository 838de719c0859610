"""Inbound messages in the store: each once, linked to what its sender got last, and handed over until it is taken."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, text

from kavenegar_campaigns.errors import NotFound
from kavenegar_campaigns.rules.suppression import SuppressionReason
from kavenegar_campaigns.store import inbound, suppressions
from kavenegar_campaigns.store.inbound import GIVEN_UP_AFTER, RETRY_DELAYS, Arrival, InboundPolicy, Via
from tests import waiting
from tests.store.given import NOW, accepted, running

LINE = "10004346"
FIRST = "09120000001"  # the first recipient of every campaign here
MINUTE = timedelta(minutes=1)


def arrival(id_: int, *, number: str = FIRST, said: str = "سلام", at: datetime = NOW) -> Arrival:
    return Arrival(id_, number, said, at)


def take_in(connection: Connection, *arrivals: Arrival, via: Via = Via.RECEIVE, **watch: bool) -> int:
    return inbound.store_new(connection, LINE, arrivals, via=via, watch=InboundPolicy(**watch), now=NOW)


# ── once ──


def test_a_message_is_stored_once_whoever_brings_it_and_the_first_word_about_it_counts(connection: Connection) -> None:
    assert take_in(connection, arrival(1), arrival(2), arrival(1)) == 2
    assert take_in(connection, arrival(2, said="something else"), arrival(3), via=Via.PAGED) == 1

    found = {each.id: (each.text, each.via) for each in inbound.listed(connection)}
    assert found == {1: ("سلام", "receive"), 2: ("سلام", "receive"), 3: ("سلام", "inboxpaged")}


def test_two_who_bring_the_same_messages_at_once_store_them_once(engine: Engine) -> None:
    """In the opposite order, so that they would wait for each other if the statement kept it."""
    mine = [arrival(id_) for id_ in range(1, 201)]
    with engine.connect() as one, one.begin() as first:
        assert take_in(one, *mine[:100]) == 100
        found: list[int] = []

        def other() -> None:
            with engine.begin() as connection:
                found.append(take_in(connection, *reversed(mine)))

        thread = threading.Thread(target=other)
        thread.start()
        waiting.until_somebody_waits(engine)
        first.commit()
        thread.join(timeout=60)
    assert found == [100]


def test_whatever_people_and_carriers_send_can_be_stored(connection: Connection) -> None:
    odd = ["", "zero\x00character", "half \ud83d of a pair", "😀 ۱۲۳ ‌", "x" * 4000]

    assert take_in(connection, *(arrival(place, said=said) for place, said in enumerate(odd, 1))) == len(odd)

    found = {each.id: each.text for each in inbound.listed(connection)}
    assert (found[2], found[3], found[4]) == ("zerocharacter", "half ? of a pair", "😀 ۱۲۳ ‌")


@pytest.mark.parametrize(
    ("came", "kept"),
    [("+989120000001", FIRST), ("۹۱۲۰۰۰۰۰۰۱", FIRST), ("Bank-Melli", "Bank-Melli"), ("", ""), ("30001", "30001")],
)
def test_a_mobile_number_has_one_spelling_and_anything_else_stays_as_it_came(
    connection: Connection, came: str, kept: str
) -> None:
    take_in(connection, arrival(1, number=came))

    assert inbound.read(connection, 1).number == kept


# ── opting out ──


@pytest.mark.parametrize("said", ["لغو", "لغو۱۱", "لغو 11", "11", "stop"])
def test_whoever_asks_to_be_left_alone_is_suppressed_in_the_same_commit(connection: Connection, said: str) -> None:
    take_in(connection, arrival(1, said=said), arrival(2, number="09120000002", said="ساعت ۱۱ می‌آیم"))

    assert [each.opted_out for each in inbound.listed(connection)] == [False, True]
    known = suppressions.find(connection, [FIRST, "09120000002"])
    assert set(known) == {FIRST}
    assert (known[FIRST].reason, known[FIRST].source) == (SuppressionReason.OPTED_OUT, f"inbox {LINE}")


def test_a_message_that_is_known_already_suppresses_nobody_again(connection: Connection) -> None:
    """A person has lifted it meanwhile: what is gone through again must not undo that."""
    take_in(connection, arrival(1, said="11"))
    connection.execute(text("UPDATE sms.suppressions SET lifted_at = now()"))

    take_in(connection, arrival(1, said="11"), via=Via.PAGED)

    assert suppressions.find(connection, [FIRST])[FIRST].lifted_at is not None


def test_a_sender_that_is_no_mobile_number_cannot_be_suppressed_and_is_stored_all_the_same(
    connection: Connection,
) -> None:
    assert take_in(connection, arrival(1, number="Bank", said="11")) == 1
    assert inbound.read(connection, 1).opted_out


# ── whose answer it is ──


def test_a_message_is_linked_to_the_campaign_that_its_sender_received_last(engine: Engine) -> None:
    accepted(engine, 3, now=NOW - timedelta(days=2))
    last = accepted(engine, 3, now=NOW - timedelta(days=1))
    accepted(engine, 3, now=NOW + MINUTE)  # after the answer
    running(engine, 3, now=NOW - MINUTE)  # never left
    with engine.begin() as connection:
        take_in(connection, arrival(1), arrival(2, number="09129999999"), arrival(3, at=NOW - timedelta(days=3)))
        mine, strange, early = (inbound.read(connection, id_) for id_ in (1, 2, 3))

        assert mine.campaign_id == last
        number = connection.execute(
            text("SELECT number FROM sms.messages WHERE id = :id"), {"id": mine.message_id}
        ).scalar_one()
        assert number == FIRST
    assert (strange.campaign_id, strange.message_id, early.campaign_id) == (None, None, None)


def test_an_answer_within_the_second_of_the_acceptance_counts(engine: Engine) -> None:
    """The gateway tells when a message came in whole seconds."""
    campaign = accepted(engine, 1, now=NOW + timedelta(milliseconds=900))
    with engine.begin() as connection:
        take_in(connection, arrival(1, at=NOW))
        assert inbound.read(connection, 1).campaign_id == campaign


# ── read ──


def test_pages_follow_each_other_without_a_gap_also_where_many_came_in_at_once(connection: Connection) -> None:
    take_in(connection, *(arrival(id_, at=NOW + (id_ % 3) * MINUTE) for id_ in range(1, 11)))

    pages, after = [], None
    while page := inbound.listed(connection, limit=4, after=after):
        pages += page
        after = page[-1].id

    assert [each.id for each in pages] == [8, 5, 2, 10, 7, 4, 1, 9, 6, 3]
    exported = [each.id for page in _in_pages(connection, size=3) for each in page]
    assert exported == [3, 6, 9, 1, 4, 7, 10, 2, 5, 8]


def test_messages_are_found_by_line_campaign_and_time(engine: Engine) -> None:
    campaign = accepted(engine, 1, now=NOW - MINUTE)
    with engine.begin() as connection:
        take_in(connection, arrival(1), arrival(2, number="09129999999", at=NOW - timedelta(days=1)))
        inbound.store_new(connection, "30002626", [arrival(3)], via=Via.RECEIVE, watch=InboundPolicy(), now=NOW)

        assert _ids(inbound.listed(connection, line=LINE)) == {1, 2}
        assert _ids(inbound.listed(connection, campaign_id=campaign)) == {1, 3}
        assert _ids(inbound.listed(connection, since=NOW - MINUTE, line=LINE)) == {1}
        assert _ids(each for page in _in_pages(connection, line="30002626") for each in page) == {3}


def test_a_stranger_is_not_found(connection: Connection) -> None:
    with pytest.raises(NotFound):
        inbound.read(connection, 1)


def test_both_ends_of_a_span_are_counted_to_the_second(connection: Connection) -> None:
    take_in(connection, *(arrival(place + 1, at=NOW + timedelta(seconds=place)) for place in range(5)))

    assert inbound.count_between(connection, LINE, NOW + timedelta(seconds=1), NOW + timedelta(seconds=3)) == 3
    assert inbound.count_between(connection, LINE, NOW + timedelta(seconds=1), None) == 4
    assert inbound.count_between(connection, "30002626", NOW, None) == 0


# ── handed over ──


def test_nobody_is_told_where_nobody_wants_to_be(connection: Connection) -> None:
    take_in(connection, arrival(1))

    assert not inbound.any_to_deliver(connection, now=NOW)
    assert inbound.count_unacknowledged(connection) == (0, 0)


def test_a_message_is_handed_over_at_growing_intervals_until_it_is_taken(connection: Connection) -> None:
    take_in(connection, arrival(1), deliver=True)
    now = NOW

    for delay in (*RETRY_DELAYS, RETRY_DELAYS[-1], RETRY_DELAYS[-1]):
        (handed,) = inbound.claim_due(connection, now=now, most=10)
        assert handed.next_delivery_at == now + delay
        assert inbound.claim_due(connection, now=now + delay - timedelta(seconds=1), most=10) == []
        now += delay

    assert inbound.acknowledge(connection, 1, now=now)
    assert not inbound.acknowledge(connection, 1, now=now)
    assert not inbound.any_to_deliver(connection, now=now + timedelta(days=1))
    assert inbound.read(connection, 1).acknowledged_at == now
    assert inbound.count_unacknowledged(connection) == (0, 0)


def test_after_a_week_a_message_that_nobody_took_is_given_up_and_shown(connection: Connection) -> None:
    take_in(connection, arrival(1), deliver=True)

    inbound.claim_due(connection, now=NOW + GIVEN_UP_AFTER - MINUTE, most=1)
    assert inbound.count_unacknowledged(connection) == (1, 0)
    inbound.claim_due(connection, now=NOW + GIVEN_UP_AFTER, most=1)

    assert not inbound.any_to_deliver(connection, now=NOW + timedelta(days=30))
    assert inbound.count_unacknowledged(connection) == (0, 1)
    assert inbound.acknowledge(connection, 1, now=NOW)


def test_two_who_hand_over_at_once_get_different_messages(engine: Engine) -> None:
    with engine.begin() as connection:
        take_in(connection, *map(arrival, range(1, 9)), deliver=True)
    with engine.connect() as one, engine.connect() as other, one.begin(), other.begin():
        mine = {each.id for each in inbound.claim_due(one, now=NOW, most=4)}
        theirs = {each.id for each in inbound.claim_due(other, now=NOW, most=8)}
    assert mine | theirs == set(range(1, 9))
    assert not mine & theirs


def _ids(found: object) -> set[int]:
    return {each.id for each in found}  # type: ignore[attr-defined]


def _in_pages(connection: Connection, *, line: str | None = None, size: int = 2000) -> list[list[inbound.Inbound]]:
    return list(inbound.in_pages(connection, line=line, campaign_id=None, since=None, size=size))
