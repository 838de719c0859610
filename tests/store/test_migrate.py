"""The migrations lead exactly to the tables, whoever runs them, how often, and how many at once."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ProgrammingError

import campaigns_devkit
from kavenegar_campaigns.store import installation
from kavenegar_campaigns.store.engine import make_engine
from kavenegar_campaigns.store.migrate import is_current, upgrade
from kavenegar_campaigns.store.tables import SCHEMA, metadata
from tests.waiting import PATIENCE_S, until

_numbers = itertools.count()

UPGRADE = """
import sys
from kavenegar_campaigns.store.engine import make_engine
from kavenegar_campaigns.store.migrate import upgrade
upgrade(make_engine(sys.argv[1]))
"""

# Everything PostgreSQL knows about a schema that a difference could hide in, as (kind, of what, definition).
CATALOG = text("""
    SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
      FROM pg_constraint WHERE connamespace = 'sms'::regnamespace AND contype IN ('c', 'f', 'u', 'p')
    UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'sms'
    UNION ALL SELECT 'sequence', sequencename, concat_ws(' ', data_type, start_value, min_value, max_value,
                                                         increment_by, cycle)
      FROM pg_sequences WHERE schemaname = 'sms'
    UNION ALL SELECT 'storage', relname, array_to_string(reloptions, ', ')
      FROM pg_class WHERE relnamespace = 'sms'::regnamespace AND relkind = 'r'
    UNION ALL SELECT 'column', table_name || '.' || column_name,
                     concat_ws(' ', ordinal_position, data_type, is_nullable, column_default, identity_generation)
      FROM information_schema.columns WHERE table_schema = 'sms'
""")


@pytest.fixture
def bare_url(servers: campaigns_devkit.Attached) -> str:
    """A database with nothing in it."""
    name = f"bare_{next(_numbers)}"
    admin = create_engine(str(servers.database_url), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    return make_url(str(servers.database_url)).set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def bare(bare_url: str) -> Iterator[Engine]:
    """The same, as an engine."""
    engine = make_engine(bare_url)
    yield engine
    engine.dispose()


def _catalog(connection: Connection) -> set[tuple[str, str, str]]:
    found = {(kind, name.removeprefix("sms."), what) for kind, name, what in connection.execute(CATALOG)}
    return {row for row in found if "alembic_version" not in row[1]}


def test_the_migrations_lead_to_the_tables_to_the_last_check_and_index(shared: Engine, bare: Engine) -> None:
    with bare.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        metadata.create_all(connection)
        created = _catalog(connection)
    with shared.connect() as connection:
        migrated = _catalog(connection)
    # Columns may stand in another order after a later migration, so their place is not compared.
    assert _unplaced(migrated) == _unplaced(created)


def _unplaced(catalog: set[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    return {(kind, name, what.partition(" ")[2] if kind == "column" else what) for kind, name, what in catalog}


def test_alembic_itself_finds_nothing_to_migrate(shared: Engine) -> None:
    with shared.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _: kind != "schema" or name == SCHEMA,
                "version_table_schema": SCHEMA,
                "compare_server_default": True,
            },
        )
        assert compare_metadata(context, metadata) == []
        assert is_current(connection)


def test_a_second_upgrade_changes_nothing_and_the_epoch_is_made_once(bare: Engine) -> None:
    upgrade(bare)
    with bare.connect() as connection:
        before, epoch = _catalog(connection), installation.read(connection).epoch
    upgrade(bare)
    with bare.connect() as connection:
        assert _catalog(connection) == before
        assert installation.read(connection).epoch == epoch
        assert 0 < epoch < 2**20


def test_two_new_databases_get_two_epochs(shared: Engine, bare: Engine) -> None:
    upgrade(bare)
    with bare.connect() as one, shared.connect() as other:
        assert installation.read(one).epoch != installation.read(other).epoch  # by chance once in a million runs


def test_two_processes_that_upgrade_at_once_do_no_harm(bare: Engine, bare_url: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    racers = [
        subprocess.Popen([sys.executable, "-c", UPGRADE, bare_url], env=environment, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    output = [racer.communicate(timeout=PATIENCE_S)[1].decode() for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0], "\n".join(output)
    with bare.connect() as connection:
        assert is_current(connection)
        assert connection.execute(text("SELECT count(*) FROM sms.installation")).scalar_one() == 1


def test_an_upgrade_waits_for_another_however_long_that_takes(bare_url: str) -> None:
    """A later migration of a big table takes minutes; who comes second must not give up, or restart in a loop."""
    impatient = create_engine(bare_url, connect_args={"options": "-c lock_timeout=200ms"})
    output: list[str] = []
    with ThreadPoolExecutor(1) as pool, impatient.connect() as first:
        first.execute(text("SELECT pg_advisory_xact_lock(hashtext('sms.migrate'))"))
        second = pool.submit(upgrade, impatient, report=output.append, patience_s=0.1)
        until(lambda: bool(output), "waiting for the other upgrade")
        pid = first.execute(text("SELECT pg_backend_pid()")).scalar_one()
        (sentence,) = output
        assert re.fullmatch(
            rf"another upgrade is at work \(pid {pid}, connected for \d+ s\): waiting until it has ended", sentence
        )
        time.sleep(0.4)  # longer than both timeouts: what is waited for is that nothing happens
        assert not second.done()
        first.rollback()
        assert second.result(timeout=PATIENCE_S)
    impatient.dispose()


def test_an_upgrade_that_fails_leaves_nothing_behind(bare: Engine) -> None:
    with bare.begin() as connection:
        connection.execute(text("CREATE SCHEMA sms"))
        connection.execute(text("CREATE TABLE sms.batches (mine int)"))
    with pytest.raises(ProgrammingError, match="already exists"):
        upgrade(bare)
    with bare.connect() as connection:
        tables = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'sms'")).scalars()
        assert set(tables) == {"batches"}
