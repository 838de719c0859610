"""When the gateway says no, everybody pauses; how long, and what it does to the rate."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from kavenegar_campaigns.errors import Throttled
from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.rules.pace import Lane, LearntRate
from tests.kavenegar.pace import (
    BEGIN,
    EARLY_S,
    MINUTE,
    Clock,
    Crowd,
    compete,
    play,
    probe,
    queue,
    refused,
    turned_away,
)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 900


def pause_of_a_block(throttle: Throttle, clock: Clock, *, probes_refused: int) -> list[float]:
    """A block that outlasts so many probes and is over at the next: the pauses it took."""
    clock.s += MINUTE
    pauses = [throttle.report_throttled(throttle.take(Lane.SEND), 451, 60)]
    pauses += [throttle.report_throttled(probe(throttle, clock), 451, 60) for _ in range(probes_refused)]
    throttle.report_ok(probe(throttle, clock))
    return pauses


# ── everybody pauses ──


@pytest.mark.parametrize("code", [451, 429])
def test_one_workers_block_pauses_all_of_them_and_every_lane(
    make_throttle: Callable[..., Throttle], clock: Clock, code: int
) -> None:
    here, there = make_throttle(), make_throttle()
    assert here.report_throttled(here.take(Lane.SEND), code, 60) == FIRST_PAUSE_S
    for lane in Lane:
        assert refused(there, lane, max_wait_s=0.4).retry_after_s == pytest.approx(FIRST_PAUSE_S)
    view = there.view()
    assert (view.paused_until, view.code) == (BEGIN + timedelta(seconds=FIRST_PAUSE_S), code)
    clock.s = FIRST_PAUSE_S
    assert (there.view().paused_until, there.view().code) == (None, None)


def test_all_slots_reserved_before_a_block_are_void_at_once_and_for_good(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(5, 5)
    first, *waiting = queue(throttle, 5)
    throttle.report_throttled(first, 451, 60)
    assert {turned_away(throttle, slot).retry_after_s for slot in waiting} == {FIRST_PAUSE_S}
    clock.s = 30
    assert {turned_away(throttle, slot).retry_after_s for slot in waiting} == {0}
    assert throttle.reserve(Lane.SEND, max_wait_s=0).probe, "they hold no place in the queue any more"


@pytest.mark.parametrize(("code", "pause_s", "left_s"), [(451, 60, 0.3), (409, 30, 29.8)])
def test_who_sleeps_until_a_slot_finds_that_a_pause_has_begun(
    make_throttle: Callable[..., Throttle], clock: Clock, code: int, pause_s: float, left_s: float
) -> None:
    other = make_throttle(5, 5)
    slot = other.take(Lane.SEND)

    def sleep(seconds: float) -> None:
        other.report_throttled(slot, code, pause_s)
        clock.sleep(seconds)

    with pytest.raises(Throttled) as caught:
        make_throttle(5, 5, sleep=sleep).take(Lane.SEND)
    assert caught.value.retry_after_s == pytest.approx(left_s, abs=1e-5)


def test_a_busy_gateway_pauses_us_for_as_long_as_it_is_said_and_cuts_nothing(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(10, 20)
    slot = throttle.take(Lane.SEND)
    assert [throttle.report_throttled(slot, 409, 2) for _ in range(5)] == [2] * 5
    view = throttle.view()
    assert (view.rate, view.learnt, view.code, view.refusals) == (10, None, 409, 0)
    assert view.paused_until == BEGIN + timedelta(seconds=2)
    clock.s = 2
    slots = queue(throttle, 3)
    assert [slot.wait_s for slot in slots] == pytest.approx([0, 0.1, 0.2], abs=0.001)
    assert not any(slot.probe for slot in slots)


def test_a_shorter_pause_does_not_end_a_longer_one(make_throttle: Callable[..., Throttle]) -> None:
    throttle = make_throttle()
    slot = throttle.take(Lane.SEND)
    assert throttle.report_throttled(slot, 409, 60) == 60
    assert throttle.report_throttled(slot, 409, 2) == 60
    assert throttle.report_throttled(slot, 451, 2) == 60
    assert throttle.view().paused_until == BEGIN + timedelta(seconds=60)


def test_nobody_asks_for_a_pause_longer_than_the_longest(make_throttle: Callable[..., Throttle]) -> None:
    throttle = make_throttle()
    assert throttle.report_throttled(throttle.take(Lane.SEND), 409, 10**6) == LONGEST_PAUSE_S


def test_after_a_busy_gateways_pause_calls_begin_one_step_apart(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(10, 10)
    crowd = Crowd(throttle, clock, gateway=lambda at: 409 if 5 <= at < 6 else None)
    play(clock, [crowd.caller() for _ in range(24)], for_s=20)
    assert crowd.departures.shortest_gap_s() >= 0.1 - EARLY_S
    assert sum(at > 10 for at in crowd.departures.times()) >= 99


# ── how long ──


def test_each_probe_that_is_refused_doubles_the_pause_up_to_a_quarter_of_an_hour(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    pauses = pause_of_a_block(make_throttle(), clock, probes_refused=13)
    assert pauses == pytest.approx([min(0.5 * 2**n, LONGEST_PAUSE_S) for n in range(14)])


def test_the_next_block_begins_with_what_was_enough_for_the_last(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle()
    assert pause_of_a_block(throttle, clock, probes_refused=5)[-1] == 16
    (again,) = pause_of_a_block(throttle, clock, probes_refused=0)
    assert 8 < again <= 16


def test_a_pause_comes_down_to_just_above_what_was_too_short(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle()
    pause_of_a_block(throttle, clock, probes_refused=5)
    for _ in range(7):
        (pause,) = pause_of_a_block(throttle, clock, probes_refused=0)
    assert 8 < pause < 9.6


def test_a_pause_that_was_shortened_too_far_goes_back_to_what_was_enough(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle()
    pause_of_a_block(throttle, clock, probes_refused=5)
    shortened, then = pause_of_a_block(throttle, clock, probes_refused=1)
    assert 8 < shortened < then == 16


def test_a_penalty_that_has_become_milder_is_found_out_in_the_end(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle()
    pause_of_a_block(throttle, clock, probes_refused=5)
    pauses = [pause_of_a_block(throttle, clock, probes_refused=0)[0] for _ in range(20)]
    assert pauses[-1] == FIRST_PAUSE_S


# ── what it does to the rate ──


def test_a_block_cuts_the_rate_once_however_many_calls_were_under_way(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(100, 200)
    under_way = queue(throttle, 24)
    clock.s = 0.24
    rates = []
    for slot in under_way:
        throttle.report_throttled(slot, 451, 60)
        rates.append(throttle.rate())
    assert 50 <= rates[0] < 100
    assert set(rates) == {rates[0]}
    view = throttle.view()
    assert (view.refusals, view.pauses) == (24, 1)


def test_a_probe_that_is_refused_does_not_cut_again(make_throttle: Callable[..., Throttle], clock: Clock) -> None:
    throttle = make_throttle(10, 20)
    throttle.report_throttled(throttle.take(Lane.SEND), 451, 60)
    cut = throttle.rate()
    for _ in range(4):
        throttle.report_throttled(probe(throttle, clock), 451, 60)
    assert throttle.rate() == cut
    assert (throttle.view().refusals, throttle.view().pauses) == (5, 5)


def test_a_block_after_one_that_is_over_cuts_again(make_throttle: Callable[..., Throttle], clock: Clock) -> None:
    throttle = make_throttle(10, 20)
    throttle.report_throttled(throttle.take(Lane.SEND), 451, 60)
    cut = throttle.rate()
    throttle.report_ok(probe(throttle, clock))
    throttle.report_throttled(throttle.take(Lane.SEND), 451, 60)
    assert throttle.rate() < cut


def test_a_block_after_a_busy_gateways_pause_cuts(make_throttle: Callable[..., Throttle], clock: Clock) -> None:
    throttle = make_throttle(10, 20)
    slot = throttle.take(Lane.SEND)
    throttle.report_throttled(slot, 409, 2)
    throttle.report_throttled(slot, 451, 60)
    assert throttle.rate() < 10


def test_a_fixed_rate_is_paused_but_neither_cut_nor_raised(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(10, 20, fixed=True)
    assert throttle.report_throttled(throttle.take(Lane.SEND), 451, 60) == FIRST_PAUSE_S
    refused(throttle, max_wait_s=0.4)
    throttle.report_ok(probe(throttle, clock))
    compete(throttle, clock, {Lane.SEND: 24}, for_s=MINUTE)
    view = throttle.view()
    assert throttle.rate() == view.rate == pytest.approx(9.9)
    assert (view.fixed, view.learnt) == (True, None)


def test_the_rate_never_falls_to_nothing(make_throttle: Callable[..., Throttle], clock: Clock) -> None:
    throttle = make_throttle(5, 5)
    for _ in range(30):
        pause_of_a_block(throttle, clock, probes_refused=0)
    assert throttle.rate() == pytest.approx(0.2)


def test_a_lower_highest_rate_holds_at_once(make_throttle: Callable[..., Throttle]) -> None:
    throttle = make_throttle(5, 50)
    throttle.restore(LearntRate(rate=40, refused=None, at=BEGIN))
    assert throttle.rate() == 40
    lower = make_throttle(5, 8)
    assert lower.rate() == lower.view().rate == 8
    assert [slot.wait_s for slot in queue(lower, 3)] == pytest.approx([0, 1 / 8, 2 / 8], abs=1e-5)


def test_a_rate_that_is_fully_used_climbs_to_the_highest_and_no_further(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(1, 3)
    rates = [1.0]
    for _ in range(5):
        compete(throttle, clock, {Lane.SEND: 12}, for_s=15)
        rates.append(throttle.rate())
    assert rates == sorted(rates)
    assert (rates[-1], throttle.view().max_rate) == (3, 3)


def test_a_rate_that_is_not_used_does_not_climb(make_throttle: Callable[..., Throttle], clock: Clock) -> None:
    throttle = make_throttle(10, 20)
    for _ in range(100):
        clock.s += 10
        throttle.take(Lane.SEND)
    assert throttle.rate() == 10


# ── a highest rate that is lowered for a while ──


def test_what_was_learnt_outlives_a_highest_rate_that_was_lowered_for_a_while(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(5, 50)
    throttle.restore(LearntRate(rate=40, refused=44, at=BEGIN))
    lower = make_throttle(5, 8)
    compete(lower, clock, {Lane.SEND: 24}, for_s=2 * MINUTE)
    assert lower.rate() == 8
    assert lower.learnt() == throttle.learnt() == LearntRate(rate=40, refused=44, at=BEGIN)
    assert throttle.rate() == 40
    compete(throttle, clock, {Lane.SEND: 96}, for_s=5)
    assert throttle.rate() == 40, "held first, as after a block, before it feels its way up"


def test_what_was_learnt_without_a_rate_that_held_outlives_it_too(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(40, 50)
    throttle.report_throttled(throttle.take(Lane.SEND), 451, 60)
    throttle.report_ok(probe(throttle, clock))
    learnt, rate = throttle.learnt(), throttle.rate()
    lower = make_throttle(5, 8)
    compete(lower, clock, {Lane.SEND: 24}, for_s=8)
    assert (lower.rate(), lower.learnt()) == (8, learnt)
    fixed = make_throttle(3, 3, fixed=True)
    compete(fixed, clock, {Lane.SEND: 24}, for_s=8)
    assert (fixed.learnt(), throttle.learnt(), throttle.rate()) == (learnt, learnt, rate)


def test_a_refusal_at_a_lowered_highest_rate_is_learnt_from(
    make_throttle: Callable[..., Throttle], clock: Clock
) -> None:
    throttle = make_throttle(5, 50)
    throttle.restore(LearntRate(rate=40, refused=44, at=BEGIN))
    lower = make_throttle(5, 8)
    compete(lower, clock, {Lane.SEND: 24}, for_s=MINUTE)
    lower.report_throttled(lower.take(Lane.SEND), 451, 60)
    assert throttle.rate() == lower.rate() == pytest.approx(0.96 * 8, rel=0.03)
