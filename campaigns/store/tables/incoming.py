"""What reaches us: inbound messages and their lines, callbacks and the gateway's ids, suppressions and block lists."""

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

from campaigns.store.tables import metadata, time

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
    time("needs_reconcile_since"),
    time("complete_to"),  # everything the gateway had received by then is stored
    time("reconcile_at", nullable=False),  # when the last days are gone through again
    # A look through them that is under way: since when, and up to when everything has been gone through.
    time("reconcile_began_at"),
    time("reconciled_to"),
    time("full_reconcile_at"),  # a look that begins after it takes no count for a proof
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


# What the gateway tells by itself, and by which of its ids it means which message of ours.

gateway_ids = Table(
    "gateway_ids",
    metadata,
    Column("gateway_id", BigInteger, primary_key=True, autoincrement=False),
    Column("message_id", BigInteger, nullable=False),
    time("closes_at", nullable=False),  # of no use after that
    Index("gateway_ids_closes_at_idx", "closes_at"),
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


# Whom we must not write to, and what the gateway's own block lists say.

suppressions = Table(
    "suppressions",
    metadata,
    Column("number", Text, primary_key=True),  # as 09121234567
    Column("reason", Text, nullable=False),  # a word of rules.suppression, or the operator's own
    Column("source", Text, nullable=False),  # where it comes from: an inbound message, a verdict, a list, a person
    time("created_at", nullable=False, server_default=text("now()")),
    time("lifted_at"),  # no longer suppressed since then; kept, because reports still tell why
    time("refused_at"),  # when the gateway last refused the number itself (411): it is on none of its lists
    Index("suppressions_created_at_idx", "created_at"),
    Index("suppressions_refused_at_idx", "refused_at", postgresql_where=text("refused_at IS NOT NULL")),
)

blocklist_entries = Table(
    "blocklist_entries",
    metadata,
    Column("line", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("reason", SmallInteger, nullable=False),  # the gateway's: 0 service, 1 panel, 2 opt-out, 3 admin, 10 unknown
    time("blocked_at"),  # as the gateway says, on its own clock; of what we wrote, not before it was seen there
    time("seen_at", nullable=False),
    time("removed_at"),  # taken off by us: should the list still show it, it is the same entry and no new one
    PrimaryKeyConstraint("line", "number"),
)
"""The gateway's block lists, a line's at a time, as last seen."""

blocklists = Table(
    "blocklists",
    metadata,
    Column("line", Text, primary_key=True),
    time("due_at", nullable=False),  # when it is synchronised next; while somebody does, the end of their lease
    Column("lease_owner", Uuid),
    # Going through the gateway's pages: which one is next, since when, and blocked since when; not whole: the newest.
    Column("page", Integer),
    time("began_at"),
    time("since"),
    time("complete_to"),  # everything that was blocked by then is in `blocklist_entries`
    time("last_full_pull_at"),  # when it was last gone through from its beginning
    time("synced_at"),
    Column("trouble", Text),
    CheckConstraint("(page IS NULL) = (began_at IS NULL)", name="page"),
    CheckConstraint("page >= 1", name="first_page"),
)
"""How far each line's block list is synchronised."""
