"""One list, fed from everywhere: by people and lists, and by verdicts in the commit that writes them down."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, text

from kavenegar_campaigns.rules.states import MessageState
from kavenegar_campaigns.rules.suppression import SuppressionReason
from kavenegar_campaigns.store import messages, suppressions
from kavenegar_campaigns.store.records import Fact
from kavenegar_campaigns.store.suppressions import Suppression
from tests.store.given import NOW, accepted, facts, gateway_id
from tests.waiting import PATIENCE_S, until_somebody_waits

M = MessageState
LATER = NOW + timedelta(days=3)
ALI, ZAHRA = "09120000001", "09120000002"


def add(connection: Connection, *numbers: str, reason: str = SuppressionReason.OPTED_OUT, now: datetime = NOW) -> int:
    return suppressions.add(connection, numbers, reason=reason, source="a test", now=now)


def about(connection: Connection, number: str) -> Suppression:
    return suppressions.find(connection, [number])[number]


def reasons(engine: Engine) -> dict[str, str]:
    """Who is suppressed, and why."""
    with engine.connect() as connection:
        return {each.number: each.reason for each in suppressions.newest(connection, limit=1000)}


# ── by people and lists ──


def test_a_number_is_new_once_and_keeps_its_first_reason(connection: Connection) -> None:
    assert add(connection, ALI, ZAHRA, ALI) == 2
    assert add(connection, ALI, reason=SuppressionReason.MANUAL, now=LATER) == 0
    assert about(connection, ALI) == Suppression(ALI, SuppressionReason.OPTED_OUT, "a test", NOW, None)
    assert add(connection) == 0


def test_a_lifted_number_stays_known_and_can_be_suppressed_anew(connection: Connection) -> None:
    add(connection, ALI)
    assert suppressions.lift(connection, [ALI, ZAHRA], now=LATER) == 1
    assert suppressions.lift(connection, [ALI], now=LATER) == 0
    assert about(connection, ALI).lifted_at == LATER
    assert suppressions.newest(connection) == []
    assert list(suppressions.in_pages(connection)) == []

    again = LATER + timedelta(hours=1)
    assert add(connection, ALI, reason=SuppressionReason.BLOCKED, now=again) == 1
    assert about(connection, ALI) == Suppression(ALI, SuppressionReason.BLOCKED, "a test", again, None)


def test_somebody_who_could_not_be_reached_is_told_from_somebody_who_wants_nothing(connection: Connection) -> None:
    add(connection, ALI, reason=SuppressionReason.UNREACHABLE)
    assert add(connection, ALI, reason=SuppressionReason.UNREACHABLE, now=LATER) == 0
    assert add(connection, ALI, reason=SuppressionReason.OPTED_OUT, now=LATER) == 1
    assert add(connection, ALI, reason=SuppressionReason.UNREACHABLE, now=LATER) == 0
    assert about(connection, ALI).reason == SuppressionReason.OPTED_OUT


def test_the_list_is_read_newest_first_by_reason_and_since_a_moment(connection: Connection) -> None:
    add(connection, ALI)
    add(connection, ZAHRA, reason="moved abroad", now=LATER)

    def numbers(found: Sequence[Suppression]) -> list[str]:
        return [each.number for each in found]

    assert numbers(suppressions.newest(connection)) == [ZAHRA, ALI]
    assert numbers(suppressions.newest(connection, reason="moved abroad")) == [ZAHRA]
    assert numbers(suppressions.newest(connection, since=LATER)) == [ZAHRA]
    assert numbers(suppressions.newest(connection, limit=1)) == [ZAHRA]
    assert [numbers(page) for page in suppressions.in_pages(connection, size=1)] == [[ALI], [ZAHRA]]


def test_who_add_the_same_numbers_at_once_in_other_orders_do_not_lock_each_other_out(engine: Engine) -> None:
    start = threading.Barrier(2)

    def write(numbers: list[str]) -> int:
        start.wait(timeout=PATIENCE_S)
        with engine.begin() as connection:
            return add(connection, *numbers)

    with ThreadPoolExecutor(2) as pool:
        for prefix in range(910, 915):
            both = [f"0{prefix}{place:07d}" for place in range(3000)]
            assert sum(pool.map(write, (both, both[::-1]))) == 3000


# ── by what people write ──

LINE, SECOND = "10004346", timedelta(seconds=1)


def writes(connection: Connection, received_at: datetime, *, unread: bool = True) -> int:
    return suppressions.opt_out(connection, LINE, [(ALI, received_at)], unread=unread, now=LATER)


@pytest.mark.parametrize(("received", "counts"), [(-60, 0), (-2, 0), (0, 1), (60, 1)])
def test_an_opt_out_counts_where_it_came_in_after_a_lifting_or_in_the_same_second(
    connection: Connection, received: int, counts: int
) -> None:
    """The gateway tells whole seconds, cut off."""
    add(connection, ALI, now=NOW - timedelta(hours=1))
    suppressions.lift(connection, [ALI], now=NOW + timedelta(milliseconds=700))
    assert writes(connection, NOW + received * SECOND) == counts


def test_of_two_messages_of_one_person_the_later_one_counts(connection: Connection) -> None:
    add(connection, ALI, now=NOW - timedelta(hours=1))
    suppressions.lift(connection, [ALI], now=NOW)
    found = [(ALI, NOW + 5 * SECOND), (ALI, NOW - 5 * SECOND)]
    assert suppressions.opt_out(connection, LINE, found, unread=True, now=LATER) == 1


@pytest.mark.parametrize(("unread", "counts"), [(True, 1), (False, 0)])
def test_what_is_unread_came_in_after_the_last_pull_whatever_its_date_says(
    connection: Connection, unread: bool, counts: int
) -> None:
    """The gateway's clock is hours behind; of what others had read by then, nothing but its date can tell."""
    connection.execute(
        text("""
            INSERT INTO sms.lines (line, every, due_at, reconcile_at, pulled_at)
            VALUES (:line, interval '1 min', :pulled_at, :pulled_at, :pulled_at)
        """),
        {"line": LINE, "pulled_at": NOW + SECOND},
    )
    add(connection, ALI, now=NOW - timedelta(hours=1))
    suppressions.lift(connection, [ALI], now=NOW)
    assert writes(connection, NOW - timedelta(hours=3), unread=unread) == counts


# ── by verdicts ──


def sent_to_all(engine: Engine, campaigns: int, *, recipients: int = 3) -> list[list[int]]:
    """Campaigns to the same recipients, accepted one after the other; the message ids of each, in order."""
    found = [accepted(engine, recipients, now=NOW + timedelta(days=day)) for day in range(campaigns)]
    with engine.connect() as connection:
        ids = text("SELECT id FROM sms.messages WHERE campaign_id = :id ORDER BY id")
        return [list(connection.execute(ids, {"id": campaign}).scalars()) for campaign in found]


def record_verdict(
    engine: Engine, message_id: int, state: MessageState, status: int, *, at: datetime = LATER, after: int = 3
) -> int:
    """A verdict, written down as a poll does; how many messages moved."""
    with engine.begin() as connection:
        return merge(connection, facts([message_id], state, status), now=at, after=after)


def merge(connection: Connection, found: Sequence[Fact], *, now: datetime = LATER, after: int = 0) -> int:
    """Facts, merged as the stages do it, with what follows from their verdicts; how many messages moved."""
    moved = messages.merge_facts(connection, found, now=now)
    suppressions.suppress_by_verdicts(connection, moved, after=after, now=now)
    return len(moved)


def test_whoever_blocked_us_is_suppressed_with_the_verdict(engine: Engine) -> None:
    ((first, second, _),) = sent_to_all(engine, 1)
    with engine.begin() as connection:
        found = [*facts([first], M.BLOCKED, 14), *facts([second], M.DELIVERED, 10)]
        merge(connection, found)  # whatever counts as unreachable
    assert reasons(engine) == {ALI: SuppressionReason.BLOCKED}
    with engine.connect() as connection:
        assert about(connection, ALI).source == f"status 14 of message {first}"
        assert about(connection, ALI).created_at == LATER


def test_a_verdict_and_its_suppression_are_one_commit(engine: Engine) -> None:
    ((first, *_),) = sent_to_all(engine, 1)
    with engine.connect() as connection, connection.begin() as transaction:
        merge(connection, facts([first], M.BLOCKED, 14))
        transaction.rollback()
    assert reasons(engine) == {}


def test_the_third_message_in_a_row_that_did_not_arrive_suppresses_a_number(engine: Engine) -> None:
    one, two, three = sent_to_all(engine, 3)
    record_verdict(engine, one[0], M.UNDELIVERED, 11)
    record_verdict(engine, two[0], M.FAILED, 6)
    assert reasons(engine) == {}
    record_verdict(engine, three[0], M.UNDELIVERED, 11)
    assert reasons(engine) == {ALI: SuppressionReason.UNREACHABLE}


def test_a_message_that_arrived_in_between_begins_the_count_anew(engine: Engine) -> None:
    one, two, three, four = sent_to_all(engine, 4)
    record_verdict(engine, one[0], M.UNDELIVERED, 11, at=LATER)
    record_verdict(engine, two[0], M.DELIVERED, 10, at=LATER + timedelta(hours=1))
    record_verdict(engine, three[0], M.UNDELIVERED, 11, at=LATER + timedelta(hours=2))
    record_verdict(engine, four[0], M.UNDELIVERED, 11, at=LATER + timedelta(hours=3))
    assert reasons(engine) == {}


def test_a_message_that_arrived_in_the_end_does_not_count_as_lost(engine: Engine) -> None:
    one, two, three = sent_to_all(engine, 3)
    record_verdict(engine, one[0], M.UNDELIVERED, 11, at=LATER)
    record_verdict(engine, one[0], M.DELIVERED, 10, at=LATER + timedelta(minutes=1))
    record_verdict(engine, two[0], M.UNDELIVERED, 11, at=LATER + timedelta(hours=2))
    record_verdict(engine, three[0], M.UNDELIVERED, 11, at=LATER + timedelta(hours=3))
    assert reasons(engine) == {}


def test_what_expired_or_was_withdrawn_says_nothing_about_a_number(engine: Engine) -> None:
    one, two, three, four = sent_to_all(engine, 4)
    for hour, (message, state, status) in enumerate(
        [(one, M.UNDELIVERED, 11), (two, M.EXPIRED, 4), (three, M.CANCELLED, 13), (four, M.UNDELIVERED, 11)]
    ):
        record_verdict(engine, message[0], state, status, at=LATER + timedelta(hours=hour), after=3)
    assert reasons(engine) == {}
    record_verdict(engine, one[1], M.UNDELIVERED, 11, after=2)
    record_verdict(engine, three[1], M.CANCELLED, 13, after=2)
    record_verdict(engine, two[1], M.FAILED, 6, after=2)
    assert reasons(engine) == {ZAHRA: SuppressionReason.UNREACHABLE}


def test_calls_that_nobody_answered_say_nothing_about_a_number(engine: Engine) -> None:
    one, two, three = sent_to_all(engine, 3)
    with engine.begin() as connection:
        connection.execute(
            text("""
                UPDATE sms.campaigns SET kind = 'voice'
                 WHERE id = (SELECT campaign_id FROM sms.messages WHERE id = :id)
            """),
            {"id": two[0]},
        )
    for message_ids in (one, two, three):
        record_verdict(engine, message_ids[0], M.UNDELIVERED, 11)
    assert reasons(engine) == {}


def test_where_there_is_no_limit_nobody_becomes_unreachable(engine: Engine) -> None:
    for ids in sent_to_all(engine, 4):
        record_verdict(engine, ids[0], M.UNDELIVERED, 11, after=0)
    assert reasons(engine) == {}


def test_a_fact_that_moves_nothing_counts_nothing(engine: Engine) -> None:
    one, two, three = sent_to_all(engine, 3)
    record_verdict(engine, one[0], M.UNDELIVERED, 11, after=0)
    record_verdict(engine, two[0], M.UNDELIVERED, 11, after=0)
    record_verdict(engine, three[0], M.UNDELIVERED, 11, after=0)
    assert record_verdict(engine, three[0], M.UNDELIVERED, 11, after=3) == 0
    assert record_verdict(engine, three[0], M.BLOCKED, 14, after=3) == 0  # undelivered becomes nothing but delivered
    assert reasons(engine) == {}


def test_a_later_delivery_lifts_nothing_by_itself(engine: Engine) -> None:
    one, *_ = sent_to_all(engine, 1)
    record_verdict(engine, one[0], M.UNDELIVERED, 11, after=1)
    record_verdict(engine, one[0], M.DELIVERED, 10, after=1)
    assert reasons(engine) == {ALI: SuppressionReason.UNREACHABLE}


def test_after_a_person_lifted_a_number_only_what_leaves_then_counts(engine: Engine) -> None:
    """Four campaigns, a day after the other: the first two left before the lifting, whenever their verdicts come."""
    one, two, three, four = sent_to_all(engine, 4)
    with engine.begin() as connection:
        add(connection, ALI, now=NOW)
        suppressions.lift(connection, [ALI], now=NOW + timedelta(days=1, hours=12))
    record_verdict(engine, one[0], M.UNDELIVERED, 11, at=LATER, after=2)
    record_verdict(engine, three[0], M.UNDELIVERED, 11, at=LATER + timedelta(hours=1), after=2)
    record_verdict(engine, two[0], M.UNDELIVERED, 11, at=LATER + timedelta(hours=2), after=2)
    assert reasons(engine) == {}
    record_verdict(engine, four[0], M.UNDELIVERED, 11, at=LATER + timedelta(hours=3), after=2)
    assert reasons(engine) == {ALI: SuppressionReason.UNREACHABLE}


@pytest.mark.parametrize(
    ("lifted", "expected"), [(timedelta(hours=-1), {ALI: SuppressionReason.BLOCKED}), (timedelta(hours=1), {})]
)
def test_whoever_blocked_us_stays_lifted_where_the_message_had_left_before(
    engine: Engine, lifted: timedelta, expected: dict[str, str]
) -> None:
    ((first, *_),) = sent_to_all(engine, 1)
    with engine.begin() as connection:
        add(connection, ALI, now=NOW - timedelta(days=1))
        suppressions.lift(connection, [ALI], now=NOW + lifted)
    record_verdict(engine, first, M.BLOCKED, 14)
    assert reasons(engine) == expected


def test_a_lifting_that_a_verdict_has_to_wait_for_is_not_undone_by_it(engine: Engine) -> None:
    """The verdict was told of a number that was suppressed; it is lifted before the verdict is written down."""
    ((first, *_),) = sent_to_all(engine, 1)
    with engine.begin() as connection:
        add(connection, ALI, reason=SuppressionReason.UNREACHABLE)
    with ThreadPoolExecutor(1) as pool, engine.connect() as person:
        with person.begin():
            suppressions.lift(person, [ALI], now=NOW + timedelta(hours=1))
            waiting = pool.submit(record_verdict, engine, first, M.BLOCKED, 14)
            until_somebody_waits(engine)
        assert waiting.result(timeout=PATIENCE_S) == 1
    assert reasons(engine) == {}


def test_who_is_told_of_as_unreachable_and_as_blocked_at_once_has_blocked_us(engine: Engine) -> None:
    one, two = sent_to_all(engine, 2)
    with engine.begin() as connection:
        found = [*facts([two[0]], M.UNDELIVERED, 11), *facts([one[0]], M.BLOCKED, 14)]
        merge(connection, found, after=1)
    assert reasons(engine) == {ALI: SuppressionReason.BLOCKED}


def test_two_last_verdicts_at_the_same_moment_see_each_other(engine: Engine) -> None:
    one, two = sent_to_all(engine, 2)

    def late() -> int:
        return record_verdict(engine, two[0], M.UNDELIVERED, 11, after=2)

    with ThreadPoolExecutor(1) as pool, engine.connect() as first:
        with first.begin():
            found = facts([one[0]], M.UNDELIVERED, 11)
            assert merge(first, found, after=2) == 1
            waiting = pool.submit(late)
            until_somebody_waits(engine)
        assert waiting.result(timeout=PATIENCE_S) == 1
    assert reasons(engine) == {ALI: SuppressionReason.UNREACHABLE}


def test_many_polls_at_once_suppress_everybody_once_and_nobody_is_missed(engine: Engine) -> None:
    """Three campaigns to sixty people, each told of in pages that overlap in people and not in messages."""
    campaigns = sent_to_all(engine, 3, recipients=60)
    pages = [ids[at : at + 20] for ids in campaigns for at in range(0, 60, 20)]

    def write(page: list[int]) -> int:
        found = [
            Fact(id_, M.BLOCKED if id_ % 2 else M.FAILED, gateway_id(id_), 14 if id_ % 2 else 6) for id_ in page[::-1]
        ]
        with engine.begin() as connection:
            return merge(connection, found, after=3)

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(write, pages)) == 180

    found = reasons(engine)
    assert len(found) == 60
    blocked = sum(reason == SuppressionReason.BLOCKED for reason in found.values())
    assert blocked + sum(reason == SuppressionReason.UNREACHABLE for reason in found.values()) == 60


def test_a_campaigns_suppressed_are_counted_by_reason_even_after_they_were_lifted(engine: Engine) -> None:
    with engine.begin() as connection:
        add(connection, ALI, ZAHRA)
        add(connection, "09120000003", reason="moved abroad")
    campaign = accepted(engine, 5)
    with engine.begin() as connection:
        suppressions.lift(connection, [ALI], now=LATER)
        assert suppressions.reasons(connection, campaign) == {SuppressionReason.OPTED_OUT: 2, "moved abroad": 1}
