"""What the gateway tells by itself, and by which of its ids it means which message of ours."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, Table, text

from campaigns.store.tables.base import metadata, time

receipts = Table(
    "receipts",
    metadata,
    Column("gateway_id", BigInteger, primary_key=True, autoincrement=False),
    Column("message_id", BigInteger, nullable=False),
    time("closes_at", nullable=False),  # of no use after that
    Index("receipts_closes_at_idx", "closes_at"),
)
"""Written where callbacks are expected. An index on `messages` instead would end their HOT updates."""

callbacks = Table(
    "callbacks",
    metadata,
    Column("gateway_id", BigInteger, nullable=False),
    Column("status", Integer, nullable=False),
    Column("message_id", BigInteger),  # of ours, once it is known that the gateway has to be asked about it
    time("seen_at", nullable=False),
    time("due_at", nullable=False),  # when it is looked at (again): it may be earlier than our own row
    PrimaryKeyConstraint("gateway_id", "status"),
    Index("callbacks_due_idx", "due_at", postgresql_where=text("message_id IS NULL")),
    Index("callbacks_ask_idx", "due_at", "message_id", postgresql_where=text("message_id IS NOT NULL")),
)
"""Status callbacks that wait to be heeded; what was heeded is deleted."""
