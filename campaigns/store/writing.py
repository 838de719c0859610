"""The caller's transaction while we work in it: an error of ours leaves it usable, with all that was in it before.

PostgreSQL's COMMIT of an aborted transaction is a ROLLBACK that nothing reports: a caller who caught our error and
committed would lose an order without a word. A savepoint around our statements prevents it. While we write, the commit
is durable, too, and no lock is waited for without end.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Final

from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, text

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.store.gate import DURABLE, SESSION_LIMITS

LONGEST_WAIT: Final = SESSION_LIMITS["lock_timeout"]
"""How long a statement of ours waits for a lock at most. A shorter lock_timeout of the caller's stays."""

# Make this transaction durable. Does it wait for locks for too long, or without end? Then shorten the wait, and tell
# the setting as it was.
_BEGIN: Final = text(f"""
    WITH setting AS MATERIALIZED (SELECT current_setting('lock_timeout') AS before),
         judged AS MATERIALIZED (
             SELECT before, CAST(before AS interval) NOT BETWEEN interval '1 ms' AND interval '{LONGEST_WAIT}' AS long
               FROM setting)
    SELECT {DURABLE}, CASE WHEN long THEN before END AS before,
           CASE WHEN long THEN set_config('lock_timeout', '{LONGEST_WAIT}', true) END AS shortened
      FROM judged
""")
# Wait for locks as the caller set it.
_RESTORE: Final = text("SELECT set_config('lock_timeout', :before, true)")


@contextmanager
def durable_and_bounded(connection: Connection) -> Iterator[None]:
    """Make the caller's transaction durable, and bound the waits for locks inside the block.

    An error takes back what the block did, and nothing else. Afterwards lock_timeout is as it was, also after an error.
    No other setting changes.
    """
    with _one_user(connection), _plain(connection), connection.begin_nested():
        before = connection.execute(_BEGIN).one().before
        yield
        if before is not None:
            connection.execute(_RESTORE, {"before": before})


@contextmanager
def kept_usable(connection: Connection) -> Iterator[None]:
    """Leave the caller's transaction usable, whatever becomes of the reads inside the block.

    It costs two round trips, and none where the caller has done nothing in the transaction that could be lost.
    """
    driver = connection.connection.driver_connection
    unused = driver is None or driver.info.transaction_status != TransactionStatus.INTRANS
    with _one_user(connection), _plain(connection), nullcontext() if unused else connection.begin_nested():
        yield


_users: Final[dict[tuple[int, int], object]] = {}
"""Who is inside one of our functions, a task or a thread, by the process and the session of PostgreSQL."""


@contextmanager
def _one_user(connection: Connection) -> Iterator[None]:
    """Refuse a second task or thread in one transaction: the savepoints of the two would not nest, and half be lost.

    The same task may come again, as recipients do that ask whether each is suppressed. Raises: BadInput.
    """
    driver = connection.connection.driver_connection
    session, user = (os.getpid(), id(getattr(driver, "pgconn", None))), _this_user()
    found = _users.setdefault(session, user)
    if found != user:
        raise BadInput(_BUSY)
    first = found is user
    try:
        yield
    finally:
        if first:
            _users.pop(session, None)


_BUSY: Final = (
    "another task or thread is using this transaction at this moment: let one end before the other begins, or give "
    "each a transaction of its own"
)


def _this_user() -> object:
    """Return what tells this task, or else this thread, from others."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    return ("thread", threading.get_ident()) if task is None else ("task", id(task))


_PLAIN: Final = {"stream_results": False, "yield_per": None, "schema_translate_map": None}
"""Options of a Connection that would change our statements: with `stream_results`, SQLAlchemy declares a cursor for
each, also for SAVEPOINT and INSERT … RETURNING, which is a syntax error."""


@contextmanager
def _plain(connection: Connection) -> Iterator[None]:
    """Take the options of the caller off his Connection for as long as we use it."""
    theirs = {name: value for name, value in connection.get_execution_options().items() if name in _PLAIN}
    if not any(theirs.values()):
        yield
        return
    connection.execution_options(**_PLAIN)
    try:
        yield
    finally:
        connection.execution_options(**{**_PLAIN, **theirs})
