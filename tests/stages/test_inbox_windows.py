"""Windows of time: without a gap, within the gateway's two days, and the last one open."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kavenegar_campaigns.stages import inbox
from kavenegar_campaigns.stages.inbox import CLOCK_MARGIN, LONGEST_WINDOW, OPEN_WINDOW, SHORTEST_WINDOW, Window

NOW = datetime(2026, 1, 5, 8, 0, 0, 250_000, tzinfo=UTC)
SPANS = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=70))


def walk(start: datetime, longest: timedelta) -> list[Window]:
    found = [inbox.next_window(start, now=NOW, longest=longest)]
    while (end := found[-1].end) is not None:
        found.append(inbox.next_window(inbox.start_after(end), now=NOW, longest=longest))
    return found


@given(age=SPANS, longest=st.timedeltas(min_value=timedelta(minutes=2), max_value=LONGEST_WINDOW))
def test_windows_follow_each_other_without_a_gap_up_to_an_open_one(age: timedelta, longest: timedelta) -> None:
    found = walk(NOW - age, max(longest, age / 200))

    assert found[0].start <= NOW - age
    for before, after in pairwise(found):
        assert before.end is not None
        assert after.start - before.end == timedelta(seconds=1)
        assert before.start <= before.end <= NOW - CLOCK_MARGIN
        assert before.end - before.start <= timedelta(days=2)
    assert found[-1].end is None
    assert NOW - found[-1].start <= OPEN_WINDOW + timedelta(seconds=1)


def test_two_days_are_two_windows_and_two_months_are_some_thirty() -> None:
    assert len(walk(NOW - timedelta(days=2), LONGEST_WINDOW)) == 2
    assert 30 <= len(walk(NOW - timedelta(days=60), LONGEST_WINDOW)) <= 32


def test_time_that_goes_on_leaves_no_window_of_a_few_seconds_behind() -> None:
    first = inbox.next_window(NOW - OPEN_WINDOW - timedelta(seconds=2), now=NOW)

    assert first.end is not None
    assert first.end - first.start > OPEN_WINDOW / 3


@given(age=SPANS, length=SPANS)
def test_a_half_is_the_older_one_closed_and_no_shorter_than_a_minute(age: timedelta, length: timedelta) -> None:
    whole = Window(NOW - age, None if length >= age else NOW - age + length)

    half = whole.halved(NOW)

    if half is not None:
        assert half.start == whole.start
        assert half.end is not None
        assert half.end <= NOW - CLOCK_MARGIN
        assert half.end - half.start >= SHORTEST_WINDOW - timedelta(seconds=1)
        assert whole.end is None or half.end < whole.end


@pytest.mark.parametrize(("end", "end_s"), [(None, None), (NOW, 1767600000)])
def test_a_span_is_given_in_unix_seconds(end: datetime | None, end_s: int | None) -> None:
    assert Window(NOW - timedelta(seconds=60), end).span == (1767600000 - 60, end_s)
