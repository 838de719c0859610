"""The incoming side: inbound messages and their lines, callbacks and gateway ids, suppressions and block lists."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    Interval,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

from kavenegar_campaigns.store.tables import metadata, time

lines = Table(
    "lines",
    metadata,
    Column("line", Text, primary_key=True),
    Column("every", Interval, nullable=False),  # how often it is pulled
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("from_settings", Boolean, nullable=False, server_default=text("false")),  # a person has not changed it
    time("due_at", nullable=False),
    # One worker pulls a line at a time; a worker that has lost the lease writes nothing about the line any more.
    Column("lease_owner", Uuid),
    time("leased_until"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    # Since this time an answer with messages may be lost: the gateway has marked them read, and they are not here.
    time("needs_reconcile_since"),
    time("complete_to"),  # all messages that the gateway had received by then are stored
    time("reconcile_at", nullable=False),  # when the last days are reconciled again
    # A reconcile under way: its beginning, and up to which time it is done.
    time("reconcile_began_at"),
    time("reconciled_to"),
    time("full_reconcile_at"),  # a reconcile that begins later reads all messages, and takes no count as proof
    time("pulled_at"),
    time("reconciled_at"),
    Column("trouble", Text),
    CheckConstraint("every >= interval '1 second'", name="every"),
    CheckConstraint("(lease_owner IS NULL) = (leased_until IS NULL)", name="lease"),
    CheckConstraint("(reconcile_began_at IS NULL) = (reconciled_to IS NULL)", name="reconcile"),
)

inbound = Table(
    "inbound",
    metadata,
    Column("gateway_id", BigInteger, primary_key=True, autoincrement=False),  # deduplicate by it
    Column("line", Text, nullable=False),
    Column("number", Text, nullable=False),  # as 09121234567 where it is a mobile number
    Column("text", Text, nullable=False),
    time("received_at", nullable=False),  # when the gateway received it, by its own clock
    time("stored_at", nullable=False, server_default=text("now()")),
    Column("via", Text, nullable=False),  # receive | inboxpaged | callback
    Column("opted_out", Boolean, nullable=False, server_default=text("false")),
    # Our last message that its sender had received.
    Column("campaign_id", BigInteger),
    Column("message_id", BigInteger),
    # Delivery to your code: the time of the next attempt, the number of attempts, the acknowledgement.
    time("next_delivery_at"),
    Column("delivery_attempts", SmallInteger, nullable=False, server_default="0"),
    time("acknowledged_at"),
    CheckConstraint("via IN ('receive', 'inboxpaged', 'callback')", name="via"),
    CheckConstraint("next_delivery_at IS NULL OR acknowledged_at IS NULL", name="delivery"),
    Index("inbound_line_idx", "line", "received_at"),
    Index("inbound_received_idx", "received_at", "gateway_id"),
    Index("inbound_number_idx", "number"),
    Index("inbound_campaign_idx", "campaign_id", postgresql_where=text("campaign_id IS NOT NULL")),
    Index(
        "inbound_delivery_idx", "next_delivery_at", "gateway_id", postgresql_where=text("next_delivery_at IS NOT NULL")
    ),
)


# ── callbacks, and the gateway ids by which they find our messages ──

gateway_ids = Table(
    "gateway_ids",
    metadata,
    Column("gateway_id", BigInteger, primary_key=True, autoincrement=False),
    Column("message_id", BigInteger, nullable=False),
    time("closes_at", nullable=False),  # no callback comes after that
    Index("gateway_ids_closes_at_idx", "closes_at"),
)
"""Filled only where callbacks are expected. An index on `messages` instead would end its HOT updates."""

callbacks = Table(
    "callbacks",
    metadata,
    Column("gateway_id", BigInteger, nullable=False),
    Column("status", Integer, nullable=False),
    Column("message_id", BigInteger),  # our message, once the callback waits to be confirmed
    time("seen_at", nullable=False),
    time("due_at", nullable=False),  # when it is matched or confirmed; it may come before our own row
    PrimaryKeyConstraint("gateway_id", "status"),
    Index("callbacks_due_idx", "due_at", postgresql_where=text("message_id IS NULL")),
    Index("callbacks_ask_idx", "due_at", "message_id", postgresql_where=text("message_id IS NOT NULL")),
)
"""Status callbacks that wait to be matched and confirmed; processed ones are deleted."""


# ── the numbers that get no messages, and the gateway's own block lists ──

suppressions = Table(
    "suppressions",
    metadata,
    Column("number", Text, primary_key=True),  # as 09121234567
    Column("reason", Text, nullable=False),  # of `SuppressionReason`, or the operator's own words
    Column("source", Text, nullable=False),  # an inbound message, a verdict, a block list, a person
    time("created_at", nullable=False, server_default=text("now()")),
    time("lifted_at"),  # not suppressed since then; the row stays, because reports still give the reason
    time("refused_at"),  # when the gateway last refused the number (411): it is on no block list
    Index("suppressions_created_at_idx", "created_at"),
    Index("suppressions_refused_at_idx", "refused_at", postgresql_where=text("refused_at IS NOT NULL")),
)

blocklist_entries = Table(
    "blocklist_entries",
    metadata,
    Column("line", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("reason", SmallInteger, nullable=False),  # the gateway's: 0 service, 1 panel, 2 opt-out, 3 admin, 10 unknown
    time("blocked_at"),  # by the gateway's clock; NULL for our own entry until a pull shows it
    time("seen_at", nullable=False),
    time("removed_at"),  # removed by us: if the list still shows it, it is the old entry, not a new one
    PrimaryKeyConstraint("line", "number"),
)
"""The entries of the gateway's block lists, by line, as last seen."""

blocklists = Table(
    "blocklists",
    metadata,
    Column("line", Text, primary_key=True),
    time("due_at", nullable=False),  # the time of the next sync; while claimed, the end of the lease
    Column("lease_owner", Uuid),
    # A pull under way: its next page, its beginning, and since when entries were blocked; since NULL: the whole list.
    Column("page", Integer),
    time("began_at"),
    time("since"),
    time("complete_to"),  # all numbers that were blocked by then are in `blocklist_entries`
    time("last_full_pull_at"),  # when the list was last pulled whole
    time("synced_at"),
    Column("trouble", Text),
    CheckConstraint("(page IS NULL) = (began_at IS NULL)", name="page"),
    CheckConstraint("page >= 1", name="first_page"),
)
"""The progress of the sync of each line's block list."""
