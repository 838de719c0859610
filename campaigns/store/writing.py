"""The caller's transaction while we work in it: an error of ours leaves it usable, with all that was in it before.

PostgreSQL's COMMIT of an aborted transaction is a ROLLBACK that nothing reports: a caller who caught our error and
committed would lose an order without a word. A savepoint around our statements prevents it. While we write, the commit
is durable, too, and no lock is waited for without end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, text

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
    with connection.begin_nested():
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
    if driver is None or driver.info.transaction_status != TransactionStatus.INTRANS:
        yield
        return
    with connection.begin_nested():
        yield
