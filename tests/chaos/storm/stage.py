"""The servers and processes of a storm: as in production, with short times, and with ways to hurt and to heal them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import redis
from sqlalchemy import Engine

from campaigns.store.database import Database, make_engine
from campaigns.store.migrate import upgrade
from tests.chaos import audit
from tests.world import SENDER, Sandbox
from worker import embedded
from worker.embedded.gateway import Gateway
from worker.embedded.postgres import Postgres
from worker.embedded.procfile import commands
from worker.embedded.servers import Server
from worker.embedded.supervisor import Supervisor
from worker.embedded.valkey import Valkey

LEASE: Final = timedelta(seconds=15)
SETTLE: Final = timedelta(seconds=6)
HTTP_DEADLINE: Final = timedelta(seconds=3)

TIMES: Final = {
    "LEASE": f"{LEASE.total_seconds():.0f}s",
    "UNKNOWN_SETTLE": f"{SETTLE.total_seconds():.0f}s",
    "HTTP_DEADLINE": f"{HTTP_DEADLINE.total_seconds():.0f}s",
    "RING_AGAIN": "3s",
    "ACCOUNT_PROBE": "3s",
    "STATUS_POLLS": "3s,6s,10s,15s,20s,30s,45s,60s,90s,2m,3m,4m,5m,7m,10m,15m,20m,30m",
}

SENDERS: Final = ("worker-send-1", "worker-send-2")
POLLERS: Final = ("worker-poll-1", "worker-poll-2")
BEATS: Final = ("beat-1", "beat-2")

# What two processes of one line of the Procfile must not share: their name for Celery, or a file.
_OWN: Final = {"worker-send": "send@", "worker-poll": "poll@", "beat": "beat-schedule"}
_SERVERS: Final[Mapping[str, type[Server]]] = {"postgres": Postgres, "valkey": Valkey, "sandbox": Gateway}


def processes() -> dict[str, list[str]]:
    """Name → command: two of each, from the Procfile."""
    found = {}
    for name in (*SENDERS, *POLLERS, *BEATS):
        role, _, number = name.rpartition("-")
        *shell, line = commands([role])[role]
        found[name] = [*shell, line.replace(_OWN[role], f"{number}-{_OWN[role]}")]
    return found


@dataclass(frozen=True, slots=True)
class Stage:
    """What a storm happens to."""

    home: Path
    servers: embedded.Attached
    engine: Engine
    database: Database
    gateway: Sandbox
    processes: Supervisor

    def strike(self, name: str, signum: signal.Signals) -> None:
        """Send a signal to a process of ours, or to a server; to nobody where it is dead already."""
        if name not in _SERVERS:
            self.processes.signal(name, signum)
        elif (pid := _SERVERS[name](self.home).pid) is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signum)

    def mend(self) -> None:
        """Start again every server that died, on its port and with its data."""
        self.servers.ensure()

    @contextmanager
    def broker(self) -> Iterator[redis.Redis]:
        """The broker, which never lets us wait long. Raises redis.RedisError while it is away."""
        with redis.Redis.from_url(str(self.servers.broker_url), socket_timeout=5, socket_connect_timeout=3) as client:
            yield client


@contextmanager
def staged(home: Path, *, pace: float, knobs: Mapping[str, object]) -> Iterator[Stage]:
    """Servers up, the database at its newest schema, processes ready to start; all gone at the end."""
    options = [word for name, value in knobs.items() for word in ("--knob", f"{name}={json.dumps(value)}")]
    with embedded.attach(home, sandbox=True, sandbox_options=options) as servers:
        engine = make_engine(str(servers.database_url), threads=8)
        upgrade(engine)
        audit.install(engine)
        supervisor = Supervisor(processes(), _environment(home, servers, pace), home / "logs")
        try:
            yield Stage(home, servers, engine, Database(engine), Sandbox(str(servers.gateway_url)), supervisor)
        finally:
            supervisor.stop(grace_s=5)
            engine.dispose()


def _environment(home: Path, servers: embedded.Attached, pace: float) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "CAMPAIGNS_HOME": str(home),
        "DATABASE_URL": str(servers.database_url),
        "BROKER_URL": str(servers.broker_url),
        "KAVENEGAR_API_KEY": embedded.SANDBOX_API_KEY,
        "KAVENEGAR_BASE_URL": str(servers.gateway_url),
        "KAVENEGAR_SENDER": SENDER,
        "PACE_START": f"{pace:.2f}",
        "PACE_MAX": f"{pace:.2f}",
        **TIMES,
    }
