"""The database: its tables and the statements on them, one file a topic.

A statement function takes a `Connection` first, and runs in its caller's transaction. Under `in_one_commit` it also
takes a `Database`: it is then a commit of its own, retried while the database is away. So a stage calls
`batches.release(context.database, claim, …)` like any function.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import Connection, text

B = TypeVar("B")
P = ParamSpec("P")
T = TypeVar("T")


class Committer(ABC):
    """Runs a statement in a commit of its own: see `database.Database`."""

    @abstractmethod
    def __call__(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(connection, …)` in a transaction of its own, and return its result."""


def in_one_commit(statement: Callable[Concatenate[B, P], T]) -> Callable[Concatenate[B | Committer, P], T]:
    """Let a function that takes a connection first take a `Database` instead; the call is then a commit of its own.

    The function must be safe to run twice: it is guarded by the state that it moves from, or only reads.
    """

    @wraps(statement)
    def run(bind: B | Committer, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if not isinstance(bind, Committer):
            return statement(bind, *args, **kwargs)
        work: Callable[..., Any] = run  # the database sees the name that its caller sees
        found: T = bind(work, *args, **kwargs)
        return found

    return run


# What is the time of the database? It advances within a transaction.
_CLOCK: Final = text("SELECT clock_timestamp()")
# When did this transaction begin?
_BEGAN: Final = text("SELECT now()")


def database_now(connection: Connection) -> datetime:
    """Return the database's time, which all processes share."""
    moment: datetime = connection.execute(_CLOCK).scalar_one()
    return moment


def transaction_time(connection: Connection) -> datetime:
    """Return when the transaction began, by the database's clock: work with this due time is due."""
    moment: datetime = connection.execute(_BEGAN).scalar_one()
    return moment
