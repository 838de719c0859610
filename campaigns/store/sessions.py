"""What every session and every transaction of ours relies on, whatever the database, the role or the caller has set.

A shared database may have been told to confirm commits before they are on disk, or to isolate transactions otherwise.
A confirmed claim that is lost in a crash is sent twice, so nothing here is left to a default.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

PINNED: Final = {
    "synchronous_commit": "on",  # a commit that we were told of is on disk, and with a synchronous standby there too
    "default_transaction_isolation": r"read\ committed",  # our statements see what others committed, and wait for locks
    "default_transaction_deferrable": "off",
    "transform_null_equals": "off",
    "timezone": "UTC",
}
"""Whatever the server says, a session of ours starts with these: what a client names at its start goes before what the
database or the role has set. Only settings that every role may change: one that is a superuser's to change would keep
all other roles from connecting at all.
"""

LIMITS: Final = {
    "statement_timeout": "60s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "15s",  # a frozen worker keeps its locks no longer
    "jit": "off",  # our statements are short; compiling one would take longer than running it
}

OPTIONS: Final = " ".join(f"-c {name}={value}" for name, value in (PINNED | LIMITS).items())
"""The `options` of a connection."""

WEAK: Final = ("off", "local", "remote_write")
"""Of synchronous_commit: what may lose a confirmed commit in a crash or a failover."""

DURABLE: Final = f"""
    CASE WHEN current_setting('synchronous_commit') IN ({", ".join(f"'{value}'" for value in WEAK)})
         THEN set_config('synchronous_commit', 'on', true) END AS durable
"""
"""A column for a statement whose commit must not be lost. It holds until the transaction ends; no round trip more."""

# Whatever the caller's session says: once this commit is confirmed, it is on disk.
_MAKE_DURABLE: Final = text(f"SELECT {DURABLE}")


def make_durable(connection: Connection) -> None:
    """See to it that the caller's transaction is on disk once its commit was confirmed. Nothing else of it changes."""
    connection.execute(_MAKE_DURABLE)
