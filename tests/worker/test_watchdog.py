"""When a worker counts as stuck: by the time in which it could have run."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine

from campaigns.house import House
from tests.world import Sandbox, running
from worker.watchdog import Watchdog

PATIENCE = timedelta(seconds=60)
LOOKS_S = 15


class Steady:
    """A steady clock in the hands of the test."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def looked(watchdog: Watchdog, clock: Steady, *, times: int) -> list[bool]:
    """What it finds each time it looks, a quarter of its patience apart."""
    found = []
    for _ in range(times):
        clock.seconds += LOOKS_S
        found.append(watchdog.stuck())
    return found


def test_a_worker_whose_machine_slept_for_an_hour_gets_its_whole_patience_anew(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    running(engine, 200)
    clock = Steady()
    watchdog = Watchdog(house, {"send"}, PATIENCE, now_s=clock)
    clock.seconds += 3600
    sandbox.advance(hours=1)

    assert not watchdog.stuck()
    assert looked(watchdog, clock, times=4) == [False, False, False, True]


def test_a_worker_that_consumes_is_not_stuck_however_much_is_due(
    house: House, engine: Engine, sandbox: Sandbox
) -> None:
    running(engine, 200)
    clock = Steady()
    watchdog = Watchdog(house, {"send"}, PATIENCE, now_s=clock)
    sandbox.advance(hours=1)

    assert looked(watchdog, clock, times=3) == [False] * 3
    watchdog.feed()
    assert looked(watchdog, clock, times=3) == [False] * 3
