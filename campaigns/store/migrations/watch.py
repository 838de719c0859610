"""Says, while a step of an upgrade waits inside PostgreSQL, which session it waits for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from campaigns.store.migrations.blockers import Blocker, blocking, named
from campaigns.store.migrations.session import Progress

_LOOK_EVERY_S: Final = 0.2
_REPORT_AFTER_S: Final = 1.0
_REPORT_EVERY_S: Final = 30.0


class Watch:
    """Looks, from a connection of its own, at what the session of the upgrade waits for."""

    def __init__(self, engine: Engine, report: Progress) -> None:
        self.blockers: Sequence[Blocker] = ()
        self._engine = engine
        self._report = report

    @contextmanager
    def over(self, connection: Connection, doing: str) -> Iterator[None]:
        """Watch the session of `connection` during the block. `blockers` is then what it waited for last."""
        self.blockers = ()
        pid = int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
        ended = threading.Event()
        thread = threading.Thread(target=self._look, args=(ended, pid, doing), name="watch of the upgrade", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _look(self, ended: threading.Event, pid: int, doing: str) -> None:
        try:
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                self._look_until(ended, connection, pid, doing)
        except DBAPIError:
            return  # without the database there is nothing to see; the upgrade itself finds out

    def _look_until(self, ended: threading.Event, connection: Connection, pid: int, doing: str) -> None:
        report_at: float | None = None
        while not ended.wait(_LOOK_EVERY_S):
            found = blocking(connection, pid)
            if not found:
                report_at = None
                continue
            self.blockers = found
            report_at = time.monotonic() + _REPORT_AFTER_S if report_at is None else report_at
            if time.monotonic() >= report_at:
                self._report(f"{doing}: it waits for {named(found)}; sending goes on meanwhile")
                report_at += _REPORT_EVERY_S
