"""The servers and processes of a storm, as in production but with short times, and functions that damage them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import redis
from sqlalchemy import Engine

import campaigns_devkit
from campaigns_devkit.files import write_private
from campaigns_devkit.sandbox_gateway import SandboxGateway
from campaigns_devkit.servers import Server
from campaigns_devkit.supervisor import Supervisor
from campaigns_devkit.valkey import Valkey
from kavenegar_campaigns.store.database import Database
from kavenegar_campaigns.store.engine import make_engine
from kavenegar_campaigns.store.migrate import upgrade
from tests.chaos import audit, bent, dumps, hosts
from tests.chaos.leaks import OTHER_KEY
from tests.chaos.pair import Pair, pair
from tests.chaos.past import PATIENCE_S, Past
from tests.chaos.storm.processes import POLLERS, SENDERS, processes
from tests.world import SENDER, Sandbox

LEASE: Final = timedelta(seconds=15)
SETTLE: Final = timedelta(seconds=6)
HTTP_DEADLINE: Final = timedelta(seconds=3)

TIMES: Final = {
    "LEASE": f"{LEASE.total_seconds():.0f}s",
    "UNKNOWN_GRACE": f"{SETTLE.total_seconds():.0f}s",
    "HTTP_DEADLINE": f"{HTTP_DEADLINE.total_seconds():.0f}s",
    "REENQUEUE_AFTER": "3s",
    "HOLD_RECHECK": "3s",
    # Close together to the end: messages that can only be polled once a key is back are then polled soon.
    "STATUS_POLLS": ",".join(["3s,6s,10s,15s,20s,30s,45s", *(f"{seconds}s" for seconds in range(60, 2700, 30))]),
}

_SERVERS: Final[Mapping[str, type[Server]]] = {"valkey": Valkey, "sandbox": SandboxGateway}
_CLOCK_TRIED_BY: Final = timedelta(hours=1)


@dataclass(slots=True)
class Stage:
    """The servers and processes of a storm. `ahead`: the present shift of the database's clock."""

    home: Path
    servers: campaigns_devkit.Attached
    pair: Pair
    past: Past
    engine: Engine
    database: Database
    gateway: Sandbox
    processes: Supervisor
    environment: Mapping[str, str]
    key: str = Sandbox.api_key
    ahead: timedelta = field(default_factory=timedelta)

    def strike(self, name: str, signum: signal.Signals) -> None:
        """Send a signal to a process of ours or to a server, unless it is dead."""
        if name == "postgres":
            self.pair.strike(signum)
        elif name not in _SERVERS:
            self.processes.signal(name, signum)
        elif (pid := _SERVERS[name](self.home).pid) is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signum)

    def mend(self) -> None:
        """Start the broker and the gateway again if they died, on their ports and with their data."""
        self.servers.ensure()

    def bend_clock(self, ahead: timedelta) -> None:
        """Shift the database's clock from now on; zero makes it right again."""
        self.ahead = ahead
        self.set_clock()

    def set_clock(self) -> None:
        """Shift the database's clock by `ahead` again: a database that lost commits may have lost the shift."""
        Database(self.engine, patience_s=PATIENCE_S)(bent.bend, self.ahead)

    def use_key(self, key: str, signum: signal.Signals) -> None:
        """Restart every worker with another account's key, as a deployment with the wrong secret would."""
        self.key = key
        write_private(self.home / "key", key)
        for name in (*SENDERS, *POLLERS):
            self.strike(name, signum)

    @contextmanager
    def broker(self) -> Iterator[redis.Redis]:
        """Connect to the broker with short timeouts. Raises: redis.RedisError while it is away."""
        with redis.Redis.from_url(str(self.servers.broker_url), socket_timeout=5, socket_connect_timeout=3) as client:
            yield client


@contextmanager
def staged(home: Path, *, pace: float, knobs: Mapping[str, object], clocks: Mapping[str, float]) -> Iterator[Stage]:
    """Start the servers, migrate the database and prepare the processes; all are stopped at the end.

    `clocks`: the processes with wrong clocks, and by how many seconds they are off.
    """
    options = [word for name, value in knobs.items() for word in ("--knob", f"{name}={json.dumps(value)}")]
    options += ["--other-key", OTHER_KEY]
    home.mkdir(mode=0o711, parents=True, exist_ok=True)
    write_private(home / "key", Sandbox.api_key)
    with (
        campaigns_devkit.attach(home, database=False, sandbox=True, sandbox_options=options) as servers,
        pair(home / "database") as found,
        _furnished(found) as engine,
    ):
        environment = _environment(home, servers, found, pace)
        supervisor = Supervisor(processes(clocks), environment, home / "logs")
        gateway = Sandbox(str(servers.gateway_url))
        try:
            yield Stage(home, servers, found, Past(), engine, Database(engine), gateway, supervisor, environment)
        finally:
            supervisor.stop(grace_s=5)
            hosts.clean_up()


@contextmanager
def _furnished(found: Pair) -> Iterator[Engine]:
    """Create our tables, the checker's, and a clock that can be shifted; checks that our sessions use it."""
    engine = make_engine(found.url, threads=8)
    upgrade(engine)
    audit.install(engine)
    bent.install(engine)
    dumps.configure(found.live_url, bent.SEARCH_PATH)
    engine.dispose()
    with engine.begin() as connection:
        bent.bend(connection, _CLOCK_TRIED_BY)
        missing = _CLOCK_TRIED_BY - bent.shown(connection)
        assert missing < timedelta(seconds=1), f"our sessions see the database's clock less bent, by {missing}"
        bent.bend(connection, timedelta(0))
    try:
        yield engine
    finally:
        engine.dispose()


def _environment(home: Path, servers: campaigns_devkit.Attached, found: Pair, pace: float) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "CAMPAIGNS_HOME": str(home),
        "DATABASE_URL": found.url,
        "BROKER_URL": str(servers.broker_url),
        "KAVENEGAR_API_KEY_FILE": str(home / "key"),
        "KAVENEGAR_BASE_URL": str(servers.gateway_url),
        "KAVENEGAR_SENDER": SENDER,
        "PACE_START": f"{pace:.2f}",
        "PACE_MAX": f"{pace:.2f}",
        **TIMES,
    }
