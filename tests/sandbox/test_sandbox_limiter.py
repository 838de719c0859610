"""451: how many calls an address may make, and what happens to one that made more."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sandbox.client import Client
from worker.sandbox.limiter import FixedWindow, Limiter, TokenBucket

T0 = 1_700_000_000.0


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    bucket = TokenBucket(rate=10, burst=3)
    assert [bucket.take(T0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(T0 + 0.15), bucket.take(T0 + 0.15)] == [True, False]
    assert [bucket.take(T0 + 100) for _ in range(4)] == [True, True, True, False]


def test_a_window_counts_anew_at_its_boundary() -> None:
    window = FixedWindow(rate=2, window_s=10)
    assert [window.take(T0) for _ in range(21)] == [True] * 20 + [False]
    assert not window.take(T0 + 9.9)
    assert window.take(T0 + 10)


@pytest.mark.parametrize(("extends", "after_penalty"), [(False, True), (True, False)])
def test_calls_made_while_blocked_may_make_it_longer(extends: bool, after_penalty: bool) -> None:
    limiter = Limiter(TokenBucket(rate=1, burst=1), penalty_s=30, extends=extends)
    assert limiter.admits(T0)
    assert not limiter.admits(T0)
    assert not limiter.admits(T0 + 29)
    assert limiter.admits(T0 + 31) is after_penalty
    assert limiter.admits(T0 + 62)


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
    sandbox = start(limiter="fixed_window", limiter_rate=0.0001, limiter_window_s=10000)
    first, second = (sandbox.code("sms/send", {"receptor": "09121234567", "message": "x"}) for _ in range(2))
    assert (first, second) == (200, 451)
    assert sandbox.summary()["messages"] == 1
