"""scripts/chaos [MINUTES] [--messages N] [--seed S] [--no-dedupe] [--[no-]clocks-apart] [--keep]."""

from __future__ import annotations

import argparse
import logging
import secrets
import signal
import sys
from pathlib import Path
from types import FrameType

from tests.chaos.storm.processes import CLOCKS_APART
from tests.chaos.storm.storm_run import Order, run


def main(arguments: list[str] | None = None) -> int:
    """Run a storm. Returns the exit code: 0 every invariant held, 1 one did not, 130 interrupted."""
    order = _order(arguments)
    logging.basicConfig(level=logging.ERROR)
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, _interrupted)
    try:
        return run(order)
    except KeyboardInterrupt:
        sys.stderr.write("chaos: interrupted; everything it started is stopped\n")
        return 130


def _interrupted(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def _order(arguments: list[str] | None) -> Order:
    parser = argparse.ArgumentParser(
        prog="scripts/chaos",
        description="Send campaigns through a storm of faults, then check every message against the gateway's ledger.",
    )
    parser.add_argument("minutes", nargs="?", type=float, default=10, help="how long things go wrong (10)")
    parser.add_argument("--messages", type=int, default=200_000, metavar="N", help="of all campaigns (200000)")
    parser.add_argument("--seed", type=int, default=None, metavar="S", help="replay the storm with this seed")
    parser.add_argument("--no-dedupe", action="store_true", help="the gateway does not drop repeated localids")
    parser.add_argument(
        "--clocks-apart",
        action=argparse.BooleanOptionalAction,
        default=CLOCKS_APART,
        help="some processes live on hosts whose clocks are off",
    )
    parser.add_argument("--keep", action="store_true", help="keep the database and the logs also when all is well")
    given = parser.parse_args(arguments)
    if given.minutes <= 0 or given.messages < 1_000:
        parser.error("it takes more than 0 minutes and at least 1000 messages")
    return Order(
        minutes=given.minutes,
        messages=given.messages,
        seed=given.seed if given.seed is not None else secrets.randbelow(1_000_000),
        dedupe=not given.no_dedupe,
        clocks_apart=given.clocks_apart,
        keep=given.keep,
        folder=Path(".campaigns").resolve(),
    )


if __name__ == "__main__":
    sys.exit(main())
