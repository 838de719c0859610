"""The lines that people answer to, and what they wrote."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    Interval,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

from campaigns.store.tables.base import metadata, time

lines = Table(
    "lines",
    metadata,
    Column("line", Text, primary_key=True),
    Column("every", Interval, nullable=False),  # how often it is pulled
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("from_settings", Boolean, nullable=False, server_default=text("false")),  # a person has not changed it
    time("due_at", nullable=False),
    # One worker pulls a line at a time; who has lost the lease writes nothing about the line any more.
    Column("lease_owner", Uuid),
    time("leased_until"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    # An answer that hands messages out may be lost since then: they are read at the gateway, and not here.
    time("doubtful_since"),
    time("complete_to"),  # everything the gateway had received by then is stored
    time("reconcile_at", nullable=False),  # when the last days are gone through again
    # A look through them that is under way: since when, and up to when everything has been gone through.
    time("look_began"),
    time("looked_to"),
    time("thorough_at"),  # a look that begins after it takes no count for a proof
    time("pulled_at"),
    time("reconciled_at"),
    Column("trouble", Text),
    CheckConstraint("every >= interval '1 second'", name="every"),
    CheckConstraint("(lease_owner IS NULL) = (leased_until IS NULL)", name="lease"),
    CheckConstraint("(look_began IS NULL) = (looked_to IS NULL)", name="look"),
)

inbound = Table(
    "inbound",
    metadata,
    Column("gateway_id", BigInteger, primary_key=True, autoincrement=False),  # what to deduplicate by
    Column("line", Text, nullable=False),
    Column("number", Text, nullable=False),  # as 09121234567 where it is a mobile number
    Column("text", Text, nullable=False),
    time("received_at", nullable=False),  # by the gateway, as it says
    time("stored_at", nullable=False, server_default=text("now()")),
    Column("via", Text, nullable=False),  # receive | inboxpaged | callback
    Column("opted_out", Boolean, nullable=False, server_default=text("false")),
    # The message of ours that its sender had received last.
    Column("campaign_id", BigInteger),
    Column("message_id", BigInteger),
    # Handing it to the user's own code: when to try (again), how often it was tried, when it was taken.
    time("hand_at"),
    Column("hands", SmallInteger, nullable=False, server_default="0"),
    time("taken_at"),
    CheckConstraint("via IN ('receive', 'inboxpaged', 'callback')", name="via"),
    CheckConstraint("hand_at IS NULL OR taken_at IS NULL", name="handed"),
    Index("inbound_line_idx", "line", "received_at"),
    Index("inbound_received_idx", "received_at", "gateway_id"),
    Index("inbound_number_idx", "number"),
    Index("inbound_campaign_idx", "campaign_id", postgresql_where=text("campaign_id IS NOT NULL")),
    Index("inbound_hand_idx", "hand_at", "gateway_id", postgresql_where=text("hand_at IS NOT NULL")),
)
