"""The database as one process sees it: statements in a commit of their own, and a clock that is carried on steadily."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from kavenegar_campaigns.context import Context
from kavenegar_campaigns.store import installation
from kavenegar_campaigns.store.database import CLOCK_TOLERANCE, READING_LASTS_S, READING_WITHIN, DatabaseClock

BEGAN = datetime(2026, 1, 5, 8, tzinfo=UTC)
BELIEVE_AFTER = timedelta(seconds=210)
HOUR = timedelta(hours=1)
ROUNDED = timedelta(microseconds=10)
"""What the steps of the clocks, in floats of seconds, add up to."""
SECOND = timedelta(seconds=1)


@dataclass
class World:
    """A steady clock, and the database's, which can be set."""

    steady_s: float = 1000.0
    ahead: timedelta = timedelta(0)
    takes_s: float = 0.0
    leaps: list[timedelta] = field(default_factory=list)

    @property
    def true(self) -> datetime:
        return BEGAN + timedelta(seconds=self.steady_s)

    def read(self) -> datetime:
        at = self.true + self.ahead
        self.steady_s += self.takes_s
        return at

    def clock(self, on_leap: Callable[[timedelta], None] | None = None) -> DatabaseClock:
        return DatabaseClock(
            self.read, believe_after=BELIEVE_AFTER, on_leap=on_leap or self.leaps.append, now_s=lambda: self.steady_s
        )


@pytest.mark.parametrize("by", [HOUR, -HOUR, timedelta(seconds=3), -timedelta(seconds=3)])
def test_an_excursion_of_ten_seconds_is_never_seen_by_anybody_but_told_once(by: timedelta) -> None:
    world = World()
    clock = world.clock()
    assert clock.now() == world.true
    world.ahead = by
    for _ in range(10):
        world.steady_s += 1
        assert clock.now() == world.true
    assert clock.leap == by
    world.ahead = timedelta(0)
    world.steady_s += READING_LASTS_S + 1
    assert clock.now() == world.true
    assert clock.leap is None
    assert world.leaps == [by]


@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_a_leap_that_stays_is_believed_after_its_time(by: timedelta) -> None:
    world = World()
    clock = world.clock()
    clock.now()
    world.ahead = by
    world.steady_s += READING_LASTS_S + 1
    while world.leaps == []:
        clock.now()
    since = world.steady_s
    while world.steady_s < since + BELIEVE_AFTER.total_seconds():
        assert clock.now() == world.true
        world.steady_s += 7
    clock.check_leap()
    assert clock.now() == world.true + by
    assert clock.leap is None
    assert world.leaps == [by]


def test_another_leap_begins_the_time_anew() -> None:
    world = World()
    clock = world.clock()
    clock.now()
    world.ahead = HOUR
    assert clock.check_leap() == HOUR
    world.steady_s += BELIEVE_AFTER.total_seconds() - 1
    world.ahead = 2 * HOUR
    assert clock.check_leap() == 2 * HOUR
    world.steady_s += 2
    assert clock.check_leap() == 2 * HOUR
    assert clock.now() == world.true
    assert world.leaps == [HOUR, 2 * HOUR]


@given(st.lists(st.tuples(st.floats(0.1, 3600), st.floats(-1.9, 1.9)), max_size=50))
def test_a_clock_that_is_slewed_is_followed_without_a_word(steps: list[tuple[float, float]]) -> None:
    world = World()
    clock = world.clock()
    shown = clock.now()
    for passes_s, slewed_s in steps:
        world.steady_s += passes_s
        world.ahead += timedelta(seconds=slewed_s)
        clock.check_leap()
        before, shown = shown, clock.now()
        assert abs(shown - max(before, world.true + world.ahead)) < timedelta(milliseconds=1)
    assert world.leaps == []


def test_a_machine_that_slept_finds_that_time_has_passed() -> None:
    world = World()
    clock = world.clock()
    clock.now()
    world.steady_s += 7200
    assert clock.now() == world.true
    assert world.leaps == []


def test_a_reading_that_took_long_is_no_leap_and_moves_nothing() -> None:
    world = World()
    clock = world.clock()
    clock.now()
    world.takes_s = READING_WITHIN.total_seconds() + 5
    world.steady_s += READING_LASTS_S + 1
    shown = clock.now()
    assert shown == world.true
    assert (clock.leap, world.leaps) == (None, [])


def test_a_leap_is_seen_by_slow_readings_too() -> None:
    """A database under load is no reason to believe whatever its clock says."""
    world = World()
    clock = world.clock()
    clock.now()
    world.takes_s = READING_WITHIN.total_seconds() + 5
    world.ahead = HOUR
    assert clock.check_leap() is not None
    assert len(world.leaps) == 1
    assert clock.now() == world.true


@given(
    st.floats(0, 3),
    st.lists(st.tuples(st.floats(0.1, 60), st.floats(0, 3), st.floats(0, 1)), min_size=1, max_size=50),
)
def test_time_is_never_behind_and_never_goes_back_however_long_readings_take(
    first_s: float, steps: list[tuple[float, float, float]]
) -> None:
    world = World()
    part = 0.0

    def read() -> datetime:
        world.steady_s += world.takes_s * part
        at = world.true
        world.steady_s += world.takes_s * (1 - part)
        return at

    clock = DatabaseClock(read, believe_after=BELIEVE_AFTER, on_leap=world.leaps.append, now_s=lambda: world.steady_s)
    world.takes_s = first_s
    shown = clock.now()
    for passes_s, takes_s, part in steps:  # noqa: B007 - `read` looks at it
        world.steady_s += passes_s
        world.takes_s = takes_s
        clock.check_leap()
        before, shown = shown, clock.now()
        assert before <= shown
        assert world.true - ROUNDED <= shown <= world.true + timedelta(seconds=first_s) + ROUNDED
    assert world.leaps == []


def test_a_leap_that_could_not_be_told_is_told_at_the_next_reading() -> None:
    world = World()
    away = [True, False]
    reported: list[timedelta] = []

    def report(by: timedelta) -> None:
        if away.pop(0):
            raise ConnectionError
        reported.append(by)

    clock = world.clock(report)
    clock.now()
    world.ahead = HOUR
    with pytest.raises(ConnectionError):
        clock.check_leap()
    assert clock.check_leap() == HOUR
    assert reported == [HOUR]


@pytest.mark.parametrize("reads_at_s", [0.0, 1.0, 2.5, 4.9])
@pytest.mark.parametrize("lasts_s", [0.5, 10.0, 206.0, 209.5, 212.0, 1000.0])
@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_while_a_leap_is_waited_out_for_everybody_nobody_busy_carries_on_another_time(
    by: timedelta, lasts_s: float, reads_at_s: float
) -> None:
    """A dispatcher looks at the clock every second; a sender reads it when it is old; one more starts meanwhile."""
    world, flag = World(), []
    looking, reading = (world.clock(lambda _: flag.append(BEGAN + len(flag) * SECOND)) for _ in range(2))
    looking.now()
    world.steady_s += reads_at_s
    reading.now()
    young = None
    leapt_s, noticed = world.steady_s, False
    while world.steady_s < leapt_s + 700:
        world.ahead = by if world.steady_s < leapt_s + lasts_s else timedelta(0)
        if young is None and world.steady_s > leapt_s + min(lasts_s - 1, 208):
            young = world.clock(lambda _: flag.append(BEGAN + len(flag) * SECOND))
            young.now()
        looking.check_leap()
        noticed = noticed or bool(flag)
        times = [clock.now() for clock in (looking, reading, young) if clock is not None]
        if noticed and looking.waited_out(flag[-1]):
            assert max(times) - min(times) <= CLOCK_TOLERANCE
        world.steady_s += 0.5


def test_a_leap_that_another_process_noticed_is_waited_out_from_when_it_was_heard_of() -> None:
    world = World()
    clock = world.clock()
    clock.now()
    assert not clock.waited_out(BEGAN)
    world.steady_s += BELIEVE_AFTER.total_seconds() + READING_LASTS_S - 1
    assert not clock.waited_out(BEGAN)
    assert not clock.waited_out(BEGAN + SECOND), "a later one begins anew"
    world.steady_s += BELIEVE_AFTER.total_seconds() + READING_LASTS_S - 1
    assert not clock.waited_out(BEGAN + SECOND)
    world.steady_s += 1
    assert clock.waited_out(BEGAN + SECOND)


def test_a_process_that_does_not_believe_the_clock_yet_keeps_everybody_waiting() -> None:
    world = World()
    clock = world.clock()
    clock.now()
    assert not clock.waited_out(BEGAN)
    world.steady_s += BELIEVE_AFTER.total_seconds() + READING_LASTS_S + 1
    world.ahead = CLOCK_TOLERANCE + SECOND
    clock.check_leap()
    assert not clock.waited_out(BEGAN)


# ── statements: on a connection, or on the database ──


def test_a_statement_that_is_given_the_database_is_one_commit_of_its_own(context: Context, engine: Engine) -> None:
    installation.record_credit(context.database, credit_rial=41_000, now=context.now())

    with engine.connect() as connection:
        assert installation.read(connection).credit_rial == 41_000


def test_a_statement_that_is_given_a_connection_is_part_of_its_callers_transaction(
    context: Context, engine: Engine
) -> None:
    before = installation.read(context.database).credit_rial

    with engine.connect() as connection:
        installation.record_credit(connection, credit_rial=41_000, now=context.now())
        assert installation.read(connection).credit_rial == 41_000
        connection.rollback()

    assert installation.read(context.database).credit_rial == before
