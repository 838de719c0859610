"""The world the tests run in: a real PostgreSQL, a real Valkey, and the sandbox gateway over HTTP.

Servers start once a run; every test has a database of its own, an empty broker, and a gateway that has seen nothing.
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
from campaigns.context import Context, Policy
from campaigns.kavenegar.client import Client
from campaigns.kavenegar.pace import Throttle, connect_redis
from campaigns.kavenegar.paced_client import PacedClient
from campaigns.store import identity
from campaigns.store.database import Database, make_engine
from campaigns.store.migrate import upgrade
from tests.store.emptying import empty
from tests.world import ACCOUNTS, Sandbox

_numbers = itertools.count()

# A shell that starts us in the background has us ignore Ctrl-C, and whatever we start with us.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Hypothesis gives an example 200 ms, and a machine that has no time for us takes that for a defect.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# What is lost when a machine loses its power; the machine of a test outlives it.
_HASTE = ("fsync", "synchronous_commit", "full_page_writes")

# The files that wait longest. They come first, so that none is left alone at the end where several processes share
# the tests.
_LONG = ("test_crash_points.py", "test_demo.py", "test_zombies.py", "test_the_main_job.py", "test_mutants.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first; nothing else about the order changes."""
    items.sort(key=lambda item: _LONG.index(item.path.name) if item.path.name in _LONG else len(_LONG))


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[campaigns_devkit.Attached]:
    """PostgreSQL and Valkey for this run, with data of their own."""
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
    """A migrated, empty database from which every test's is copied."""
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
    """A run makes hundreds of databases; together they would fill a small disk."""
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
    """A module's database, emptied instead of made anew; a module takes it by naming it its `engine`."""
    empty(_shared)
    return _shared


@pytest.fixture
def database_url(engine: Engine) -> str:
    """The same database, as DATABASE_URL."""
    return engine.url.render_as_string(hide_password=False)


@pytest.fixture
def broker_url(servers: campaigns_devkit.Attached) -> str:
    """An empty broker."""
    with redis.Redis.from_url(str(servers.broker_url)) as client:
        client.flushall()
    return str(servers.broker_url)


@pytest.fixture
def valkey_url(broker_url: str) -> str:
    """The same, under the name the wire's tests know it by."""
    return broker_url


@pytest.fixture
def closed_port_url() -> Iterator[str]:
    """An address that refuses connections: the port is taken, and nobody listens."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A gateway that has seen nothing."""
    with Sandbox.start() as gateway:
        yield gateway


@pytest.fixture
def context(engine: Engine, broker_url: str, sandbox: Sandbox) -> Iterator[Context]:
    """A context of one process at the sandbox; its clock and the gateway's go together: `sandbox.advance`."""
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
