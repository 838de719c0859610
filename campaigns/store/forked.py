"""What becomes of an engine's connections when its process forks: the child never uses the parent's."""

from __future__ import annotations

from typing import Any, Final

import psycopg
from sqlalchemy import Connection, Engine, event

from kavenegar_campaigns import forks
from kavenegar_campaigns.errors import BadInput


def keep_from_children(engine: Engine) -> None:
    """Give each child of this process connections of its own.

    A connection that was in use at the fork is closed to the child: its use there raises OperationalError.
    """
    event.listen(engine, "connect", _keep)
    forks.renew_in_child(engine, _replace_pool)


def _replace_pool(engine: Engine) -> None:
    """Replace the pool. Nothing is sent on the parent's connections, and nothing is awaited from them."""
    engine.dispose(close=False)


def _keep(connection: Any, _: object) -> None:
    forks.renew_in_child(connection, _sever)


def _sever(connection: psycopg.Connection[Any]) -> None:
    """Close an inherited connection to the child.

    It is kept until the process ends: libpq may have been at work on it in another thread, so nothing frees it.
    """
    _severed.append(connection)
    if not connection.closed:
        forks.sever(connection.fileno())


_severed: Final[list[psycopg.Connection[Any]]] = []


def refuse_inherited(connection: Connection) -> None:
    """Refuse a connection that was opened before the process was forked: the parent may read from it, too.

    It is closed to this process, so that the caller's rollback does not reach the parent's transaction; after that
    rollback the engine opens another. Raises: BadInput.
    """
    driver: Any = connection.connection.driver_connection
    if driver is not None and not driver.closed and forks.is_inherited(driver.fileno()):
        forks.sever(driver.fileno())
        connection.invalidate()
        raise BadInput(
            "this connection was opened before the process was forked (gunicorn --preload, Celery's prefork pool), and "
            "processes that share one read each other's rows: call `engine.dispose(close=False)` in each child right "
            "after the fork, or create the engine there"
        )
