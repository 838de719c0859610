"""The clocks of our hosts, of the database and of the gateway, beside one another, and what depends on each.

Whatever is due or leased goes by the database's clock, and what is measured goes by a steady clock. So two of our hosts
need not agree on the time; what is off is the time in their logs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final

from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from campaigns.errors import GatewayError
from campaigns.kavenegar.gateway import Gateway
from campaigns.rules.windows import CLOCKS_DIFFER
from worker import queues, wiring
from worker.cli.checkup.finding import Finding, Level
from worker.cli.words import duration

ANSWER_WITHIN_S: Final = 1.0
HOST_OFF_S: Final = 5.0
GATEWAY_OFF_S: Final = 60.0


def host() -> Finding:
    """How far this host's clock is from the database's."""
    return _finding("clock", {"this host": _off_s(time.time())})


def processes(workers: int) -> Iterator[Finding]:
    """How far the clocks are off where beat and so many workers run, which have answered a moment ago."""
    off = dict(_workers(workers))
    try:
        beat = queues.clock_of_beat(wiring.broker())
    except RedisError:
        beat = None  # `broker` says so
    if beat is not None:
        off["beat"] = _off_s(beat)
    if off:
        yield _finding("clocks", off)


def _workers(count: int) -> Iterator[tuple[str, float]]:
    """How far the clock of each worker's host is ahead of the database's: it is compared when the answer comes."""
    from worker.app import app  # noqa: PLC0415 - Celery takes a while to import, and no other command needs it
    from worker.remote import WALL_CLOCK  # noqa: PLC0415 - likewise

    off: dict[str, float] = {}

    def compare(answer: dict[str, dict[str, float]]) -> None:
        off.update({name: _off_s(told["wall_s"]) for name, told in answer.items() if "wall_s" in told})

    with suppress(BrokerError):  # `workers` says so
        app.control.broadcast(WALL_CLOCK, reply=True, timeout=ANSWER_WITHIN_S, limit=count, callback=compare)
    yield from sorted(off.items())


def _off_s(wall_s: float) -> float:
    """How far a clock that says this is ahead of the database's."""
    return wall_s - wiring.database().now().timestamp()


def _finding(name: str, off: Mapping[str, float]) -> Finding:
    """Each clock beside the database's."""
    says = ", ".join(f"{whose}: {_apart(off_s)} the database's" for whose, off_s in off.items())
    if all(abs(off_s) <= HOST_OFF_S for off_s in off.values()):
        return Finding(name, Level.OK, says)
    says += "; times in logs and in Flower are wrong by that, and nothing is sent earlier, later or twice for it"
    return Finding(name, Level.WARN, says, "set the clocks by NTP, of these hosts and of the database's")


def gateway(asked: Gateway) -> Iterator[Finding]:
    """How far the gateway's clock is from the database's."""
    try:
        theirs = asked.getdate().unixtime
    except GatewayError as why:
        yield Finding("gateway clock", Level.WARN, f"it could not be read: {why}")
        return
    off_s = theirs - wiring.database().now().timestamp()
    says = f"the gateway's is {_apart(off_s)} the database's"
    if abs(off_s) <= GATEWAY_OFF_S:
        yield Finding("gateway clock", Level.OK, says)
        return
    says += (
        ": dates that are handed to it are kept by its clock, and beyond "
        f"{duration(CLOCKS_DIFFER.total_seconds())} the ledger and the inbox may miss what lies at a day's edge"
    )
    yield Finding("gateway clock", Level.WARN, says, "set the clock of the database's host by NTP")


def _apart(off_s: float) -> str:
    """`0 s from`, `6 s ahead of`, `5 h behind`: how a clock stands to another one."""
    if round(off_s) == 0:
        return "0 s from"
    return f"{duration(abs(off_s))} {'ahead of' if off_s > 0 else 'behind'}"
