"""Engines of ours: how a process reaches PostgreSQL, and what an error of the driver may show."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.types.array import ListBinaryDumper
from sqlalchemy import Engine, ExceptionContext, create_engine, event

from kavenegar_campaigns.store import forked, gate


def make_engine(url: str, *, threads: int = 4) -> Engine:
    """Return an engine for `threads` threads of a process. After a fork, the child has connections of its own.

    Its errors and logs never show parameters: these are phone numbers and texts.
    """
    engine = create_engine(
        url,
        pool_size=threads + 2,
        max_overflow=4,
        pool_timeout=10,
        pool_recycle=1800,
        hide_parameters=True,
        connect_args={
            "connect_timeout": 5,
            "options": gate.CONNECTION_OPTIONS,
            "application_name": "campaigns",
            "keepalives_idle": 30,
            "tcp_user_timeout": 10_000,
        },
    )
    set_up_engine(engine)
    forked.keep_from_children(engine)
    return engine


def set_up_engine(engine: Engine) -> None:
    """Set up an engine of ours: its errors hold no rows, and arrays are sent in the binary format."""
    event.listen(engine, "connect", _send_arrays_as_binary)
    event.listen(engine, "handle_error", _leave_out_the_row)


def _send_arrays_as_binary(connection: Any, _: object) -> None:
    """Send arrays in the binary format: facts are arrays of 200 to 500 values, and as binary they cost a third."""
    connection.adapters.register_dumper(list, ListBinaryDumper)


def _leave_out_the_row(context: ExceptionContext) -> None:
    """Remove the failing row that PostgreSQL adds to its error: no log or traceback may hold numbers and texts."""
    if not isinstance(context.original_exception, psycopg.Error):
        return
    primary = context.original_exception.diag.message_primary
    if primary is not None:
        context.original_exception.args = (primary,)
        if context.sqlalchemy_exception is not None:
            context.sqlalchemy_exception.args = (f"({type(context.original_exception).__name__}) {primary}",)
