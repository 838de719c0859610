"""The ground of a run: its own servers in its own folder; neither is left when the run ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import redis
import requests
from sqlalchemy import Engine, create_engine, make_url, text

import campaigns_devkit
from benchmarks.recipients import SENDER
from campaigns_devkit import SANDBOX_API_KEY, Supervisor
from campaigns_devkit.files import last_lines
from campaigns_devkit.postgres import Postgres
from campaigns_devkit.supervisor import procfile_commands
from campaigns_devkit.valkey import Valkey
from kavenegar_campaigns.store import identity
from kavenegar_campaigns.store.engine import make_engine
from kavenegar_campaigns.store.migrate import upgrade

PROJECT = Path(__file__).resolve().parents[1]

STOP_WITHIN_S = 10.0
LOOK_EVERY_S = 0.1

# Production's times, but for the polls: nobody wants to wait for verdicts of days.
TIMES = {
    "STATUS_POLLS": "2s,3s,4s,5s,6s,8s,10s,12s,15s,20s,30s,45s,60s,2m,3m,5m,10m",
    "LOG_LEVEL": "INFO",
}
DELIVERY = ("--delivery", "0.2s..1s", "--knob", "handover_s=0.1")

_TEMPLATE = "template_of_benchmarks"
_numbers = count(1)


class Unfinished(Exception):
    """The measured work did not end, or ended wrongly; the sentence says which work."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A sandbox gateway in a process of its own."""

    url: str
    pid: int

    def summary(self) -> dict[str, Any]:
        """Return the gateway's own counts of the messages sent."""
        found: dict[str, Any] = requests.get(f"{self.url}/_sandbox/ledger/summary", timeout=60).json()
        return found

    def localids(self) -> list[int]:
        """Return the localids of the messages sent, each as often as it was sent."""
        found = requests.get(f"{self.url}/_sandbox/ledger/stream", timeout=60)
        return [json.loads(line)["localid"] for line in found.text.splitlines()]

    def calls(self) -> dict[str, Any]:
        """Return the calls that the limiter admitted and refused in each second: see sandbox/REFERENCE.md."""
        found: dict[str, Any] = requests.get(f"{self.url}/_sandbox/ledger/calls", timeout=60).json()
        return found

    def turn(self, knobs: Mapping[str, object]) -> None:
        """Turn some knobs while it runs."""
        requests.post(f"{self.url}/_sandbox/knobs", json=dict(knobs), timeout=60).raise_for_status()


@dataclass(frozen=True, slots=True)
class Bench:
    """PostgreSQL and Valkey of this run, and a folder for its files."""

    folder: Path
    home: Path
    database_url: str
    broker_url: str

    def server_pids(self) -> dict[str, int]:
        """The servers that every way of sending shares."""
        found = {"postgres": Postgres(self.home).pid, "valkey": Valkey(self.home).pid}
        return {name: pid for name, pid in found.items() if pid is not None}

    @contextmanager
    def database(self) -> Iterator[Engine]:
        """An empty database at the newest schema, dropped at the end of the block."""
        name = f"bench_{next(_numbers)}"
        self.administer(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}", "CHECKPOINT")
        engine = make_engine(self.url_of(name))
        with engine.begin() as connection:
            identity.record_place(connection)  # it is a copy, and a database of its own all the same
        try:
            yield engine
        finally:
            engine.dispose()
            self.administer(f"DROP DATABASE {name} WITH (FORCE)")

    def administer(self, *statements: str) -> None:
        """Run statements that stand in no transaction."""
        admin = create_engine(self.database_url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
        admin.dispose()

    @contextmanager
    def gateway(self, *, latency_ms: float, knobs: Mapping[str, object] | None = None) -> Iterator[Gateway]:
        """A gateway that has seen nothing, and answers each call after `latency_ms`."""
        ready = self.folder / f"gateway-{next(_numbers)}"
        turned = [f"{name}={json.dumps(value)}" for name, value in {"latency_ms": latency_ms, **(knobs or {})}.items()]
        options = ["--ready-file", str(ready), *DELIVERY, *chain.from_iterable(("--knob", knob) for knob in turned)]
        command = [sys.executable, "-m", "kavenegar_sandbox", "--api-key", SANDBOX_API_KEY, *options]
        with self.running({"sandbox": command}, {"PYTHONPATH": str(PROJECT)}) as supervisor:
            until(ready.exists, within_s=30, what="the start of the sandbox")
            yield Gateway(ready.read_text(), pids(supervisor)["sandbox"])

    @contextmanager
    def workers(
        self, engine: Engine, gateway: Gateway, *, start_rate: float, max_rate: float, senders: int
    ) -> Iterator[Supervisor]:
        """The workers and the beat as the Procfile starts them, `senders` of the sending one, on an empty broker."""
        with redis.Redis.from_url(self.broker_url) as broker:
            broker.flushall()
        settings = {
            "CAMPAIGNS_HOME": str(self.folder),
            "DATABASE_URL": engine.url.render_as_string(hide_password=False),
            "CAMPAIGNS_BROKER_URL": self.broker_url,
            "KAVENEGAR_API_KEY": SANDBOX_API_KEY,
            "KAVENEGAR_BASE_URL": gateway.url,
            "KAVENEGAR_SENDER": SENDER,
            "PACE_START": str(start_rate),
            "PACE_MAX": str(max_rate),
            **TIMES,
        }
        processes = procfile_commands(("worker-send", "worker-poll", "beat"))
        processes |= {f"worker-send-{place}": processes["worker-send"] for place in range(2, senders + 1)}
        with self.running(processes, settings) as supervisor:
            yield supervisor

    @contextmanager
    def running(self, processes: Mapping[str, Sequence[str]], settings: Mapping[str, str]) -> Iterator[Supervisor]:
        """The processes until the end of the block; if it fails, the ends of their logs."""
        logs = self.folder / f"logs-{next(_numbers)}"
        supervisor = Supervisor(processes, {"PATH": os.environ["PATH"], "HOME": str(self.folder), **settings}, logs)
        supervisor.start()
        try:
            yield supervisor
        except Unfinished:
            for log in sorted(logs.glob("*.log")):
                sys.stderr.write("\n".join([f"{log.name} ends with:", *last_lines(log), ""]))
            raise
        finally:
            supervisor.stop(grace_s=STOP_WITHIN_S)

    def url_of(self, database: str) -> str:
        """Another database on the same server."""
        return make_url(self.database_url).set(database=database).render_as_string(hide_password=False)


@contextmanager
def laid() -> Iterator[Bench]:
    """The servers, started; stopped and removed with all their data at the end of the block."""
    with TemporaryDirectory(prefix="campaigns-bench-") as name:
        folder = Path(name)
        with campaigns_devkit.attach(folder / "home") as attached:
            bench = Bench(folder, attached.home, str(attached.database_url), str(attached.broker_url))
            bench.administer(f"CREATE DATABASE {_TEMPLATE}")
            migrated = make_engine(bench.url_of(_TEMPLATE))
            upgrade(migrated)
            migrated.dispose()
            yield bench


def pids(supervisor: Supervisor) -> dict[str, int]:
    """The processes of a supervisor by name. Raises Unfinished where one has died."""
    states = supervisor.states()
    fallen = [state.name for state in states if state.restarts or not state.alive]
    if fallen:
        raise Unfinished(f"{', '.join(fallen)} died")
    return {state.name: state.pid for state in states if state.pid is not None}


def child(module: str, *, within_s: float, **arguments: object) -> dict[str, Any]:
    """Run `python -m module`, which takes a JSON object on its standard input and answers with one.

    Passwords among the arguments are therefore in no list of processes. Raises Unfinished.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", module],
            input=json.dumps(arguments).encode(),
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            check=True,
            timeout=within_s,
        )
    except subprocess.CalledProcessError as why:
        raise Unfinished(f"{module} ended with exit code {why.returncode}") from None
    except subprocess.TimeoutExpired:
        raise Unfinished(f"{module} did not end within {within_s:.0f} s") from None
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def until(condition: Callable[[], bool], *, within_s: float, what: str) -> None:
    """Wait until `condition` holds. Raises Unfinished, naming `what` was waited for."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise Unfinished(f"{what} did not come within {within_s:.0f} s")
        time.sleep(LOOK_EVERY_S)
