"""Databases as an older version left them, and readers that stay in a transaction."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import pytest
from sqlalchemy import Connection, Engine, make_url, text

import campaigns_devkit
from kavenegar_campaigns.store.engine import make_engine
from kavenegar_campaigns.store.migrate import is_current, upgrade
from tests.conftest import _create
from tests.store.upgrades.old_data import fill

BATCHES: Final = 6
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class OldDatabase:
    """A database at an older revision, with a running campaign."""

    url: str
    engine: Engine
    batches: list[int]

    def indexes(self) -> dict[str, bool]:
        """The indexes of the schema, and whether each is valid."""
        with self.engine.connect() as connection:
            rows = connection.execute(
                text("""
                    SELECT indexrelid::regclass::text AS name, indisvalid AS valid
                      FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
                     WHERE relnamespace = 'sms'::regnamespace
                """)
            )
            return {row.name: row.valid for row in rows}

    def is_current(self) -> bool:
        """Whether it stands at the newest revision."""
        with self.engine.connect() as connection:
            return is_current(connection)

    def stands_at(self) -> str:
        """The revision."""
        with self.engine.connect() as connection:
            return str(connection.execute(text("SELECT version_num FROM sms.alembic_version")).scalar_one())


@pytest.fixture
def old(servers: campaigns_devkit.Attached) -> Iterator[Callable[[str], OldDatabase]]:
    """Makes a database at a revision."""
    engines: list[Engine] = []

    def make(revision: str) -> OldDatabase:
        engine = _create(servers, f"old_{next(_numbers)}")
        engines.append(engine)
        upgrade(engine, revision=revision)
        _, batches = fill(engine, batches=BATCHES, sent=1)
        return OldDatabase(engine.url.render_as_string(hide_password=False), engine, batches[1:])

    yield make
    for engine in engines:
        engine.dispose()


@dataclass(frozen=True, slots=True)
class Reader:
    """A session in an open transaction that has read every table."""

    pid: int
    connection: Connection

    def leave(self) -> None:
        """End the transaction."""
        self.connection.rollback()


TABLES: Final = text("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'sms'")


@contextmanager
def reading(url: str, *, application: str = "nightly report") -> Iterator[Reader]:
    """A long reader: a report that has read every table, keeps its snapshot, and does not end."""
    engine = make_engine(url)
    try:
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            connection.execute(text(f"SET application_name = '{application}'"))
            connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            for table in connection.execute(TABLES).scalars().all():
                connection.execute(text(f"SELECT count(*) FROM {table} WHERE '09123456789' <> ''"))
            pid = connection.execute(text("SELECT pg_backend_pid() WHERE '09123456789' <> ''")).scalar_one()
            yield Reader(pid, connection)
    finally:
        engine.dispose()


@dataclass(frozen=True, slots=True)
class Place:
    """A database, the superuser's engine, and the one of a role that may do nothing but connect."""

    admin: Engine
    plain: Engine
    role: str

    def as_admin(self, *statements: str) -> None:
        """Run statements as the superuser."""
        with self.admin.begin() as connection:
            for statement in statements:
                connection.execute(text(statement.format(role=self.role)))


@pytest.fixture
def place(servers: campaigns_devkit.Attached) -> Iterator[Place]:
    """An empty database and a role of its own."""
    number = next(_numbers)
    role = f"plain_{number}"
    admin = _create(servers, f"rights_{number}")
    with admin.begin() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN PASSWORD 'plain'"))
    url = make_url(admin.url).set(username=role, password="plain")
    plain = make_engine(url.render_as_string(hide_password=False))
    yield Place(admin, plain, role)
    plain.dispose()
    admin.dispose()
