"""How long "never seen" proves that a message does not exist."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kavenegar_campaigns.rules.batches import may_resend

SENT_AT = datetime(2026, 1, 5, 8, tzinfo=UTC)
TWELVE_HOURS = timedelta(hours=12)


@pytest.mark.parametrize(
    ("age", "proven"),
    [
        (timedelta(0), True),
        (timedelta(hours=10, minutes=59, seconds=59), True),
        (timedelta(hours=11), False),
        (timedelta(hours=12), False),
        (timedelta(days=30), False),
    ],
)
def test_never_seen_is_a_proof_for_eleven_of_the_twelve_hours(age: timedelta, proven: bool) -> None:
    assert may_resend(SENT_AT, SENT_AT + age, window=TWELVE_HOURS) is proven


@given(window_s=st.integers(12, 10**6), age_s=st.floats(0, 2 * 10**6))
def test_the_proof_ends_before_the_gateway_forgets_and_never_comes_back(window_s: int, age_s: float) -> None:
    window, age = timedelta(seconds=window_s), timedelta(seconds=age_s)
    proven = may_resend(SENT_AT, SENT_AT + age, window=window)
    if proven:
        assert age < window
        assert may_resend(SENT_AT, SENT_AT + age / 2, window=window)
    elif age_s:
        assert not may_resend(SENT_AT, SENT_AT + 2 * age, window=window)


@given(window_s=st.integers(12, 10**6))
def test_some_margin_is_kept_whatever_the_window(window_s: int) -> None:
    window = timedelta(seconds=window_s)
    assert not may_resend(SENT_AT, SENT_AT + window - window / 20, window=window)
