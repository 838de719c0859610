"""The dispatcher's tick: its milliseconds with few and with many messages stored, which ought to be the same."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta
from statistics import median
from typing import Final

import campaigns
from benchmarks.bench import Bench, Unfinished
from benchmarks.figures import Row, Table, ratio
from benchmarks.recipients import SENDER, TEXTS, Kind, people
from benchmarks.stored import store
from campaigns import dispatch
from campaigns.house import House
from campaigns.kavenegar.client import Client
from campaigns.kavenegar.gateway import Gateway
from campaigns.kavenegar.throttle import Throttle, connect
from campaigns.rules.splitting import BATCH
from campaigns.store.database import Database

TICKS: Final = 100
ONE_SECOND: Final = timedelta(seconds=1)
DUE: Final = 50
"""Batches that every busy tick rings for."""

_NOTE: Final = f"The median of {TICKS} ticks. A busy tick rings for {DUE} batches, a quiet one finds nothing due."


def measure(bench: Bench, stored: tuple[int, ...]) -> list[Table]:
    """A row for each number of messages stored, beside the first.

    Their ticks take turns, so that whatever else the machine does meets all of them alike.
    """
    with ExitStack() as stack:
        houses = [stack.enter_context(_house(bench, messages)) for messages in stored]
        quiet = _milliseconds(houses, expected=0)
        for house in houses:
            _make_due(house)
        busy = _milliseconds(houses, expected=DUE)
    rows: list[Row] = [
        {
            "stored messages": f"{messages:,}",
            "quiet ms": quiet_ms,
            "×": ratio(quiet_ms, quiet[0]),
            "busy ms": busy_ms,
            "× busy": ratio(busy_ms, busy[0]),
        }
        for messages, quiet_ms, busy_ms in zip(stored, quiet, busy, strict=True)
    ]
    return [Table("tick: one tick of the dispatcher", rows, _NOTE)]


def _milliseconds(houses: Sequence[House], *, expected: int) -> list[float]:
    """The median tick of each house. Time goes on between two, so that what was rung for is rung for again."""
    times = [houses[0].now() + turn * (houses[0].policy.reenqueue_after + ONE_SECOND) for turn in range(TICKS)]
    took = [[_tick_ms(house, now, expected) for house in houses] for now in times]
    return [median(each) for each in zip(*took, strict=True)]


def _tick_ms(house: House, now: datetime, expected: int) -> float:
    began = time.perf_counter()
    bells = dispatch.tick(house, now=now)
    took = time.perf_counter() - began
    if len(bells.send) != expected:
        raise Unfinished(f"a tick rang for {len(bells.send)} batches instead of {expected}")
    return took * 1000


@contextmanager
def _house(bench: Bench, messages: int) -> Iterator[House]:
    """A house with so many messages stored. A tick calls nobody, so its gateway leads nowhere."""
    pace = Throttle(connect(bench.broker_url), account="benchmarks", start_rate=20, max_rate=20)
    with bench.database() as engine, closing(Client("nobody", "http://127.0.0.1:9")) as client:
        store(engine, messages)
        database = Database(engine)
        yield House(database, Gateway(client, pace), pace, database.now)


def _make_due(house: House) -> None:
    numbers = (number for number, *_ in people(DUE * BATCH))
    with house.database.engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=numbers, text=TEXTS[Kind.UNIFORM], sender=SENDER)
        campaigns.start(connection, campaign)
