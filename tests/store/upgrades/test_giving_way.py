"""What an upgrade does where others are in the way: short waits, one table at a time, and their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from kavenegar_campaigns.errors import NotReady
from kavenegar_campaigns.store.engine import make_engine
from kavenegar_campaigns.store.migrate import FIRST_PAUSE_S, LONGEST_PAUSE_S, Retries, upgrade
from kavenegar_campaigns.store.migrations.session import LOCK_WAIT_S, Blocker, blocker_advice, name_blockers
from tests.store.upgrades.conftest import OldDatabase, reading

# Which tables does this session keep others from writing to?
STRONG_LOCKS = text("""
    SELECT DISTINCT relation::regclass::text
      FROM pg_locks JOIN pg_class ON pg_class.oid = relation
     WHERE pid = pg_backend_pid() AND relkind = 'r' AND relnamespace = 'sms'::regnamespace
       AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
""")
TAKES_LOCKS = re.compile(r"\s*(LOCK|ALTER|DROP|CREATE( UNIQUE)? INDEX)\b", re.IGNORECASE)
BESIDE_SENDERS = re.compile(r"CONCURRENTLY|VALIDATE CONSTRAINT|SHARE UPDATE EXCLUSIVE", re.IGNORECASE)


def _tables(database: OldDatabase) -> set[str]:
    with database.engine.connect() as connection:
        rows = connection.execute(text("SELECT 'sms.' || tablename FROM pg_tables WHERE schemaname = 'sms'"))
        return set(rows.scalars())


@contextmanager
def _listening(engine: Engine, name: str, listener: Callable[..., Any]) -> Iterator[None]:
    event.listen(engine, name, listener)
    yield
    event.remove(engine, name, listener)


def test_no_transaction_of_an_upgrade_keeps_senders_from_two_tables(old: Callable[[str], OldDatabase]) -> None:
    database = old("0001")
    held: list[set[str]] = []

    def commits(connection: Any) -> None:
        with connection.connection.cursor() as cursor:
            cursor.execute(STRONG_LOCKS.text)
            held.append({row[0] for row in cursor.fetchall()})

    before = _tables(database)
    with _listening(database.engine, "commit", commits):
        assert upgrade(database.engine)
    existing = [tables & (before | {"sms.days", "sms.suppressions"}) for tables in held]
    new = _tables(database) - before
    assert {"sms.campaigns"} in existing, "the locks were looked at while they were held"
    assert new <= {table for tables in held for table in tables}
    assert max(len(tables & before) for tables in held) == 1


def test_whatever_keeps_senders_waiting_is_waited_for_less_than_half_a_second(
    old: Callable[[str], OldDatabase],
) -> None:
    database = old("0001")
    waits_ms: dict[str, int] = {}

    def executes(connection: Any, _cursor: Any, statement: str, *_: object) -> None:
        if TAKES_LOCKS.match(statement) and not BESIDE_SENDERS.search(statement):
            with connection.connection.cursor() as cursor:
                cursor.execute("SELECT CAST(setting AS integer) FROM pg_settings WHERE name = 'lock_timeout'")
                waits_ms[statement] = cursor.fetchone()[0]

    with _listening(database.engine, "before_cursor_execute", executes):
        assert upgrade(database.engine)
    assert any(statement.startswith("LOCK TABLE sms.campaigns IN ACCESS EXCLUSIVE") for statement in waits_ms)
    assert all(0 < wait_ms <= LOCK_WAIT_S * 1000 <= 500 for wait_ms in waits_ms.values()), waits_ms


def test_indexes_of_tables_with_rows_are_built_beside_their_senders(old: Callable[[str], OldDatabase]) -> None:
    database = old("0001")
    built: list[str] = []

    def executes(_connection: Any, _cursor: Any, statement: str, *_: object) -> None:
        if re.match(r"CREATE( UNIQUE)? INDEX", statement) and " ON sms.messages " in statement.replace("(", " ("):
            built.append(statement)

    with _listening(database.engine, "before_cursor_execute", executes):
        assert upgrade(database.engine)
    assert built == ["CREATE INDEX CONCURRENTLY messages_number_idx ON sms.messages (number)"]


@pytest.mark.parametrize(
    ("revision", "what", "stays_at"),
    [
        ("0001", "revision 0002_1 gave way for 3 s and is not done: sms.campaigns is in use by", "0001"),
        (
            "0002_1",
            "building the index sms.batches_closing_idx gave way for 3 s and is not done: it waits for",
            "0002_1",
        ),
        ("0003", "revision 0004_2 gave way for 3 s and is not done: sms.batches is in use by", "0004_1"),
    ],
)
def test_who_is_in_the_way_is_named_and_the_next_upgrade_goes_on_from_there(
    old: Callable[[str], OldDatabase], revision: str, what: str, stays_at: str
) -> None:
    database = old(revision)
    with reading(database.url, application="nightly report") as reader:
        with pytest.raises(NotReady) as raised:
            upgrade(database.engine, patience_s=3.0)
        sentence = str(raised.value)
        assert what in sentence
        blocker = (
            rf'pid {reader.pid} \(application "nightly report", role \w+, its transaction has been open for \d+ s\)'
        )
        assert re.search(blocker, sentence), sentence
        assert f"SELECT pg_terminate_backend({reader.pid}); then run the upgrade again" in sentence
        assert "0912" not in sentence
        assert database.stands_at() == stays_at
        with database.engine.connect() as connection:  # nothing is locked: who writes does not wait
            connection.execute(text("SET LOCAL lock_timeout = '1ms'"))
            connection.execute(text("LOCK TABLE sms.batches, sms.campaigns, sms.messages IN ROW EXCLUSIVE MODE"))
        reader.leave()
        said: list[str] = []
        assert upgrade(database.engine, report=said.append)
    assert not any(sentence.startswith(f"revision {stays_at}:") for sentence in said), "that one was done before"
    assert database.is_current()
    assert all(database.indexes().values())


def test_pauses_grow_and_end_with_the_patience() -> None:
    retries = Retries(100.0)
    pauses = [retries.pause() for _ in range(40)]
    assert FIRST_PAUSE_S / 2 <= pauses[0] <= 1.5 * FIRST_PAUSE_S
    assert max(pauses) <= 1.5 * LONGEST_PAUSE_S
    assert sum(pauses[4:8]) > sum(pauses[:4])
    assert sum(pauses) == pytest.approx(100.0)
    assert retries.left_s == 0.0


def test_what_cannot_be_known_of_a_blocker_is_said() -> None:
    hidden = Blocker(7, "psql", None, None, None)
    assert str(hidden) == 'pid 7 (application "psql", how long its transaction has been open is hidden from this role)'
    assert 'application "a?b"' in str(Blocker(7, "a\nb", None, None, 1.0))
    prepared = Blocker(0, None, None, None, None)
    assert blocker_advice([prepared], open_s=0.0).startswith("Commit the prepared transaction, or roll it back")
    assert str(prepared) == "a prepared transaction (pg_prepared_xacts names it)"
    worker = Blocker(8, "", None, "autovacuum worker", 7300.0)
    assert str(worker) == "pid 8 (autovacuum worker, its transaction has been open for 2 h)"
    assert blocker_advice([worker], open_s=0.0) == "Wait until it has ended"
    assert name_blockers([]) == "sessions that come and go"
    assert name_blockers([hidden] * 5).endswith(" and 2 more")


def test_nobody_is_told_to_end_a_session_that_came_after_the_upgrade_began_to_wait() -> None:
    """The senders among them do their work, and are gone before anybody has typed the statement."""
    reader = Blocker(7, "nightly report", "reports", "client backend", 40.0)
    sender = Blocker(8, "campaigns", "sms", "client backend", 0.3)
    hidden = Blocker(9, "psql", None, None, None)
    assert blocker_advice([reader, sender, hidden], open_s=30.0).endswith("or end it: SELECT pg_terminate_backend(7)")
    assert blocker_advice([sender, hidden], open_s=30.0) == "Wait until it has ended"


def test_a_client_that_gives_up_leaves_the_pool_as_it_was(old: Callable[[str], OldDatabase]) -> None:
    """The session of an upgrade has timeouts and a lock of its own: no later statement may get them."""
    database = old("0001")
    with reading(database.url), pytest.raises(NotReady):
        upgrade(database.engine, patience_s=0.1)
    pool = make_engine(database.url)
    with database.engine.connect() as connection, pool.connect() as other:
        for each in (connection, other):
            assert each.execute(text("SHOW application_name")).scalar_one() == "campaigns"
            assert each.execute(text("SHOW lock_timeout")).scalar_one() == "5s"
    pool.dispose()
