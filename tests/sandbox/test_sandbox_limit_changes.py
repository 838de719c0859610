"""A limit that changes while it runs, and an address that others call from too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.limiter import CATCH_UP_MAX, Limiter
from tests.sandbox.client import Client
from tests.sandbox.test_sandbox_limiter import T0, admitted, limited

KINDS = ["token_bucket", "fixed_window", "sliding_window"]


def turn(limit: Limiter, now: float, kind: str, **knobs: Any) -> None:
    limit.turn(Knobs().turned({"limiter": kind, **{f"limiter_{name}": value for name, value in knobs.items()}}), now)


@pytest.mark.parametrize("kind", KINDS)
def test_a_limit_that_halves_or_doubles_forgives_nothing(kind: str) -> None:
    limit = limited(kind, rate=20, burst=20)
    assert len(admitted(limit, [T0] * 15)) == 15
    turn(limit, T0, kind, rate=10, burst=20)
    assert len(admitted(limit, [T0] * 9)) == (5 if kind == "token_bucket" else 0)
    turn(limit, T0, kind, rate=40, burst=20)
    assert len(admitted(limit, [T0] * 99)) == (0 if kind == "token_bucket" else 25)


@pytest.mark.parametrize("kind", KINDS)
def test_the_new_rate_holds_from_the_moment_it_is_turned(kind: str) -> None:
    limit = limited(kind, rate=20, burst=1)
    moments = [place / 100 for place in range(1000)]
    assert 200 <= len(admitted(limit, [T0 + each for each in moments])) <= 201
    turn(limit, T0 + 10, kind, rate=10, burst=1)
    assert 99 <= len(admitted(limit, [T0 + 10 + each for each in moments])) <= 101
    turn(limit, T0 + 20, kind, rate=40, burst=1)
    assert 330 <= len(admitted(limit, [T0 + 20 + each for each in moments])) <= 401  # a call is tried each 10 ms


def test_a_bucket_earns_at_the_old_rate_up_to_the_moment_of_the_change() -> None:
    limit = limited("token_bucket", rate=10, burst=100)
    assert len(admitted(limit, [T0] * 200)) == 100
    turn(limit, T0 + 5, "token_bucket", rate=1, burst=100)
    assert len(admitted(limit, [T0 + 15] * 200)) == 60


def test_a_bucket_that_shrinks_keeps_no_more_than_it_holds() -> None:
    limit = limited("token_bucket", rate=10, burst=100)
    assert limit.admits(T0)
    turn(limit, T0, "token_bucket", rate=10, burst=3)
    assert len(admitted(limit, [T0] * 9)) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_others_who_called_before_the_change_met_the_limit_of_then(kind: str) -> None:
    limit = limited(kind, rate=1, window_s=100, burst=100, others_rate=10)
    assert limit.admits(0.0)
    turn(limit, 50.0, kind, rate=0.01, window_s=100, burst=1)
    limit.catch_up(50.0)
    assert limit.others.admitted == (149 if kind == "token_bucket" else 99)


@pytest.mark.parametrize("kind", KINDS)
def test_a_penalty_that_runs_outlives_a_change_of_the_limit_and_of_the_penalty(kind: str) -> None:
    limit = limited(kind, rate=1, burst=1, penalty_s=60)
    assert admitted(limit, [T0, T0]) == [T0]
    turn(limit, T0 + 1, kind, rate=100, burst=100, penalty_s=5)
    assert admitted(limit, [T0 + 2, T0 + 59.9, T0 + 60]) == [T0 + 60]


@pytest.mark.parametrize("growth", [{"extends": True}, {"penalty_growth_s": 1, "penalty_most_s": 5}])
def test_a_shorter_penalty_never_shortens_the_one_that_runs(growth: dict[str, Any]) -> None:
    limit = limited("token_bucket", rate=1, burst=1, penalty_s=60)
    assert admitted(limit, [T0, T0]) == [T0]
    turn(limit, T0, "token_bucket", rate=1, burst=1, penalty_s=5, **growth)
    assert admitted(limit, [T0 + 1, T0 + 50, T0 + 60]) == [T0 + 60]


def test_another_kind_of_limit_starts_afresh() -> None:
    limit = limited("token_bucket", rate=1, burst=1, penalty_s=60)
    assert admitted(limit, [T0, T0]) == [T0]
    turn(limit, T0, "none")
    assert len(admitted(limit, [T0] * 50)) == 50
    turn(limit, T0, "token_bucket", rate=1, burst=1)
    assert admitted(limit, [T0, T0]) == [T0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("ours", "theirs"), [(0.5, 0.4), (0.8, 0.4), (0.2, 2.0)])
def test_others_behind_the_address_count_as_if_their_calls_had_been_made_one_by_one(
    kind: str, ours: float, theirs: float
) -> None:
    """The limit is 40 a second; `ours` and `theirs` are what is tried, as shares of it."""
    shared = limited(kind, rate=40, burst=10, others_rate=40 * theirs)
    spelt_out = limited(kind, rate=40, burst=10)
    mine = {1000.001 + place / (40 * ours) for place in range(int(600 * ours))}
    others = {1000 + place / (40 * theirs) for place in range(1, int(700 * theirs))}  # from our first call on
    passed = admitted(spelt_out, sorted(moment for moment in mine | others if moment <= max(mine)))
    assert admitted(shared, sorted(mine)) == [moment for moment in passed if moment in mine]
    assert shared.others.admitted == sum(moment in others for moment in passed)


def test_a_call_of_others_that_does_not_fit_blocks_the_address_but_none_makes_the_penalty_longer() -> None:
    limit = limited("token_bucket", rate=1, burst=1, penalty_s=30, extends=True, others_rate=2)
    assert limit.admits(T0)  # theirs at 0.5 does not fit: blocked up to 30.5
    assert not limit.admits(T0 + 0.6)  # ours starts it anew: up to 30.6
    limit.catch_up(T0 + 30.7)
    assert (limit.others.admitted, limit.others.refused) == (0, 61)
    assert limit.admits(T0 + 30.8)


def test_others_may_come_and_go_while_it_runs() -> None:
    limit = limited("sliding_window", rate=10)
    assert len(admitted(limit, [T0 + place / 10 for place in range(100)])) == 100
    turn(limit, T0 + 10, "sliding_window", rate=10, others_rate=5)
    assert len(admitted(limit, [T0 + 10 + place / 4 for place in range(40)])) == 40
    assert (limit.others.admitted, limit.others.refused) == (48, 0)
    turn(limit, T0 + 20, "sliding_window", rate=10)
    assert len(admitted(limit, [T0 + 21 + place / 10 for place in range(100)])) == 100


def test_a_very_long_silence_is_caught_up_with_in_bounded_work() -> None:
    limit = limited("token_bucket", rate=10, burst=10, others_rate=20)
    limit.admits(0.0)
    limit.admits(1e9)
    assert limit.others.admitted + limit.others.refused == CATCH_UP_MAX


def test_over_http_the_limit_changes_under_way_and_the_penalty_stays(start: Callable[..., Client]) -> None:
    sandbox = start(limiter="fixed_window", limiter_rate=0.002, limiter_window_s=1000, limiter_penalty_s=10_000)
    sandbox.turn(limiter_rate=0.003)
    assert [sandbox.code("account/info") for _ in range(4)] == [200, 200, 200, 451]
    sandbox.turn(limiter_rate=1000, latency_ms=1)
    sandbox.admin("DELETE", "knobs")
    assert sandbox.code("account/info") == 451
    sandbox.advance(11_000)
    assert [sandbox.code("account/info") for _ in range(3)] == [200, 200, 451]


@pytest.mark.parametrize(
    "change",
    [
        {"limiter": "leaky_bucket"},
        {"limiter_burst": 0.5},
        {"limiter_window_s": 0},
        {"limiter_counts_refused": 1},
        {"limiter_others_rate": -1},
        {"limiter_penalty_most_s": 0},
        {"limiter_rate": 1e9, "limiter": "sliding_window"},
        {"limiter_penalty_growth_s": 5},
        {"limiter_penalty_growth_s": 5, "limiter_penalty_s": 30, "limiter_extends": True},
        {"limiter_penalty_growth_s": 5, "limiter_penalty_s": 30, "limiter_penalty_most_s": 20},
    ],
)
def test_knobs_of_the_limit_that_make_no_sense_are_refused_by_name(sandbox: Client, change: dict[str, Any]) -> None:
    answer = sandbox.admin("POST", "knobs", change)
    assert answer.status_code == 400
    assert next(iter(change)) in answer.json()["error"]
    assert sandbox.admin("GET", "knobs").json()["limiter"] == "none"
