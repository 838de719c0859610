"""The world the tests run in: a real PostgreSQL, a real Valkey, and the sandbox gateway over HTTP.

Servers start once a run; every test has a database of its own, an empty broker, and a gateway that has seen nothing.
"""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
from sqlalchemy import Engine, create_engine, make_url, text

from campaigns.house import House, Policy
from campaigns.kavenegar.client import Client
from campaigns.kavenegar.gateway import Gateway
from campaigns.kavenegar.throttle import Throttle, connect
from campaigns.store.database import Database, make_engine
from campaigns.store.migrate import upgrade
from tests.world import Sandbox
from worker import embedded

_numbers = itertools.count()

# A shell that starts us in the background has us ignore Ctrl-C, and whatever we start with us.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Attached]:
    """PostgreSQL and Valkey for this run, with data of their own."""
    with embedded.attach(tmp_path_factory.mktemp("home")) as attached:
        yield attached


@pytest.fixture(scope="session")
def _template(servers: embedded.Attached) -> str:
    """A migrated, empty database from which every test's is copied."""
    migrated = _create(servers, "template_of_tests")
    upgrade(migrated)
    migrated.dispose()  # PostgreSQL copies only a database that nobody uses
    return "template_of_tests"


def _create(servers: embedded.Attached, name: str, template: str = "template1") -> Engine:
    admin = create_engine(str(servers.database_url), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    admin.dispose()
    url = make_url(str(servers.database_url)).set(database=name)
    return make_engine(url.render_as_string(hide_password=False))


@pytest.fixture
def engine(servers: embedded.Attached, _template: str) -> Iterator[Engine]:
    """An empty database at the newest schema."""
    found = _create(servers, f"test_{next(_numbers)}", _template)
    yield found
    found.dispose()


@pytest.fixture
def database_url(engine: Engine) -> str:
    """The same database, as DATABASE_URL."""
    return engine.url.render_as_string(hide_password=False)


@pytest.fixture
def broker_url(servers: embedded.Attached) -> str:
    """An empty broker."""
    with redis.Redis.from_url(str(servers.broker_url)) as client:
        client.flushall()
    return str(servers.broker_url)


@pytest.fixture
def valkey_url(broker_url: str) -> str:
    """The same, under the name the wire's tests know it by."""
    return broker_url


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A gateway that has seen nothing."""
    with Sandbox.start() as gateway:
        yield gateway


@pytest.fixture
def house(engine: Engine, broker_url: str, sandbox: Sandbox) -> Iterator[House]:
    """A house of one process at the sandbox; its clock and the gateway's go together: `sandbox.advance`."""
    client = Client(sandbox.api_key, sandbox.url, deadline_s=3.0, connect_timeout_s=1.0)
    throttle = Throttle(connect(broker_url), account="tests", start_rate=500.0, max_rate=500.0)
    database = Database(engine)
    policy = Policy(
        lease=timedelta(seconds=120),
        settle=timedelta(seconds=90),
        status_polls=(timedelta(minutes=5), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=47)),
    )
    yield House(database, Gateway(client, throttle), throttle, lambda: database.now() + sandbox.ahead, policy)
    client.close()
    engine.dispose()
