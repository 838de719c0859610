"""What every function of the face is given: the caller's own transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from campaigns.errors import BadInput
from campaigns.store.sessions import make_durable

Bind = Connection | Session


def opened(bind: Bind) -> Connection:
    """The connection of the caller's transaction."""
    return bind.connection() if isinstance(bind, Session) else bind


def writing(bind: Bind) -> Connection:
    """The same, for whoever writes: once its commit is confirmed, it is on disk, whatever the database's default is.

    Raises: BadInput outside a transaction: half of a change would be there for a moment, or after a crash for good.
    """
    connection = opened(bind)
    if getattr(connection.connection.driver_connection, "autocommit", False):
        raise BadInput("campaigns change whole or not at all: give a connection in a transaction, not in AUTOCOMMIT")
    make_durable(connection)
    return connection


def now(connection: Connection) -> datetime:
    """The time of the database, which is everybody's."""
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment
