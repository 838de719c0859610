"""What every function of the face is given: the caller's own transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

Bind = Connection | Session


def opened(bind: Bind) -> Connection:
    """The connection of the caller's transaction."""
    return bind.connection() if isinstance(bind, Session) else bind


def now(connection: Connection) -> datetime:
    """The time of the database, which is everybody's."""
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment
