"""False worlds for the real client: a scripted server, and a real Valkey."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

import campaigns_devkit
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.kavenegar.paced_client import CallRecord, PacedClient
from tests.kavenegar.calls import NOW
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
    """Clients with the key of these tests, short times, and a clock that stands; closed at the end."""
    made: list[Client] = []

    def make(url: str, **options: Any) -> Client:
        given: dict[str, Any] = {"deadline_s": 20.0, "connect_timeout_s": 5.0, "pool_size": 4, "clock": lambda: NOW}
        made.append(Client(API_KEY, url, **given | options))
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
    return make_client(server.url, deadline_s=1.0 if "hangs" in fault else 20.0)


# ── Valkey ──


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Valkey of these tests' own: they need no PostgreSQL beside it."""
    with campaigns_devkit.attach(tmp_path_factory.mktemp("valkey"), database=False) as attached:
        yield str(attached.broker_url)


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
def gateway(client: Client, throttle: Throttle, calls: list[CallRecord]) -> PacedClient:
    return PacedClient(client, throttle, on_call=calls.append)
