"""451: how many calls an address may make, and what happens to one that made more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.limiter import Limiter, limiter
from tests.sandbox.client import Client

T0 = 1_700_000_000.0
STEPS = st.lists(st.integers(0, 2000), min_size=1, max_size=120)  # milliseconds between calls


def limited(kind: str, **knobs: Any) -> Limiter:
    """A limiter with these knobs, their names without `limiter_`."""
    turned = {f"limiter_{name}": value for name, value in knobs.items()}
    return limiter(Knobs().turned({"limiter": kind, **turned}))


def admitted(limit: Limiter, moments: Sequence[float]) -> list[float]:
    return [moment for moment in moments if limit.admits(moment)]


def after(steps: Sequence[int], start: float = T0) -> list[float]:
    """Moments that lie `steps` milliseconds apart."""
    return [start + sum(steps[: place + 1]) / 1000 for place in range(len(steps))]


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    bucket = limited("token_bucket", rate=10, burst=3)
    assert [bucket.admits(T0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.admits(T0 + 0.15), bucket.admits(T0 + 0.15)] == [True, False]
    assert [bucket.admits(T0 + 100) for _ in range(4)] == [True, True, True, False]


def test_a_fixed_window_counts_anew_at_its_boundary() -> None:
    window = limited("fixed_window", rate=2, window_s=10)
    assert [window.admits(T0) for _ in range(21)] == [True] * 20 + [False]
    assert not window.admits(T0 + 9.9)
    assert window.admits(T0 + 10)


def test_a_sliding_window_gives_a_place_back_when_its_call_is_a_window_old() -> None:
    window = limited("sliding_window", rate=0.3, window_s=10)
    assert admitted(window, [T0, T0 + 4, T0 + 5, T0 + 6, T0 + 9.9]) == [T0, T0 + 4, T0 + 5]
    assert admitted(window, [T0 + 10, T0 + 10, T0 + 13.9, T0 + 14]) == [T0 + 10, T0 + 14]


def test_a_boundary_that_a_fixed_window_forgives_a_sliding_one_does_not() -> None:
    moments = [T0 + 0.9] * 10 + [T0 + 1.1] * 10
    assert len(admitted(limited("fixed_window", rate=10), moments)) == 20
    assert len(admitted(limited("sliding_window", rate=10), moments)) == 10


@pytest.mark.parametrize(("counted", "passed"), [(False, 11), (True, 1)])
def test_who_presses_a_sliding_window_that_counts_refused_calls_stays_out(counted: bool, passed: int) -> None:
    window = limited("sliding_window", rate=1, window_s=1, counts_refused=counted)
    assert len(admitted(window, [T0 + place / 2 for place in range(21)])) == passed
    assert window.admits(T0 + 12)


@given(steps=STEPS, calls=st.integers(1, 8), window_s=st.sampled_from((0.5, 1, 3)))
def test_no_stretch_of_a_sliding_windows_length_holds_more_calls_and_none_is_refused_without_need(
    steps: list[int], calls: int, window_s: float
) -> None:
    window = limited("sliding_window", rate=calls / window_s, window_s=window_s)
    passed: list[float] = []
    for now in after(steps):
        room = sum(now - earlier < window_s - 1e-6 for earlier in passed) < calls
        assert window.admits(now) is room
        passed += [now] * room


@given(steps=STEPS, rate=st.integers(1, 20), burst=st.integers(1, 10))
def test_no_stretch_holds_more_than_a_buckets_burst_and_its_rate(steps: list[int], rate: int, burst: int) -> None:
    passed = admitted(limited("token_bucket", rate=rate, burst=burst), after(steps))
    for first, start in enumerate(passed):
        for count, end in enumerate(passed[first:], start=1):
            assert count <= burst + (end - start) * rate + 0.01


@pytest.mark.parametrize("start", [0.0, -5000.0, T0])
@pytest.mark.parametrize("kind", ["token_bucket", "fixed_window", "sliding_window"])
@pytest.mark.parametrize("rate", [3, 7, 10, 40])
def test_calls_made_exactly_at_the_rate_all_pass_whatever_the_epoch(kind: str, rate: int, start: float) -> None:
    limit = limited(kind, rate=rate, burst=1)
    assert all(limit.admits(start + place / rate) for place in range(20 * rate))
    assert not all(limit.admits(start + 30 + place / (rate * 1.1)) for place in range(20 * rate))


@pytest.mark.parametrize("kind", ["fixed_window", "sliding_window"])
def test_a_window_takes_as_many_calls_as_the_product_says_also_where_floats_fall_short(kind: str) -> None:
    assert 0.29 * 100 < 29
    assert len(admitted(limited(kind, rate=0.29, window_s=100), [T0] * 50)) == 29
    assert admitted(limited(kind, rate=0.5, window_s=1), [T0, T0 + 10]) == []


def test_a_call_on_the_boundary_of_a_fixed_window_belongs_to_the_new_one_also_where_floats_fall_short() -> None:
    assert 0.3 // 0.1 < 3
    assert admitted(limited("fixed_window", rate=10, window_s=0.1), [0.2, 0.3]) == [0.2, 0.3]


@pytest.mark.parametrize("kind", ["token_bucket", "fixed_window", "sliding_window"])
def test_a_clock_that_is_set_back_gives_nobody_more(kind: str) -> None:
    limit = limited(kind, rate=5, burst=5)
    assert len(admitted(limit, [T0] * 5 + [T0 - 60] * 9 + [T0] * 9)) == 5


@pytest.mark.parametrize(("extends", "after_penalty"), [(False, True), (True, False)])
def test_calls_made_while_blocked_may_start_the_penalty_anew(extends: bool, after_penalty: bool) -> None:
    limit = limited("token_bucket", rate=1, burst=1, penalty_s=30, extends=extends)
    assert admitted(limit, [T0, T0, T0 + 29]) == [T0]
    assert limit.admits(T0 + 31) is after_penalty
    assert limit.admits(T0 + 62)


def test_a_penalty_that_grows_is_longer_by_each_call_made_while_blocked() -> None:
    limit = limited("token_bucket", rate=1, burst=1, penalty_s=30, penalty_growth_s=10)
    assert admitted(limit, [T0, T0]) == [T0]  # blocked up to 30
    assert admitted(limit, [T0 + 1, T0 + 2, T0 + 29]) == []  # up to 60
    assert admitted(limit, [T0 + 59.9]) == []  # up to 70
    assert admitted(limit, [T0 + 70]) == [T0 + 70]


def test_a_penalty_that_grows_never_has_more_left_than_its_most() -> None:
    limit = limited("token_bucket", rate=1, burst=1, penalty_s=30, penalty_growth_s=10, penalty_most_s=50)
    assert admitted(limit, [T0] * 100) == [T0]
    assert admitted(limit, [T0 + 50]) == [T0 + 50]


def test_a_call_refused_in_a_penalty_uses_nothing_up() -> None:
    limit = limited("sliding_window", rate=1, window_s=10, penalty_s=10, counts_refused=True)
    assert len(admitted(limit, [T0] * 11)) == 10
    assert admitted(limit, [T0 + 5] * 50) == []
    assert len(admitted(limit, [T0 + 10] * 11)) == 10


def test_over_http_every_method_shares_the_allowance_and_the_clock_lifts_the_penalty(
    start: Callable[..., Client],
) -> None:
    sandbox = start(limiter="token_bucket", limiter_rate=0.001, limiter_burst=2, limiter_penalty_s=900)
    codes = [sandbox.code(method) for method in ("account/info", "utils/getdate", "account/info", "sms/send")]
    assert codes == [200, 200, 451, 451]
    sandbox.advance(1001)
    assert sandbox.code("account/info") == 200
    assert sandbox.summary()["codes"]["account/info"] == {"200": 2, "451": 1}


def test_a_call_refused_for_its_pace_sends_nothing(start: Callable[..., Client]) -> None:
    sandbox = start(limiter="sliding_window", limiter_rate=0.0001, limiter_window_s=10000)
    first, second = (sandbox.code("sms/send", {"receptor": "09121234567", "message": "x"}) for _ in range(2))
    assert (first, second) == (200, 451)
    assert sandbox.summary()["messages"] == 1
