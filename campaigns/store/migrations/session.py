"""The session that changes the schema: one at a time, with timeouts that let the senders go first."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, Engine, text

from campaigns.store.migrations import blockers

Progress = Callable[[str], None]
"""Takes a sentence for the person who waits for the upgrade."""

LOCK_WAIT_S: Final = 0.4
"""Whoever waits for a lock makes every session behind it wait too: no longer than this."""

_SETTINGS: Final = {
    "application_name": "campaigns migrate",
    "lock_timeout": f"{LOCK_WAIT_S * 1000:.0f}ms",
    "statement_timeout": "0",  # what runs while a table is locked has a limit of its own: `online.lock_table`
    "idle_in_transaction_session_timeout": "5s",  # a frozen process keeps its locks no longer
    "idle_session_timeout": "60s",  # a frozen or unreachable one does not keep the next upgrade waiting
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "synchronous_commit": "on",
    "default_transaction_isolation": "read committed",
}

# May this session upgrade? The lock is the session's, and the one that earlier versions take for a transaction.
_TRY: Final = text("SELECT pg_try_advisory_lock(hashtext('sms.migrate'))")

_REMIND_EVERY_S: Final = 30.0
_ASK_EVERY_S: Final = (0.05, 1.0)


@contextmanager
def upgrade_session(engine: Engine, report: Progress) -> Iterator[Connection]:
    """A connection of its own that holds the lock of upgrades. Both end with the block, or with the connection.

    The lock and the work share one session on purpose: a connection that is lost takes the lock with it, and a
    statement that goes on after its process was killed keeps the next upgrade away until it has ended.
    """
    with engine.connect() as connection:
        try:
            for name, value in _SETTINGS.items():
                connection.execute(text(f"SET {name} = '{value}'"))
            connection.commit()
            _wait_for_turn(connection, report)
            yield connection
        finally:
            connection.invalidate()  # the session ends: the pool must not hand out its settings and its lock


def _wait_for_turn(connection: Connection, report: Progress) -> None:
    """Ask for the lock until it is free, however long another upgrade takes.

    Asked again and again and not waited for: a session that waits inside PostgreSQL holds a snapshot, and CREATE INDEX
    CONCURRENTLY waits for that in its turn.
    """
    pause_s, longest_s = _ASK_EVERY_S
    reminder = 0.0
    while not _try_lock(connection):
        if time.monotonic() >= reminder:
            report(f"another upgrade is at work ({_holder(connection)}): waiting until it has ended")
            reminder = time.monotonic() + _REMIND_EVERY_S
        time.sleep(random.uniform(0.5, 1.0) * pause_s)  # noqa: S311 - jitter, no secret
        pause_s = min(1.5 * pause_s, longest_s)


def _try_lock(connection: Connection) -> bool:
    with connection.begin():
        return bool(connection.execute(_TRY).scalar_one())


def _holder(connection: Connection) -> str:
    with connection.begin():
        return blockers.upgrading(connection) or "it has just ended"


@contextmanager
def outside_transactions(connection: Connection) -> Iterator[Connection]:
    """The connection in autocommit mode. Afterwards it is as before, also where the block failed."""
    connection.execution_options(isolation_level="AUTOCOMMIT")
    try:
        yield connection
    finally:
        if not connection.invalidated:
            connection.rollback()
            connection.execute(text(f"SET lock_timeout = '{_SETTINGS['lock_timeout']}'"))
            connection.rollback()
            connection.execution_options(isolation_level="READ COMMITTED")
