"""What the pace promises against limits it is not told: the real controller on a clock that need not be waited for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from benchmarks.simulator import Call, Demand, Record, World, quantile, simulate
from kavenegar_campaigns.rules.pace import Lane
from kavenegar_sandbox.knobs import Knobs

Test = TypeVar("Test", bound=Callable[..., None])

MINUTE = 60.0
KINDS = ("token_bucket", "fixed_window", "sliding_window")
WORKERS = 4
NO_LIMIT = Knobs()

kinds = st.sampled_from(KINDS)
seeds = st.integers(0, 10_000)
limits = st.floats(0, 1).map(lambda x: round(2 * 30**x))  # 2 to 60 calls a second, as many below 11 as above
crowds = st.lists(st.builds(Demand, st.sampled_from(list(Lane)), st.integers(1, 24)), min_size=1, max_size=5)


def examples(most: int) -> Callable[[Test], Test]:
    """So many, the same in every run, and not made simpler where one fails: each is minutes of simulated time."""
    return settings(max_examples=most, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate))


def hidden(kind: str, rate: float, penalty_s: float = 0.0, **more: Any) -> Knobs:
    """A limit that lets a second's worth of calls through at once."""
    counted = {"limiter": kind, "limiter_rate": rate, "limiter_burst": max(1.0, rate), "limiter_penalty_s": penalty_s}
    return Knobs().turned({**counted, **more})


# ── a limit that is given ──


@given(highest=st.integers(2, 60), crowd=crowds, fixed=st.booleans(), seed=seeds)
@examples(12)
def test_no_more_calls_leave_in_any_window_than_the_highest_rate_lets(
    highest: int, crowd: Sequence[Demand], fixed: bool, seed: int
) -> None:
    record = simulate(
        World(knobs=NO_LIMIT, for_s=30, demands=crowd, start_rate=highest, max_rate=highest, fixed=fixed, seed=seed)
    )
    for window_s in (0.2, 1.0, 10.0):
        assert record.most_in(window_s) <= highest * window_s + 2


@pytest.mark.parametrize("kind", ["token_bucket", "fixed_window"])  # a sliding window takes no call early by a hair
@pytest.mark.parametrize("limit", [3, 20])
def test_a_fixed_rate_at_the_limit_is_used_fully_and_never_refused(kind: str, limit: int) -> None:
    record = simulate(World(knobs=hidden(kind, limit), for_s=3 * MINUTE, start_rate=limit, fixed=True))
    assert record.use(limit, 5, 3 * MINUTE) >= 0.98
    assert record.refused(0, 3 * MINUTE) == 0


# ── a limit that nobody tells ──


@given(kind=kinds, limit=limits, seed=seeds)
@examples(7)
def test_whatever_the_limit_is_it_is_found_and_hardly_ever_touched(kind: str, limit: int, seed: int) -> None:
    record = simulate(World(knobs=hidden(kind, limit), for_s=10 * MINUTE, max_rate=100, seed=seed))
    assert record.use(limit, 3 * MINUTE, 10 * MINUTE) >= 0.93
    assert record.refused(MINUTE, 10 * MINUTE) <= max(13, 0.01 * len(record.between(MINUTE, 10 * MINUTE)))


@pytest.mark.parametrize("kind", KINDS)
def test_what_other_software_behind_the_same_address_leaves_is_found_too(kind: str) -> None:
    knobs = hidden(kind, 10, limiter_others_rate=4)
    record = simulate(World(knobs=knobs, for_s=10 * MINUTE))
    assert record.use(6, 3 * MINUTE, 10 * MINUTE) >= 0.9
    assert record.share_refused(MINUTE, 10 * MINUTE) <= 0.01


@pytest.mark.parametrize(("penalty_s", "refused", "use"), [(2, 75, 0.92), (10, 40, 0.88), (60, 25, 0.78)])
def test_refusals_in_an_hour_are_bounded_and_the_fewer_the_dearer_they_are(
    penalty_s: float, refused: int, use: float
) -> None:
    record = simulate(World(knobs=hidden("fixed_window", 3, penalty_s), for_s=60 * MINUTE))
    assert record.refused(0, 60 * MINUTE) <= refused
    assert record.use(3, 3 * MINUTE, 60 * MINUTE) >= use


# ── a limit that changes ──

changing = given(
    kind=kinds, limit=st.integers(4, 16), penalty_s=st.sampled_from([0, 2]), at_s=st.floats(180, 240), seed=seeds
)


@changing
@examples(8)
def test_when_the_limit_halves_no_more_than_two_calls_a_worker_are_refused(
    kind: str, limit: int, penalty_s: float, at_s: float, seed: int
) -> None:
    turns = {at_s: hidden(kind, limit // 2, penalty_s)}
    record = simulate(World(knobs=hidden(kind, limit, penalty_s), turns=turns, for_s=at_s + MINUTE, seed=seed))
    assert record.refused(at_s, at_s + MINUTE) <= 2 * WORKERS


@changing
@examples(8)
def test_when_the_limit_doubles_it_is_used_again_within_three_minutes(
    kind: str, limit: int, penalty_s: float, at_s: float, seed: int
) -> None:
    turns = {at_s: hidden(kind, 2 * limit, penalty_s)}
    record = simulate(World(knobs=hidden(kind, limit, penalty_s), turns=turns, for_s=at_s + 3 * MINUTE, seed=seed))
    stretches = [(at_s + begin_s, at_s + begin_s + 20) for begin_s in range(0, 161, 5)]
    assert max(record.use(2 * limit, *stretch) for stretch in stretches) >= 0.9


# ── a block ──


def block_of(knobs: Knobs, **more: Any) -> tuple[Record, Call, Call]:
    """The first block: what happened, the call that began it, and the first that came through after it."""
    record = simulate(World(knobs=knobs, for_s=6 * MINUTE, **more))
    first = next(call for call in record.calls if not call.admitted)
    through = next(call for call in record.calls if call.admitted and call.arrived_s > first.arrived_s and call.probe)
    return record, first, through


@pytest.mark.parametrize("limit", [3, 20])
def test_after_a_block_one_call_at_a_time_finds_out_whether_it_is_over_twice_as_late_each_time(limit: int) -> None:
    record, first, through = block_of(hidden("token_bucket", limit, 30))
    left = [call for call in record.calls if first.answered_s < call.left_s < through.answered_s]
    assert all(call.probe for call in left)
    assert all(later.left_s > earlier.answered_s for earlier, later in pairwise(left))
    waits_s = [later.left_s - earlier.answered_s for earlier, later in pairwise([first, *left])]
    assert len(waits_s) >= 6
    assert waits_s == pytest.approx([0.5 * 2**tries for tries in range(len(waits_s))], rel=0.1, abs=0.15)


@pytest.mark.parametrize("growth", [{"limiter_extends": True}, {"limiter_penalty_growth_s": 2.0}])
@pytest.mark.parametrize("kind", KINDS)
def test_a_block_that_every_call_makes_longer_ends_all_the_same(kind: str, growth: dict[str, Any]) -> None:
    record = simulate(World(knobs=hidden(kind, 5, 5, **growth), for_s=6 * MINUTE))
    assert record.longest_silence_s(0, 6 * MINUTE) <= 20
    assert record.use(5, 3 * MINUTE, 6 * MINUTE) >= 0.8


@pytest.mark.parametrize("lost", [1, 3])
def test_a_probe_without_an_answer_holds_everybody_up_for_seconds_only(lost: int) -> None:
    """Three seconds each, and what the pause was."""
    record = simulate(World(knobs=hidden("token_bucket", 10, 2), for_s=2 * MINUTE, probes_lost=lost))
    assert record.longest_silence_s(0, 2 * MINUTE) <= 3.5 * lost + 5


@pytest.mark.parametrize("crowd", [[Demand(callers=16)], [Demand(callers=30), Demand(Lane.OTP, per_s=1.0)]])
def test_nobody_bursts_out_when_the_block_is_over(crowd: Sequence[Demand]) -> None:
    record = simulate(World(knobs=hidden("token_bucket", 10, 2), for_s=5 * MINUTE, demands=crowd, probes_lost=1))
    assert record.most_in(0.3) <= 6


# ── lanes ──


def shared(rate: float, *crowd: Demand, for_s: float = 2 * MINUTE, warm_up_s: float = 20.0) -> dict[Lane, float]:
    """The parts of the rate that the lanes have, when all always want more."""
    record = simulate(World(knobs=NO_LIMIT, for_s=for_s, demands=crowd, start_rate=rate, fixed=True))
    possible = rate * (for_s - warm_up_s)
    return {lane: calls / possible for lane, calls in record.by_lane(warm_up_s, for_s).items()}


@pytest.mark.parametrize("lane", [Lane.POLL, Lane.HOUSEKEEPING])
@pytest.mark.parametrize("callers", [2, 8, 40])
def test_a_lane_behind_the_sends_has_its_share_and_no_more_than_it_may(lane: Lane, callers: int) -> None:
    parts = shared(10, Demand(Lane.SEND, callers), Demand(lane, callers))
    assert 0.9 * lane.share <= parts[lane] <= lane.cap + 0.02
    assert sum(parts.values()) >= 0.95


@pytest.mark.parametrize("lane", [Lane.OTP, Lane.CLOSING])
@pytest.mark.parametrize("callers", [2, 8, 40])
def test_a_lane_before_the_sends_has_its_share_and_cannot_starve_them(lane: Lane, callers: int) -> None:
    parts = shared(10, Demand(Lane.SEND, callers), Demand(lane, callers))
    assert parts[lane] >= 0.9 * lane.share
    assert parts[Lane.SEND] >= 0.25
    assert sum(parts.values()) >= 0.95


@pytest.mark.parametrize("callers", [2, 8, 40])
def test_no_lane_starves_when_all_want_everything(callers: int) -> None:
    """The shares leave 8 % to the sends; a campaign gets more, for the others do not want everything all the time."""
    parts = shared(10, *(Demand(lane, callers) for lane in Lane))
    assert all(parts.get(lane, 0) >= 0.6 * lane.share for lane in Lane)
    assert parts.get(Lane.SEND, 0) >= 0.03
    assert sum(parts.values()) >= 0.95


@pytest.mark.parametrize("callers", [8, 20, 60])
def test_an_otp_now_and_then_costs_the_sends_its_own_slots_only(callers: int) -> None:
    parts = shared(10, Demand(Lane.SEND, callers), Demand(Lane.OTP, per_s=0.5))
    assert sum(parts.values()) >= 0.95


@given(rate=st.sampled_from([5, 10, 40]), part=st.floats(0.02, 0.3), seed=seeds)
@examples(5)
def test_an_otp_waits_less_than_a_second_while_bulk_takes_all_it_can_get(rate: int, part: float, seed: int) -> None:
    crowd = [Demand(Lane.SEND, 2 * rate + 10), Demand(Lane.POLL, 4), Demand(Lane.OTP, per_s=part * rate)]
    record = simulate(World(knobs=NO_LIMIT, for_s=3 * MINUTE, demands=crowd, start_rate=rate, fixed=True, seed=seed))
    assert quantile(record.waits(Lane.OTP, 10, 3 * MINUTE - 5), 0.99) < 1


@pytest.mark.parametrize("limit", [10, 40])
def test_an_otp_waits_less_than_a_second_also_while_the_limit_is_still_being_felt_for(limit: int) -> None:
    crowd = [Demand(Lane.SEND, 2 * limit + 10), Demand(Lane.POLL, 4), Demand(Lane.OTP, per_s=1.0)]
    record = simulate(World(knobs=hidden("token_bucket", limit), for_s=6 * MINUTE, demands=crowd))
    assert quantile(record.waits(Lane.OTP, MINUTE, 6 * MINUTE - 5), 0.99) < 1
