"""The servers that the tests use: a real PostgreSQL, a real Valkey, and the sandbox gateway over HTTP.

Servers start once a run. Every test has a database of its own, an empty broker, and a fresh gateway.
"""

from __future__ import annotations

import itertools
import shutil
import signal
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import redis
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine, create_engine, make_url, text

import campaigns_devkit
from kavenegar_campaigns.context import Context, Policy
from kavenegar_campaigns.kavenegar.client import Client
from kavenegar_campaigns.kavenegar.pace import Throttle
from kavenegar_campaigns.kavenegar.paced_client import PacedClient
from kavenegar_campaigns.kavenegar.redis_client import connect_redis
from kavenegar_campaigns.store import identity
from kavenegar_campaigns.store.database import Database
from kavenegar_campaigns.store.engine import make_engine
from kavenegar_campaigns.store.migrate import upgrade
from tests.store.emptying import empty
from tests.world import ACCOUNTS, Sandbox

_numbers = itertools.count()

# A shell that starts the tests in the background makes them, and each process they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Hypothesis allows 200 ms an example; on a busy machine that limit would fail tests at random.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# These settings protect data when a machine loses its power. Tests do without them, to be faster.
_HASTE = ("fsync", "synchronous_commit", "full_page_writes")

# The slowest files. They come first: where several processes share the tests, a slow file at the end would keep one
# process busy alone.
_LONG = ("test_crash_points.py", "test_demo.py", "test_zombies.py", "test_the_main_job.py", "test_mutants.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slowest files first; the order of the others stays."""
    items.sort(key=lambda item: _LONG.index(item.path.name) if item.path.name in _LONG else len(_LONG))


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[campaigns_devkit.Attached]:
    """Start PostgreSQL and Valkey for this run, with data of their own."""
    home = tmp_path_factory.mktemp("home")
    with campaigns_devkit.attach(home) as attached:
        _hasten(attached)
        yield attached
    shutil.rmtree(home)  # a disk has to hold the runs of all the supported Pythons


def _hasten(servers: campaigns_devkit.Attached) -> None:
    settings = (f"ALTER SYSTEM SET {setting} = off" for setting in _HASTE)
    _administer(servers, *settings, "SELECT pg_reload_conf()")


def _administer(servers: campaigns_devkit.Attached, *statements: str) -> None:
    admin = create_engine(str(servers.database_url), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    admin.dispose()


@pytest.fixture(scope="session")
def _template(servers: campaigns_devkit.Attached) -> str:
    """Create a migrated, empty database, from which the database of each test is copied."""
    migrated = _create(servers, "template_of_tests")
    upgrade(migrated)
    with migrated.begin() as connection:
        for label in ACCOUNTS:
            identity.recognise_key(
                connection, label, account=identity.FIRST_ACCOUNT, contradicted=False, now=datetime.now(UTC)
            )
    migrated.dispose()  # PostgreSQL copies only a database that nobody uses
    return "template_of_tests"


def _create(servers: campaigns_devkit.Attached, name: str, template: str = "template1") -> Engine:
    _administer(servers, f"CREATE DATABASE {name} TEMPLATE {template}")
    url = make_url(str(servers.database_url)).set(database=name)
    engine = make_engine(url.render_as_string(hide_password=False))
    if template != "template1":
        with engine.begin() as connection:
            identity.record_place(connection)  # it is a copy, and a database of its own all the same
    return engine


def _drop(servers: campaigns_devkit.Attached, engine: Engine) -> None:
    """Drop a database after its test: hundreds of them would fill a small disk."""
    engine.dispose()
    _administer(servers, f"DROP DATABASE IF EXISTS {engine.url.database} WITH (FORCE)")


@pytest.fixture
def engine(servers: campaigns_devkit.Attached, _template: str) -> Iterator[Engine]:
    """An empty database at the newest schema."""
    found = _create(servers, f"test_{next(_numbers)}", _template)
    yield found
    _drop(servers, found)


@pytest.fixture(scope="module")
def _shared(servers: campaigns_devkit.Attached, _template: str) -> Iterator[Engine]:
    found = _create(servers, f"shared_{next(_numbers)}", _template)
    yield found
    _drop(servers, found)


@pytest.fixture
def emptied(_shared: Engine) -> Engine:
    """The database of a test module, emptied for each test: cheaper than a new one. A module makes it its `engine`."""
    empty(_shared)
    return _shared


@pytest.fixture
def database_url(engine: Engine) -> str:
    """The URL of the test's database, as DATABASE_URL takes it."""
    return engine.url.render_as_string(hide_password=False)


@pytest.fixture
def broker_url(servers: campaigns_devkit.Attached) -> str:
    """The URL of an empty broker."""
    with redis.Redis.from_url(str(servers.broker_url)) as client:
        client.flushall()
    return str(servers.broker_url)


@pytest.fixture
def valkey_url(broker_url: str) -> str:
    """The URL of an empty Valkey: `broker_url` under the name that tests/kavenegar uses."""
    return broker_url


@pytest.fixture
def closed_port_url() -> Iterator[str]:
    """An address that refuses connections: the port is bound, and no process listens on it."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A fresh sandbox gateway."""
    with Sandbox.start() as gateway:
        yield gateway


@pytest.fixture
def context(engine: Engine, broker_url: str, sandbox: Sandbox) -> Iterator[Context]:
    """A context with the sandbox as gateway; `sandbox.advance` moves the clocks of both."""
    client = Client(sandbox.api_key, sandbox.url, deadline_s=15.0, connect_timeout_s=5.0)
    throttle = Throttle(connect_redis(broker_url), account="tests", start_rate=500.0, max_rate=500.0)
    database = Database(engine)
    policy = Policy(
        lease=timedelta(seconds=120),
        unknown_grace=timedelta(seconds=90),
        status_polls=(timedelta(minutes=5), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=47)),
    )
    yield Context(database, PacedClient(client, throttle), throttle, lambda: database.now() + sandbox.ahead, policy)
    client.close()
    engine.dispose()
