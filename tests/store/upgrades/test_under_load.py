"""An upgrade from every older revision, beside sending workers of the older version and a reader that does not end."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from kavenegar_campaigns.store.engine import make_engine
from kavenegar_campaigns.store.migrate import is_current, revisions, upgrade
from tests.store.upgrades.conftest import OldDatabase, reading
from tests.store.upgrades.old_workers import OldWorkers
from tests.waiting import PATIENCE_S, until

RELEASED = ("0001", "0002", "0003")
NEW_COLUMNS = 2
"""Revisions since the first that give batches a column: 0004_2 and 0005_3."""
LAST = "0005_3"
"""The last revision that takes nothing away from the workers of the versions before."""
ALL = [script.revision for script in revisions()]
OLDER = ALL[: ALL.index(LAST)]


@pytest.mark.parametrize("revision", OLDER)
def test_senders_go_on_while_an_upgrade_waits_for_a_reader_and_it_ends_when_the_reader_has_gone(
    old: Callable[[str], OldDatabase], revision: str
) -> None:
    database = old(revision)
    said: list[str] = []
    upgrading = make_engine(database.url)
    with (
        OldWorkers(database.url, database.batches) as workers,
        ThreadPoolExecutor(1) as pool,
        reading(database.url) as reader,
    ):
        running = pool.submit(upgrade, upgrading, revision=LAST, report=said.append)

        def waited(times: int) -> bool:
            return running.done() or sum(f"pid {reader.pid}" in sentence for sentence in said) >= times

        until(lambda: waited(1), "waiting for the reader")
        workers.until_more(2)
        if revision in RELEASED:
            until(lambda: waited(2), "trying again")
        workers.until_more(2)
        assert not running.done()
        assert workers.errors == []

        reader.leave()
        assert running.result(timeout=PATIENCE_S)
        workers.until_more(3)
    upgrade(upgrading)
    upgrading.dispose()

    assert workers.errors == []
    assert all(count <= NEW_COLUMNS for count in workers.stale.values()), "a session's claims are refused once for each"
    with database.engine.connect() as connection:
        assert is_current(connection)
        assert all(database.indexes().values())
        assert connection.execute(text("SELECT count(*) FROM pg_constraint WHERE NOT convalidated")).scalar_one() == 0


@pytest.mark.parametrize("revision", RELEASED)
def test_two_upgrades_at_once_take_turns_beside_senders_and_a_reader(
    old: Callable[[str], OldDatabase], revision: str
) -> None:
    database = old(revision)
    upgrading = [make_engine(database.url), make_engine(database.url)]
    said: tuple[list[str], list[str]] = ([], [])
    with OldWorkers(database.url, database.batches) as workers, ThreadPoolExecutor(2) as pool:
        with reading(database.url) as reader:
            first = pool.submit(upgrade, upgrading[0], revision=LAST, report=said[0].append)
            until(lambda: any(f"pid {reader.pid}" in sentence for sentence in said[0]), "waiting for the reader")
            second = pool.submit(upgrade, upgrading[1], revision=LAST, report=said[1].append)
            until(lambda: bool(said[1]), "waiting for the other upgrade")
            workers.until_more(2)
            assert not first.done()
            assert not second.done()
        assert first.result(timeout=PATIENCE_S)
        assert not second.result(timeout=PATIENCE_S), "there was nothing left to do"
        workers.until_more(2)
    upgrade(upgrading[0])
    for engine in upgrading:
        engine.dispose()

    assert "another upgrade is at work" in said[1][0]
    assert workers.errors == []
    assert all(database.indexes().values())
