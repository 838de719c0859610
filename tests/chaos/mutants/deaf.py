"""Rings once and never looks again: no lapsed lease is found, and no lost ring is rung a second time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any, cast

from campaigns.house import House
from campaigns.store import due
from worker import wiring
from worker.app import app

__all__ = ["app"]

real_house = wiring.house


def no_lapse(*_: Any, **__: Any) -> list[int]:
    """Whoever died with a claim keeps it."""
    return []


@cache
def deaf_house() -> House:
    house = real_house()
    return replace(house, policy=replace(house.policy, reenqueue_after=timedelta(days=1)))


wiring.house = cast("Any", deaf_house)
due.lapse = no_lapse
