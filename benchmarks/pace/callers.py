"""A worker process: threads that call as often as the pace lets them, through the client our workers use.

`python -m benchmarks.pace.callers FILE` reads its orders from the file and calls until SIGTERM; then it writes what
came of it beside them.
"""

from __future__ import annotations

import json
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import count, islice
from pathlib import Path
from typing import Any

from benchmarks.pace.watch import Pause
from benchmarks.recipients import SENDER, TEXTS, Kind, people
from campaigns_devkit import SANDBOX_API_KEY
from kavenegar_campaigns.errors import OutcomeUnknown, Postpone
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.kavenegar.paced_client import PacedClient
from kavenegar_campaigns.kavenegar.redis_client import connect_redis
from kavenegar_campaigns.rules.pace import Lane

SENDERS = 5
POLL_EVERY_S = 2.0
IDS_A_POLL = 100
OTPS_AT_ONCE = 16
COME_BACK_S = 5.0  # who finds no slot asks again by then, as the dispatcher rings again
TOO_MANY = 451


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """At which pace to call, and with how many threads that send.

    `place` is this process's among those of a case. One-time passwords are asked for at random, one every `otp_every_s`
    in the mean; none where it is 0.
    """

    broker: str
    account: str
    place: int
    start_rate: float
    max_rate: float
    fixed: bool = False
    senders: int = SENDERS
    otp_every_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Otp:
    """A one-time password: when it was asked for and left, and what of it the gate took."""

    asked_s: float
    left_s: float
    wait_s: float


@dataclass(slots=True)
class Findings:
    """The results of the calls: the accepted localids, the sends without an answer, a pause for each 451."""

    accepted: list[int] = field(default_factory=list)
    unanswered: int = 0
    refusals: list[Pause] = field(default_factory=list)
    otps: list[Otp] = field(default_factory=list)


class Caller:
    """The threads of one process and what they found. `stop` ends them all."""

    def __init__(self, gateway_url: str, orders: Orders) -> None:
        throttle = Throttle(
            connect_redis(orders.broker),
            account=orders.account,
            start_rate=orders.start_rate,
            max_rate=orders.max_rate,
            fixed=orders.fixed,
        )
        self.findings = Findings()
        self.stop = threading.Event()
        self._orders = orders
        self._gateway = PacedClient(Client(SANDBOX_API_KEY, gateway_url, pool_size=SENDERS + OTPS_AT_ONCE), throttle)
        self._localids = count((orders.place + 1) * 1_000_000_000)
        self._numbers = [number for number, _, _ in islice(people(4000), orders.place, None, 4)]
        self._messageids: list[int] = []
        self._chance = random.Random(orders.place)  # noqa: S311 - a run is to be repeatable

    def run(self) -> None:
        polling, asking = bool(self._orders.senders), bool(self._orders.otp_every_s)
        work = [self._sends] * self._orders.senders + [self._polls] * polling + [self._otps] * asking
        threads = [threading.Thread(target=each) for each in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    # ── what the threads do ──

    def _sends(self) -> None:
        while not self.stop.is_set():
            self._until_answered(self._send)

    def _polls(self) -> None:
        while not self.stop.wait(self._chance.expovariate(1 / POLL_EVERY_S)):
            if self._messageids:
                self._until_answered(self._poll)

    def _otps(self) -> None:
        with ThreadPoolExecutor(OTPS_AT_ONCE) as pool:
            while not self.stop.wait(self._chance.expovariate(1 / self._orders.otp_every_s)):
                pool.submit(self._otp)

    def _otp(self) -> None:
        asked_s, waits_s, left_s = time.monotonic(), [0.0], [0.0]

        def ask() -> None:
            waits_s.append(self._gateway.acquire_slot(Lane.OTP))
            left_s.append(time.monotonic())
            self._send(Lane.OTP)

        if self._until_answered(ask, waits_s):
            self.findings.otps.append(Otp(asked_s, left_s[-1], sum(waits_s)))

    # ── calls ──

    def _send(self, lane: Lane = Lane.SEND) -> None:
        localid = next(self._localids)
        number, text = self._numbers[localid % len(self._numbers)], TEXTS[Kind.UNIFORM]
        [sent] = self._gateway.send([number], text, sender=SENDER, localids=[localid], lane=lane)
        self.findings.accepted.append(localid)
        self._messageids.append(sent.messageid)

    def _poll(self) -> None:
        self._gateway.status(self._messageids[-IDS_A_POLL:])

    def _until_answered(self, ask: Callable[[], None], waits_s: list[float] | None = None) -> bool:
        """Ask until there is an answer, pausing as told; False where there is none and never will be."""
        while True:
            try:
                ask()
            except OutcomeUnknown:
                self.findings.unanswered += 1
                return False
            except Postpone as why:
                wait_s = self._postponed(why)
                if waits_s is not None:
                    waits_s.append(wait_s)
                if self.stop.wait(wait_s):
                    return False
            else:
                return True

    def _postponed(self, why: Postpone) -> float:
        if why.code == TOO_MANY:
            self.findings.refusals.append(Pause(time.monotonic(), why.retry_after_s))
        return min(why.retry_after_s, COME_BACK_S)


def result_of(orders: Path) -> Path:
    return orders.with_suffix(".result")


def ready_of(orders: Path) -> Path:
    return orders.with_suffix(".ready")


def read_findings(orders: Path) -> Findings:
    """Read the findings of a process that has ended."""
    found: dict[str, Any] = json.loads(result_of(orders).read_text(encoding="utf-8"))
    refusals = [Pause(**each) for each in found["refusals"]]
    return Findings(found["accepted"], found["unanswered"], refusals, [Otp(**each) for each in found["otps"]])


def main(file: Path) -> None:
    instructions = json.loads(file.read_text(encoding="utf-8"))
    caller = Caller(instructions["gateway"], Orders(**instructions["orders"]))
    signal.signal(signal.SIGTERM, lambda *_: caller.stop.set())
    ready_of(file).touch()
    caller.run()
    result_of(file).write_text(json.dumps(asdict(caller.findings)), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
