"""When a batch is asked about next: on its schedule, inside its window, and never twice for the same lateness."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from kavenegar_campaigns.rules.batches import (
    CALLBACK_RECHECKS,
    callback_batch_at,
    next_callback_recheck,
    next_poll,
    quiet_age,
    reduce_polls,
)

ACCEPTED_AT = datetime(2026, 1, 5, 8, tzinfo=UTC)
MINUTES = st.integers(0, 60 * 24 * 4)
SCHEDULES = st.lists(st.integers(1, 60 * 24 * 3), min_size=1, max_size=15, unique=True).map(
    lambda minutes: [timedelta(minutes=minute) for minute in sorted(minutes)]
)


def after(**span: float) -> datetime:
    return ACCEPTED_AT + timedelta(**span)


@given(ages=SCHEDULES, now=MINUTES, window=st.integers(1, 60 * 24 * 4))
def test_the_next_poll_is_the_first_age_to_come_or_the_end_of_the_window(
    ages: list[timedelta], now: int, window: int
) -> None:
    closes_at = after(minutes=window)
    moment = next_poll(ACCEPTED_AT, after(minutes=now), ages=ages, closes_at=closes_at)
    to_come = [ACCEPTED_AT + age for age in ages if ACCEPTED_AT + age > after(minutes=now)]
    assert moment == min([*to_come, closes_at])


@given(ages=SCHEDULES, start=MINUTES, window=st.integers(1, 60 * 24 * 4))
def test_polls_done_on_time_follow_the_schedule_and_end_with_the_window(
    ages: list[timedelta], start: int, window: int
) -> None:
    closes_at = after(minutes=window)
    moments = [after(minutes=start)]
    while moments[-1] < closes_at:
        moments.append(next_poll(ACCEPTED_AT, moments[-1], ages=ages, closes_at=closes_at))
        assert moments[-1] > moments[-2]
    assert len(moments) - 1 <= len(ages) + 1
    assert moments[-1] == max(closes_at, after(minutes=start))


def test_a_batch_of_whom_nobody_could_ask_for_a_day_is_asked_about_once_for_all_that_was_missed() -> None:
    ages = [timedelta(minutes=5), timedelta(hours=1), timedelta(hours=20), timedelta(hours=30)]
    assert next_poll(ACCEPTED_AT, after(hours=24), ages=ages, closes_at=after(hours=48)) == after(hours=30)


def test_an_age_reached_exactly_now_is_the_poll_being_done_and_not_the_next() -> None:
    ages = [timedelta(minutes=5), timedelta(minutes=10)]
    assert next_poll(ACCEPTED_AT, after(minutes=5), ages=ages, closes_at=after(hours=48)) == after(minutes=10)


def test_without_an_age_left_the_window_is_waited_for() -> None:
    assert next_poll(ACCEPTED_AT, after(hours=47), ages=[timedelta(hours=1)], closes_at=after(hours=48)) == after(
        hours=48
    )


# ── callbacks ──


@given(ages=SCHEDULES, window=st.integers(1, 60 * 24 * 4))
def test_while_callbacks_come_the_first_age_stays_and_every_one_from_a_seventy_second_of_the_window_on(
    ages: list[timedelta], window: int
) -> None:
    span = timedelta(minutes=window)
    kept = reduce_polls(ages, window=span)
    assert kept[0] == ages[0]
    assert [age for age in ages if age >= span / 72] == [age for age in kept if age >= span / 72]
    assert [age for age in kept[1:] if age < span / 72] == []


def test_of_the_usual_schedule_two_ages_are_left_out() -> None:
    minutes = (5, 10, 20, 40, 80, 180, 360, 720, 1440, 2160, 2640, 2820)
    usual = [timedelta(minutes=each) for each in minutes]
    window = timedelta(hours=48)
    assert quiet_age(window) == timedelta(minutes=40)
    assert set(usual) - set(reduce_polls(usual, window=window)) == {timedelta(minutes=10), timedelta(minutes=20)}


@given(seen=st.integers(0, 10**6), gather=st.integers(1, 3600))
def test_callbacks_of_one_span_are_asked_about_at_one_moment_and_soon(seen: int, gather: int) -> None:
    span, seen_at = timedelta(seconds=gather), after(seconds=seen / 7)
    asked_at = callback_batch_at(seen_at, window=span)
    assert timedelta(0) < asked_at - seen_at <= span
    assert callback_batch_at(asked_at - timedelta(milliseconds=1), window=span) == asked_at
    assert callback_batch_at(asked_at, window=span) == asked_at + span


def test_a_callback_is_looked_at_again_after_seconds_minutes_and_an_hour_and_then_given_up() -> None:
    moments: list[datetime] = []
    moment: datetime | None = ACCEPTED_AT
    while moment is not None and (moment := next_callback_recheck(ACCEPTED_AT, moment)) is not None:
        moments.append(moment)
    assert moments == [ACCEPTED_AT + age for age in CALLBACK_RECHECKS]
    assert CALLBACK_RECHECKS[0] <= timedelta(seconds=10)
    assert next_callback_recheck(ACCEPTED_AT, after(days=3)) is None
