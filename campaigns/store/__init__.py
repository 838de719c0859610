"""The database: tables, and the statements on them, a file a topic.

A statement takes a `Connection` first, and is part of the transaction of its caller. Under `in_one_commit` it takes
a `Database` as well: it is then one commit of its own, tried again while the database is away. So a stage calls
`batches.release(context.database, claim, …)` as it calls any function.
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
        """`work(connection, …)` in a transaction of its own."""


def in_one_commit(statement: Callable[Concatenate[B, P], T]) -> Callable[Concatenate[B | Committer, P], T]:
    """Let a function that takes a connection first take a `Database` in its place, and then be one commit of its own.

    Such a function has to be safe to run twice: it is guarded by the state it moves from, or only reads.
    """

    @wraps(statement)
    def run(bind: B | Committer, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if not isinstance(bind, Committer):
            return statement(bind, *args, **kwargs)
        work: Callable[..., Any] = run  # the database sees the name that its caller sees
        found: T = bind(work, *args, **kwargs)
        return found

    return run


# What time is it for everybody? It goes on within a transaction.
_CLOCK: Final = text("SELECT clock_timestamp()")
# When did this transaction begin?
_BEGAN: Final = text("SELECT now()")


def database_now(connection: Connection) -> datetime:
    """The time of the database, which is everybody's."""
    moment: datetime = connection.execute(_CLOCK).scalar_one()
    return moment


def transaction_time(connection: Connection) -> datetime:
    """When the transaction began, by the database's clock: what is to happen then is due."""
    moment: datetime = connection.execute(_BEGAN).scalar_one()
    return moment
