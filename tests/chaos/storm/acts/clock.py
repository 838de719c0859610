"""The database's clock leaps, and is right again after some seconds."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Final

from tests.chaos.storm.scene import Scene

FAR: Final = timedelta(hours=1)


def leap_clock_far(scene: Scene, rng: Random) -> None:
    """Let the clock leap an hour ahead or behind, as when a virtual machine wakes up or a time server is wrong."""
    _leap(scene, rng.choice((FAR, FAR, -FAR)), rng.uniform(8, 12))


def leap_clock_a_little(scene: Scene, rng: Random) -> None:
    _leap(scene, rng.choice((1, -1)) * timedelta(seconds=rng.uniform(1, 20)), rng.uniform(3, 12))


def _leap(scene: Scene, by: timedelta, seconds: float) -> None:
    if scene.stage.ahead:
        return  # it leaps already
    scene.note("database clock leapt", by_s=round(by.total_seconds(), 1), for_s=round(seconds, 1))
    try:
        scene.stage.bend_clock(by)
        scene.last(seconds)
    finally:
        scene.stage.bend_clock(timedelta(0))
    scene.note("database clock right again")
