"""Wait for an event: as long as an overloaded machine may take, and no longer than it does take."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import Engine, text

PATIENCE_S: Final = 90.0
"""Nothing that is waited for takes a quarter of it on a quiet machine. Who waits for less asserts a speed."""

_SOMEBODY_WAITS: Final = text("""
    SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')
""")


def until(condition: Callable[[], bool], what: str, *, within_s: float = PATIENCE_S, every_s: float = 0.05) -> None:
    """Ask `condition` until it holds. Raises AssertionError, with `what` in it, where it never does."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {within_s:.0f} s"
        time.sleep(every_s)


def until_somebody_waits(engine: Engine) -> None:
    """Until a session of this database waits for a lock that another one holds."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        until(lambda: bool(connection.execute(_SOMEBODY_WAITS).scalar_one()), "waiting for a lock", every_s=0.01)
