"""An upgrade whose process, session or rival dies: the next one goes on, and what was half built is built anew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg.errors import IdleInTransactionSessionTimeout, InFailedSqlTransaction
from sqlalchemy import text
from sqlalchemy.exc import InternalError, ProgrammingError

from kavenegar_campaigns.store.engine import make_engine
from kavenegar_campaigns.store.migrate import _is_lost, upgrade
from tests.store.upgrades.conftest import OldDatabase, reading
from tests.waiting import PATIENCE_S, until

UPGRADE = """
import sys
from kavenegar_campaigns.store.engine import make_engine
from kavenegar_campaigns.store.migrate import _is_lost, upgrade
upgrade(make_engine(sys.argv[1]))
"""
INDEX = "sms.batches_closing_idx"
INDEX_REVISION = "0002_1"
"""After this one, the next revision builds the index."""

# Which session upgrades this database?
UPGRADER = text("""
    SELECT pid FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'campaigns migrate' AND state = 'active'
       AND wait_event_type = 'Lock'
""")


def _upgrader(database: OldDatabase) -> int | None:
    with database.engine.connect() as connection:
        found: int | None = connection.execute(UPGRADER).scalar_one_or_none()
        return found


def _until_half_built(database: OldDatabase) -> None:
    until(lambda: database.indexes().get(INDEX) is False and bool(_upgrader(database)), "building of an index")


def test_an_index_that_was_half_built_is_dropped_and_built_anew_by_the_same_upgrade(
    old: Callable[[str], OldDatabase],
) -> None:
    database = old(INDEX_REVISION)
    upgrading, said = make_engine(database.url), list[str]()
    with ThreadPoolExecutor(1) as pool, reading(database.url) as reader:
        running = pool.submit(upgrade, upgrading, report=said.append)
        _until_half_built(database)
        with database.engine.connect() as connection:
            half_built = connection.execute(text(f"SELECT '{INDEX}'::regclass::oid")).scalar_one()
            connection.execute(text(f"SELECT pg_terminate_backend({_upgrader(database)})"))
        until(lambda: any("connecting again" in sentence for sentence in said), "connecting again")
        reader.leave()
        assert running.result(timeout=PATIENCE_S)
    upgrading.dispose()
    with database.engine.connect() as connection:
        assert connection.execute(text(f"SELECT '{INDEX}'::regclass::oid")).scalar_one() != half_built
    assert database.indexes()[INDEX]
    assert database.is_current()


def test_a_session_that_the_server_ended_within_an_idle_transaction_is_made_anew() -> None:
    """PostgreSQL calls that an internal error, and no operational one as every other end of a session."""
    assert _is_lost(InternalError("LOCK TABLE", {}, IdleInTransactionSessionTimeout()))
    assert not _is_lost(InternalError("LOCK TABLE", {}, InFailedSqlTransaction()))


def test_a_process_that_was_killed_keeps_the_next_upgrade_waiting_and_not_failing(
    old: Callable[[str], OldDatabase],
) -> None:
    """The server goes on with the statement of a dead process; two that build at once would wait for each other."""
    database = old(INDEX_REVISION)
    upgrading, said = make_engine(database.url), list[str]()
    with ThreadPoolExecutor(1) as pool, reading(database.url) as reader:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen([sys.executable, "-c", UPGRADE, database.url], env=environment) as first:
            _until_half_built(database)
            holder = _upgrader(database)
            first.send_signal(signal.SIGKILL)
        running = pool.submit(upgrade, upgrading, report=said.append)
        until(lambda: bool(said), "waiting for the other upgrade")
        (sentence,) = said
        assert f'another upgrade is at work (pid {holder}, application "campaigns migrate", connected for ' in sentence
        reader.leave()
        assert running.result(timeout=PATIENCE_S)
    upgrading.dispose()
    assert database.indexes()[INDEX]
    assert database.is_current()


def test_a_revision_that_fails_leaves_those_before_it_done(old: Callable[[str], OldDatabase]) -> None:
    database = old("0003")
    with database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE sms.installation ADD COLUMN check_at date"))
    with pytest.raises(ProgrammingError, match="already exists"):
        upgrade(database.engine)
    assert database.stands_at() == "0004_2"
    with database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE sms.installation DROP COLUMN check_at"))
    assert upgrade(database.engine)
    assert database.is_current()
