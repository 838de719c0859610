"""python -m tests.chaos.inbox [--messages N] [--kills K] [--seed S]."""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

import campaigns_devkit
from kavenegar_campaigns.store.engine import make_engine
from kavenegar_campaigns.store.migrate import upgrade
from tests.chaos.inbox import loss
from tests.chaos.inbox.loss import KNOBS, Outcome
from tests.world import Sandbox


def main(arguments: list[str] | None = None) -> int:
    """Run it. Returns the exit code: 0 every message is stored exactly once, 1 one is not, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.inbox", description=loss.__doc__)
    parser.add_argument("--messages", type=int, default=20_000, metavar="N", help="on three lines (20000)")
    parser.add_argument("--kills", type=int, default=None, metavar="K", help="deaths of workers (one a 500 messages)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), metavar="S", help="of every chance")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        with tempfile.TemporaryDirectory(prefix="inbox-chaos-") as folder:
            outcome = _run(Path(folder), given.messages, given.kills or given.messages // 500, given.seed)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; everything it started is stopped\n")
        return 130
    _say(outcome, given.seed)
    return 0 if outcome.exact else 1


def _interrupted(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run(folder: Path, messages: int, kills: int, seed: int) -> Outcome:
    with campaigns_devkit.attach(folder) as servers, Sandbox.start(**KNOBS) as gateway:
        engine = make_engine(str(servers.database_url))
        upgrade(engine)
        environment = {
            "PYTHONPATH": str(Path(__file__).resolve().parents[3]),
            "HOME": str(folder),
            "CAMPAIGNS_HOME": str(folder),
            "DATABASE_URL": str(servers.database_url),
            "BROKER_URL": str(servers.broker_url),
            "KAVENEGAR_API_KEY": gateway.api_key,
            "KAVENEGAR_BASE_URL": gateway.url,
        }
        try:
            return loss.run(
                engine, gateway, environment, folder, messages=messages, kills=kills, seed=seed, say=_say_line
            )
        finally:
            engine.dispose()


def _say_line(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _say(outcome: Outcome, seed: int) -> None:
    calls = ", ".join(f"{count:,} {method}" for method, count in sorted(outcome.calls.items()))
    _say_line(
        f"{outcome.messages:,} came in, {outcome.stored:,} are stored, {outcome.missing:,} missing, "
        f"{outcome.wrong:,} wrong; {outcome.answers_lost:,} answers lost, {outcome.kills:,} workers killed; "
        f"{outcome.seconds:.0f} s; {calls}; seed {seed}"
    )


if __name__ == "__main__":
    sys.exit(main())
