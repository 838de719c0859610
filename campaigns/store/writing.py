"""The caller's transaction while we write in it: its commit is durable, and no lock is waited for without end."""

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

    Afterwards lock_timeout is as it was, also after an error. Where the error has left the transaction unusable, the
    caller's rollback, to a savepoint or of all, puts the setting back. No other setting changes.
    """
    before = connection.execute(_BEGIN).one().before
    try:
        yield
    finally:
        if before is not None and _usable(connection):
            connection.execute(_RESTORE, {"before": before})


def _usable(connection: Connection) -> bool:
    """Return whether the transaction takes another statement."""
    if connection.closed or connection.invalidated:
        return False
    driver = connection.connection.driver_connection
    return driver is not None and driver.info.transaction_status == TransactionStatus.INTRANS
