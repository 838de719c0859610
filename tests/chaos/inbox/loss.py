"""Real workers pull three lines, while one answer in ten is lost and workers are killed at random."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from sqlalchemy import Connection, Engine, TextClause, text

from campaigns_devkit.supervisor import procfile_commands
from kavenegar_sandbox.columns import text_digest
from tests.world import SENDER, Sandbox

LINES: Final = (SENDER, "30002626", "2000500")
KNOBS: Final = {"senders": LINES, "latency_ms": 200}
TIMES: Final = {
    "INBOX_LINES": ",".join(f"{line}=1s" for line in LINES),
    "INBOX_RECONCILE": "10s",
    "INBOX_LOOKBACK": "30d",
    "LEASE": "6s",
    "UNKNOWN_GRACE": "3s",
    "HTTP_DEADLINE": "3s",
    "PACE_START": "100",
    "PACE_MAX": "100",
    "POLL_THREADS": "4",
}
LOST: Final = 0.1
BACKLOG: Final = 0.5
"""The share of messages that wait when the workers start, up to twenty days old; the others come in later."""
BACKLOG_AGE_S: Final = 20 * 86_400
PORTIONS: Final = 12
WITHIN_S: Final = 900.0
OLD_ENOUGH_S: Final = 4.0
"""Seconds that a worker takes to start; a younger one is not killed."""

# Is a line being pulled at this moment?
_PULLED: Final = text("SELECT EXISTS (SELECT FROM sms.lines WHERE leased_until > clock_timestamp())")
# Is a line in doubt, or being pulled?
_UNDER_WAY: Final = text("SELECT EXISTS (SELECT FROM sms.lines WHERE needs_reconcile_since IS NOT NULL)")
_STORED: Final = text("SELECT gateway_id, line, number, text FROM sms.inbound")


@dataclass(slots=True)
class Outcome:
    """Counts of a run: messages that came in, messages stored, and losses and deaths meanwhile."""

    messages: int = 0
    stored: int = 0
    missing: int = 0
    wrong: int = 0  # stored with another line, sender or text than at the gateway, or unknown there
    answers_lost: int = 0
    kills: int = 0
    calls: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def exact(self) -> bool:
        """Whether every message is stored once, as at the gateway."""
        return self.stored == self.messages and not self.missing and not self.wrong


class Workers:
    """Runs processes of the Procfile, and starts each again when it dies."""

    def __init__(self, environment: Mapping[str, str], folder: Path, *, pollers: int) -> None:
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._environment = {**environment, **TIMES, "PATH": programs}
        self._folder = folder
        self._commands = dict(procfile_commands(["beat"]))
        *shell, line = procfile_commands(["worker-poll"])["worker-poll"]
        for number in range(1, pollers + 1):
            self._commands[f"poller-{number}"] = [*shell, line.replace("--hostname ", f"--hostname {number}-")]
        self._running: dict[str, tuple[subprocess.Popen[bytes], float]] = {}

    def keep(self) -> None:
        """Start the processes that do not run."""
        for name, command in self._commands.items():
            running = self._running.get(name)
            if running is None or running[0].poll() is not None:
                with (self._folder / f"{name}.log").open("ab") as log:
                    process = subprocess.Popen(
                        command,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        env=self._environment,
                        start_new_session=True,
                    )
                self._running[name] = (process, time.monotonic())

    def kill_one(self, rng: Random) -> bool:
        """Kill a poller that has started, unless it is the only one."""
        now = time.monotonic()
        grown = [
            process
            for name, (process, began) in self._running.items()
            if name.startswith("poller") and process.poll() is None and now - began > OLD_ENOUGH_S
        ]
        if not grown:
            return False
        victim = rng.choice(grown)
        os.killpg(victim.pid, signal.SIGKILL)
        victim.wait(timeout=30)
        return True

    def stop(self) -> None:
        """Kill all processes and wait until they are gone."""
        for process, _ in self._running.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        for process, _ in self._running.values():
            process.wait(timeout=30)


@contextmanager
def working(environment: Mapping[str, str], folder: Path, *, pollers: int) -> Iterator[Workers]:
    """Run workers; they are stopped at the end in any case."""
    workers = Workers(environment, folder, pollers=pollers)
    try:
        workers.keep()
        yield workers
    finally:
        workers.stop()


def run(
    engine: Engine,
    gateway: Sandbox,
    environment: Mapping[str, str],
    folder: Path,
    *,
    messages: int,
    kills: int,
    seed: int,
    every_s: tuple[float, float] = (0.5, 4.0),
    say: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Inject messages, lose answers and kill workers, until every line is at rest. Returns the counts."""
    rng, outcome, began = Random(seed), Outcome(), time.monotonic()
    for method in ("sms/receive", "sms/inboxpaged"):
        gateway.arm("accept_then_drop", method, share=LOST)
    portions = _portions(messages, seed)
    for portion in portions[: len(LINES)]:
        gateway.inject(portion)
    waiting = portions[len(LINES) :]
    next_kill = began + OLD_ENOUGH_S
    with working(environment, folder, pollers=2) as workers:
        while waiting or outcome.kills < kills or not _at_rest(engine, gateway):
            assert time.monotonic() - began < WITHIN_S, (
                f"not at rest after {WITHIN_S:.0f} s: {_progress(engine, gateway)}"
            )
            time.sleep(0.2)
            workers.keep()
            if outcome.kills < kills and time.monotonic() >= next_kill and _asked(engine, _PULLED):
                if workers.kill_one(rng):
                    outcome.kills += 1
                    say(f"{time.monotonic() - began:5.0f} s  killed a worker; {_progress(engine, gateway)}")
                next_kill = time.monotonic() + rng.uniform(*every_s)
            if waiting and rng.random() < 0.15:
                gateway.inject(waiting.pop(0))
    outcome.seconds = time.monotonic() - began
    return _judged(engine, gateway, outcome)


def _portions(messages: int, seed: int) -> list[dict[str, object]]:
    """Return the backlog of each line, and the later messages in portions."""
    old = int(messages * BACKLOG) // len(LINES)
    later, rest = divmod(messages - old * len(LINES), PORTIONS)
    found = [
        {"line": line, "count": old, "age_s": BACKLOG_AGE_S, "seed": seed + place * messages}
        for place, line in enumerate(LINES)
    ]
    found += [
        {
            "line": LINES[place % 3],
            "count": later + (rest if place == 0 else 0),
            "age_s": 30,
            "seed": seed + (3 + place) * messages,
        }
        for place in range(PORTIONS)
    ]
    return [{**portion, "text": "پاسخ {n}"} for portion in found]


def _at_rest(engine: Engine, gateway: Sandbox) -> bool:
    """Whether no message is unread at the gateway and no line in doubt here."""
    return not any(box["unread"] for box in gateway.inbox_summary().values()) and not _asked(engine, _UNDER_WAY)


def _asked(engine: Engine, question: TextClause) -> bool:
    with engine.connect() as connection:
        return bool(connection.execute(question).scalar_one())


def _progress(engine: Engine, gateway: Sandbox) -> str:
    with engine.connect() as connection:
        stored = connection.execute(text("SELECT count(*) FROM sms.inbound")).scalar_one()
    boxes = gateway.inbox_summary().values()
    return (
        f"{stored:,} stored of {sum(box['total'] for box in boxes):,}, {sum(box['unread'] for box in boxes):,} unread"
    )


def _judged(engine: Engine, gateway: Sandbox, outcome: Outcome) -> Outcome:
    theirs = {each["messageid"]: (each["line"], each["sender"], each["text_digest"]) for each in gateway.came_in()}
    with engine.connect() as connection:
        ours = _ours(connection)
    outcome.messages, outcome.stored = len(theirs), len(ours)
    outcome.missing = len(theirs.keys() - ours.keys())
    outcome.wrong = sum(theirs.get(id_) != message for id_, message in ours.items())
    outcome.calls = gateway.summary()["requests"]
    outcome.answers_lost = sum(fault["struck"] for fault in gateway._get("faults")["faults"])
    return outcome


def _ours(connection: Connection) -> dict[int, tuple[str, str, str]]:
    return {
        row.gateway_id: (row.line, row.number, text_digest(row.text.encode())) for row in connection.execute(_STORED)
    }
