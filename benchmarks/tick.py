"""The dispatcher's tick: its milliseconds with few and with many messages stored, which ought to be the same."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta
from statistics import median
from typing import Final

import kavenegar_campaigns as campaigns
from benchmarks.bench import Bench, Unfinished
from benchmarks.figures import Row, Table, ratio
from benchmarks.recipients import SENDER, TEXTS, Kind, people
from benchmarks.stored import store
from kavenegar_campaigns.context import Context
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.kavenegar.paced_client import PacedClient
from kavenegar_campaigns.kavenegar.redis_client import connect_redis
from kavenegar_campaigns.rules.batches import BATCH_SIZE
from kavenegar_campaigns.stages import dispatch
from kavenegar_campaigns.store.database import Database

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
        contexts = [stack.enter_context(_context(bench, messages)) for messages in stored]
        quiet = _milliseconds(contexts, expected=0)
        for context in contexts:
            _make_due(context)
        busy = _milliseconds(contexts, expected=DUE)
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


def _milliseconds(contexts: Sequence[Context], *, expected: int) -> list[float]:
    """The median tick of each installation. Time goes on between two, so that what was rung for is rung for again."""
    times = [contexts[0].now() + turn * (contexts[0].policy.reenqueue_after + ONE_SECOND) for turn in range(TICKS)]
    took = [[_tick_ms(context, now, expected) for context in contexts] for now in times]
    return [median(each) for each in zip(*took, strict=True)]


def _tick_ms(context: Context, now: datetime, expected: int) -> float:
    began = time.perf_counter()
    due_work = dispatch.tick(context, now=now)
    took = time.perf_counter() - began
    if len(due_work.send) != expected:
        raise Unfinished(f"a tick rang for {len(due_work.send)} batches instead of {expected}")
    return took * 1000


@contextmanager
def _context(bench: Bench, messages: int) -> Iterator[Context]:
    """A context whose database holds so many messages. A tick calls nobody, so its gateway leads nowhere."""
    pace = Throttle(connect_redis(bench.broker_url), account="benchmarks", start_rate=20, max_rate=20)
    with bench.database() as engine, closing(Client("nobody", "http://127.0.0.1:9")) as client:
        store(engine, messages)
        database = Database(engine)
        yield Context(database, PacedClient(client, pace), pace, database.now)


def _make_due(context: Context) -> None:
    numbers = (number for number, *_ in people(DUE * BATCH_SIZE))
    with context.database.engine.begin() as connection:
        campaign = campaigns.create(connection, recipients=numbers, text=TEXTS[Kind.UNIFORM], sender=SENDER)
        campaigns.start(connection, campaign)
