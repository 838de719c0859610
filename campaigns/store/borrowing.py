"""A SQLAlchemy connection in a transaction that somebody else's psycopg connection is in: theirs to commit.

Two objects share one session of PostgreSQL. Ours has psycopg's own adapters, cursors with server-side binding, and no
prepared statements, whatever is set on theirs (Django registers its own loaders, and binds on the client). Ours never
commits, rolls back or closes, not even when SQLAlchemy returns it to its pool.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import cache
from typing import Any, Final

import psycopg
from psycopg.pq import PipelineStatus, TransactionStatus
from sqlalchemy import Connection, Engine, NullPool, create_engine

from kavenegar_campaigns.errors import BadInput
from kavenegar_campaigns.store.engine import set_up_engine

Observer = Callable[[bool, bool], None]
"""Called when a statement failed, and when the transaction changes: (is the transaction aborted?, did one fail?)."""

_ABORTED: Final = (
    "the transaction is aborted by an earlier error, and PostgreSQL will roll all of it back: leave the block of the "
    "transaction with that error, and begin another"
)
_BUSY: Final = (
    "this connection is busy with a COPY, a stream or another thread's statement: end that first, or give a "
    "connection of its own"
)
_PIPELINE: Final = "this connection is in pipeline mode: call this outside of `with connection.pipeline():`"


def _no_observer(aborted: bool, failed: bool) -> None:
    """Drop the news."""


class BorrowedConnection(psycopg.Connection[Any]):
    """A second interface to the session of `theirs`, which decides alone when its transaction ends.

    `begin_hint` is the sentence for a function that writes, where `theirs` is in no transaction.
    """

    def __init__(self, theirs: psycopg.Connection[Any], *, begin_hint: str, observe: Observer = _no_observer) -> None:
        session = theirs.pgconn
        handlers = session.notice_handler, session.notify_handler
        super().__init__(session)
        session.notice_handler, session.notify_handler = handlers  # notices go on to the handlers of `theirs`
        self.lock = theirs.lock
        self.prepare_threshold = None  # theirs may have statements prepared under the same names
        self.begin_hint = begin_hint
        self._owner = theirs
        self._observe = observe
        self._was_aborted = False
        if session.transaction_status == TransactionStatus.IDLE:
            self._begin_as_they_would(theirs)

    def _begin_as_they_would(self, theirs: psycopg.Connection[Any]) -> None:
        """Let the first statement begin the transaction that the first one of `theirs` would begin."""
        if theirs.autocommit:
            self.autocommit = True
            return
        self.isolation_level = theirs.isolation_level
        self.read_only = theirs.read_only
        self.deferrable = theirs.deferrable

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        """Run one exchange with the server, and tell the observer if it failed, or if the transaction is aborted now.

        Every statement and every part of a COPY passes here, also the rollback to a savepoint, which heals.
        """
        failed = True
        try:
            found = super().wait(gen, *args, **kwargs)
            failed = False
        finally:
            aborted = self.pgconn.transaction_status == TransactionStatus.INERROR
            if failed or aborted != self._was_aborted:
                self._was_aborted = aborted
                self._observe(aborted, failed)
        return found

    def commit(self) -> None:
        """Leave the transaction open: it is theirs."""

    def rollback(self) -> None:
        """Leave the transaction open: it is theirs."""

    def close(self) -> None:
        """Leave the session open: it is theirs."""

    def __del__(self, *_: object) -> None:
        """Leave the session open, without psycopg's warning that it is."""


_next: ContextVar[BorrowedConnection] = ContextVar("borrowed")


@cache
def _engine() -> Engine:
    """Return the engine that dresses borrowed connections for SQLAlchemy. It opens none and keeps none."""
    engine = create_engine(
        "postgresql+psycopg://",
        creator=_next.get,
        poolclass=NullPool,
        pool_reset_on_return=None,
        hide_parameters=True,
        use_native_hstore=False,
    )
    set_up_engine(engine)
    return engine


def borrow(theirs: psycopg.Connection[Any], *, begin_hint: str, observe: Observer = _no_observer) -> Connection:
    """Return a SQLAlchemy connection in the transaction of `theirs`; outside of one, it is in autocommit mode.

    Raises: BadInput when the session cannot take a statement now.
    """
    if theirs.closed:
        raise BadInput("this psycopg connection is closed: open another one")
    if theirs.pgconn.pipeline_status != PipelineStatus.OFF:
        raise BadInput(_PIPELINE)
    if theirs.pgconn.transaction_status == TransactionStatus.INERROR:
        raise BadInput(_ABORTED)
    if theirs.pgconn.transaction_status == TransactionStatus.ACTIVE:
        raise BadInput(_BUSY)
    token = _next.set(BorrowedConnection(theirs, begin_hint=begin_hint, observe=observe))
    try:
        return _engine().connect()
    finally:
        _next.reset(token)
