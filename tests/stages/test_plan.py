"""A campaign is approved and steered: what each move does, what it refuses, and what two people at once can do."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.errors import BadInput, IllegalMove, NotFound
from kavenegar_campaigns.rules.states import CampaignState
from kavenegar_campaigns.stages import plan
from kavenegar_campaigns.store import due
from tests.waiting import PATIENCE_S, until_somebody_waits
from tests.world import SENDER, numbers

C = CampaignState
NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
TOMORROW = NOW + timedelta(days=1)


@pytest.fixture
def engine(emptied: Engine) -> Engine:
    return emptied


@pytest.fixture
def draft(engine: Engine) -> int:
    """A campaign of 450 recipients."""
    with engine.begin() as connection:
        return campaigns.create(connection, recipients=numbers(450), text="سلام", sender=SENDER)


def batches(connection: Connection, campaign: int) -> list[tuple[int, str, datetime]]:
    rows = connection.execute(
        text("SELECT last_id - first_id + 1, state, due_at FROM sms.batches WHERE campaign_id = :id ORDER BY first_id"),
        {"id": campaign},
    )
    return [(row[0], row[1], row[2]) for row in rows]


def enqueue(connection: Connection, now: datetime) -> list[int]:
    return due.enqueue_ready(connection, now=now, since=now - timedelta(seconds=10), room=100)


def suppress(connection: Connection, *found: str) -> None:
    for number in found:
        connection.execute(
            text("INSERT INTO sms.suppressions (number, reason, source) VALUES (:number, 'opt-out', 'test')"),
            {"number": number},
        )


def test_starting_cuts_a_campaign_into_batches_of_two_hundred_due_at_once(engine: Engine, draft: int) -> None:
    with engine.begin() as connection:
        started = plan.start(connection, draft, now=NOW)
        assert (started.state, started.started_at) == (C.RUNNING, NOW)
        assert batches(connection, draft) == [(200, "ready", NOW), (200, "ready", NOW), (50, "ready", NOW)]


def test_starting_twice_cuts_once(engine: Engine, draft: int) -> None:
    with engine.begin() as connection:
        plan.start(connection, draft, now=NOW)
        plan.start(connection, draft, now=NOW + timedelta(hours=1))
        assert len(batches(connection, draft)) == 3
        assert campaigns.get(connection, draft).started_at == NOW


def test_a_campaign_for_tomorrow_waits_for_its_time_and_begins_by_itself(engine: Engine, draft: int) -> None:
    with engine.begin() as connection:
        assert plan.start(connection, draft, now=NOW, at=TOMORROW).state is C.SCHEDULED
        assert due.begin_scheduled(connection, now=TOMORROW - timedelta(seconds=1)) == []
        assert due.begin_scheduled(connection, now=TOMORROW) == [draft]
        assert len(enqueue(connection, TOMORROW)) == 3


def test_a_campaign_created_for_a_time_starts_at_that_time(engine: Engine) -> None:
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=numbers(1), text="سلام", sender=SENDER, start_at=TOMORROW)
        assert plan.start(connection, campaign, now=NOW).state is C.SCHEDULED
        assert plan.start(connection, campaign, now=TOMORROW).state is C.RUNNING


def test_a_time_that_has_passed_means_now(engine: Engine, draft: int) -> None:
    with engine.begin() as connection:
        assert plan.start(connection, draft, now=NOW, at=NOW - timedelta(days=1)).state is C.RUNNING
        assert len(enqueue(connection, NOW)) == 3


def test_a_scheduled_campaign_that_is_started_now_leaves_now(engine: Engine, draft: int) -> None:
    with engine.begin() as connection:
        plan.start(connection, draft, now=NOW, at=TOMORROW)
        assert plan.start(connection, draft, now=NOW, at=NOW).state is C.RUNNING
        assert len(enqueue(connection, NOW)) == 3


@pytest.mark.parametrize("hours", [1, 48], ids=["sooner", "later"])
def test_a_scheduled_campaign_can_be_given_another_time_or_says_that_it_cannot(
    engine: Engine, draft: int, hours: int
) -> None:
    other = NOW + timedelta(hours=hours)
    with engine.begin() as connection:
        plan.start(connection, draft, now=NOW, at=TOMORROW)
        try:
            plan.start(connection, draft, now=NOW, at=other)
        except IllegalMove:
            assert campaigns.get(connection, draft).start_at == TOMORROW
            return
        assert campaigns.get(connection, draft).start_at == other
        assert due.begin_scheduled(connection, now=other) == [draft]
        assert len(enqueue(connection, other)) == 3


def test_a_time_without_a_zone_is_bad_input(engine: Engine, draft: int) -> None:
    with engine.begin() as connection, pytest.raises(BadInput, match="time zone"):
        campaigns.start(connection, draft, at=datetime(2030, 1, 1))  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize(
    ("at", "sentence"),
    [
        (datetime.fromisoformat("1405-09-10T10:00+03:30"), "1405 is a year of the Persian calendar.*give 2026-12-01"),
        (NOW - timedelta(days=3), "has passed 3 days ago"),
    ],
    ids=["of the Persian calendar", "long past"],
)
def test_a_time_that_nobody_means_starts_nothing(engine: Engine, draft: int, at: datetime, sentence: str) -> None:
    with engine.begin() as connection:
        with pytest.raises(BadInput, match=f"the time to begin: .*{sentence}"):
            plan.start(connection, draft, now=NOW, at=at)
        assert campaigns.get(connection, draft).state is C.DRAFT


def test_a_draft_whose_time_has_long_passed_is_not_begun_at_once(engine: Engine) -> None:
    with engine.begin() as connection:
        draft = campaigns.create(connection, recipients=numbers(1), text="سلام", sender=SENDER, start_at=TOMORROW)
        late = TOMORROW + timedelta(days=3)
        with pytest.raises(BadInput, match="has passed 3 days ago: give a time to come, or the present one"):
            plan.start(connection, draft, now=late)
        assert plan.start(connection, draft, now=late, at=late).state is C.RUNNING


def test_a_draft_is_not_created_for_a_time_of_the_persian_calendar(engine: Engine) -> None:
    at = datetime.fromisoformat("1405-09-10T10:00+03:30")
    with engine.begin() as connection, pytest.raises(BadInput, match="start_at: 1405 is a year of the Persian cal"):
        campaigns.create(connection, recipients=numbers(1), text="سلام", sender=SENDER, start_at=at)


def test_what_was_created_and_started_in_time_is_the_same_however_late_it_is_asked_for_again(engine: Engine) -> None:
    with engine.begin() as connection:
        order = {"recipients": list(numbers(1)), "text": "سلام", "sender": SENDER, "key": "once"}
        first = campaigns.create(connection, **order)  # type: ignore[arg-type]
        again = campaigns.create(connection, **order, start_at=NOW - timedelta(days=999))  # type: ignore[arg-type]
        assert again == first
        plan.start(connection, first, now=NOW, at=NOW)
        assert plan.start(connection, first, now=NOW + timedelta(days=9), at=NOW).state is C.RUNNING


def test_messages_since_a_day_of_the_middle_ages_are_asked_for_by_mistake(engine: Engine) -> None:
    with engine.begin() as connection, pytest.raises(BadInput, match="since: 1405 is a year of the Persian calendar"):
        campaigns.list_inbound(connection, since=datetime(1405, 9, 10, tzinfo=UTC))


def test_who_is_suppressed_is_left_out_before_anything_is_cut(engine: Engine, draft: int) -> None:
    with engine.begin() as connection:
        suppress(connection, *numbers(450)[:3], "09350000000")
        plan.start(connection, draft, now=NOW)
        progress = campaigns.progress(connection, draft)
        assert (progress.counts["suppressed"], progress.counts["pending"]) == (3, 447)


def test_a_campaign_in_which_everybody_is_suppressed_is_over_at_once(engine: Engine) -> None:
    with engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=numbers(2), text="سلام", sender=SENDER)
        suppress(connection, *numbers(2))
        plan.start(connection, campaign, now=NOW)
        assert enqueue(connection, NOW) == []
        assert due.finish_campaigns(connection, now=NOW) == [campaign]
        assert campaigns.get(connection, campaign).state is C.FINISHED


def test_pausing_keeps_the_reason_and_resuming_forgets_it(engine: Engine, draft: int) -> None:
    with engine.begin() as connection:
        plan.start(connection, draft, now=NOW)
        paused = plan.pause(connection, draft, now=NOW, reason="wrong text")
        assert (paused.state, paused.hold_reason) == (C.PAUSED, "wrong text")
        assert enqueue(connection, NOW) == []
        resumed = plan.resume(connection, draft, now=NOW + timedelta(hours=1))
        assert (resumed.state, resumed.hold_reason, resumed.started_at) == (C.RUNNING, None, NOW)
        assert len(enqueue(connection, NOW + timedelta(hours=1))) == 3


def test_a_scheduled_campaign_that_was_paused_still_waits_for_its_time(engine: Engine, draft: int) -> None:
    with engine.begin() as connection:
        plan.start(connection, draft, now=NOW, at=TOMORROW)
        plan.pause(connection, draft, now=NOW)
        assert due.begin_scheduled(connection, now=TOMORROW) == []
        assert plan.resume(connection, draft, now=NOW).state is C.SCHEDULED
        plan.pause(connection, draft, now=NOW)
        assert plan.resume(connection, draft, now=TOMORROW).state is C.RUNNING


def _finished(connection: Connection, campaign: int) -> None:
    plan.start(connection, campaign, now=NOW)
    connection.execute(text("DELETE FROM sms.batches"))
    assert due.finish_campaigns(connection, now=NOW) == [campaign]


def _cancelled(connection: Connection, campaign: int) -> None:
    plan.cancel(connection, campaign, now=NOW)


def _started(connection: Connection, campaign: int) -> None:
    plan.start(connection, campaign, now=NOW)


def _paused(connection: Connection, campaign: int) -> None:
    plan.start(connection, campaign, now=NOW)
    plan.pause(connection, campaign, now=NOW)


def _drafted(connection: Connection, campaign: int) -> None:
    """As it was loaded."""


@pytest.mark.parametrize(
    ("given", "move", "sentence"),
    [
        (_drafted, plan.pause, "cannot become paused"),
        (_drafted, plan.resume, "is draft"),
        (_paused, plan.start, r"is paused.*`campaigns resume \d+`"),
        (_started, plan.resume, "is running"),
        (_finished, plan.start, "finished"),
        (_finished, plan.resume, "finished"),
        (_finished, plan.pause, "is finished: nothing of it is left that could be paused$"),
        (_finished, plan.cancel, "is finished: nothing of it is left that could be cancelled$"),
        (_cancelled, plan.start, "cancelled"),
        (_cancelled, plan.resume, "cancelled"),
        (_cancelled, plan.pause, "is cancelled: nothing more of it is sent, and it cannot become paused$"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_an_illegal_move_says_where_the_campaign_stands(
    engine: Engine, draft: int, given: Callable[[Connection, int], None], move: Callable[..., Any], sentence: str
) -> None:
    with engine.begin() as connection:
        given(connection, draft)
        before = campaigns.get(connection, draft)
        with pytest.raises(IllegalMove, match=sentence):
            move(connection, draft, now=NOW)
        assert campaigns.get(connection, draft) == before


@pytest.mark.parametrize("move", [plan.start, plan.pause, plan.resume, plan.cancel])
def test_there_is_nothing_to_move_where_there_is_no_campaign(engine: Engine, move: Callable[..., Any]) -> None:
    with engine.begin() as connection, pytest.raises(NotFound, match="no campaign 4711"):
        move(connection, 4711, now=NOW)


def test_a_draft_that_is_cancelled_has_no_message_that_still_waits(engine: Engine, draft: int) -> None:
    with engine.begin() as connection:
        plan.cancel(connection, draft, now=NOW)
        due.cancel_unsent(connection, now=NOW)
        due.finish_campaigns(connection, now=NOW)
        over = campaigns.progress(connection, draft)
        assert over.campaign.finished_at == NOW
        assert over.counts["pending"] == 0
        assert over.counts["cancelled"] == 450


def test_a_campaign_that_two_people_start_at_once_is_cut_once(engine: Engine, draft: int) -> None:
    """One schedules it, the other starts it now: every message must still stand in one batch."""

    def start_now() -> None:
        with engine.begin() as connection:
            plan.start(connection, draft, now=NOW)

    with ThreadPoolExecutor(1) as pool, engine.connect() as first:
        with first.begin():
            plan.start(first, draft, now=NOW, at=TOMORROW)
            second = pool.submit(start_now)
            until_somebody_waits(engine)
        second.result(timeout=PATIENCE_S)
    with engine.connect() as connection:
        assert sum(size for size, *_ in batches(connection, draft)) == 450


def test_a_transaction_that_is_rolled_back_leaves_no_campaign(engine: Engine) -> None:
    with Session(engine) as session:
        campaign = campaigns.create(session, recipients=numbers(10), text="سلام", sender=SENDER)
        campaigns.start(session, campaign)
        assert campaigns.progress(session, campaign).batches == 1
        session.rollback()
        assert campaigns.newest(session) == []
        left = session.execute(text("SELECT (SELECT count(*) FROM sms.messages) + (SELECT count(*) FROM sms.batches)"))
        assert left.scalar_one() == 0
