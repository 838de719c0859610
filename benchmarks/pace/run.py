"""One case: a gateway with a hidden limit, worker processes that call it, and the rate watched meanwhile."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.bench import PROJECT, Bench, Gateway, Unfinished, pids, until
from benchmarks.figures import say
from benchmarks.pace.callers import Orders, read_findings, ready_of
from benchmarks.pace.cases import MAX_RATE, MINUTE, START_RATE, Case, counted
from benchmarks.pace.outcome import Outcome, seconds_of
from benchmarks.pace.watch import Watch
from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.kavenegar.redis_client import connect_redis

WORKERS = 4
LATENCY_MS = 20.0
OTP_EVERY_S = 2.0
READY_WITHIN_S = 120.0

_numbers = count(1)


class Run:
    """A case while it runs; `stop` ends it early."""

    def __init__(self, bench: Bench, case: Case, stop: threading.Event) -> None:
        self._bench, self._case, self._stop = bench, case, stop
        self._account = f"bench-{next(_numbers)}"
        self._watch = Watch(Throttle(connect_redis(bench.broker_url), account=self._account, **self._rates()))
        self._turns: list[tuple[float, float]] = []

    def outcome(self) -> Outcome:
        """Raises Unfinished where a process died or the run was ended early."""
        orders = [self._orders(place) for place in range(WORKERS)]
        with self._bench.gateway(latency_ms=LATENCY_MS, knobs=self._case.knobs()) as gateway:
            with calling(self._bench, gateway, orders) as files:
                self._follow(gateway)
                began_s, seconds = seconds_of(gateway.calls())
            return Outcome(
                case=self._case,
                began_s=began_s,
                turns=self._turns,
                seconds=seconds[: self._case.seconds],
                rates=self._watch.rates,
                pauses=[],  # the workers know them better
                sent=gateway.localids(),
                workers=[read_findings(file) for file in files],
            )

    def _orders(self, place: int) -> Orders:
        return Orders(
            broker=self._bench.broker_url,
            account=self._account,
            place=place,
            otp_every_s=WORKERS * OTP_EVERY_S if self._case.otp else 0.0,
            **self._rates(),
        )

    def _rates(self) -> dict[str, Any]:
        if self._case.fixed:
            return {"start_rate": self._case.limit, "max_rate": self._case.limit, "fixed": True}
        return {"start_rate": START_RATE, "max_rate": MAX_RATE, "fixed": False}

    def _follow(self, gateway: Gateway) -> None:
        """Look at the rate once a second, and change the limit when it is time."""
        began_s = time.monotonic()
        for second in range(1, self._case.seconds + 1):
            if self._stop.wait(max(0.0, began_s + second - time.monotonic())):
                raise Unfinished("it was ended before its time")
            self._watch.look()
            if self._case.changes_by != 1 and not self._turns and second >= self._case.changes_at_s:
                gateway.turn(counted(self._case.last_limit))
                self._turns.append((time.monotonic(), self._case.last_limit))
            if second % MINUTE == 0:
                rate = self._watch.rates[-1].rate
                say(f"  {self._case.label}: minute {second // MINUTE}, rate {rate:.2f}/s")


@contextmanager
def calling(bench: Bench, gateway: Gateway, orders: Sequence[Orders]) -> Iterator[list[Path]]:
    """Processes that call as ordered, all of them at work; at the end of the block their findings are in the files."""
    files = [bench.folder / f"{each.account}-{each.place}.json" for each in orders]
    for file, each in zip(files, orders, strict=True):
        file.write_text(json.dumps({"gateway": gateway.url, "orders": asdict(each)}), encoding="utf-8")
    commands = {file.stem: [sys.executable, "-m", "benchmarks.pace.callers", str(file)] for file in files}
    with bench.running(commands, {"PYTHONPATH": str(PROJECT)}) as supervisor:
        until(lambda: all(ready_of(file).exists() for file in files), within_s=READY_WITHIN_S, what="the callers")
        yield files
        pids(supervisor)
