"""Whom we must not write to, and what the gateway's own block lists say."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

from campaigns.store.tables.base import metadata, time

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

blocked = Table(
    "blocked",
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
    time("complete_to"),  # everything that was blocked by then is in `blocked`
    time("whole_at"),  # when it was last gone through from its beginning
    time("synced_at"),
    Column("trouble", Text),
    CheckConstraint("(page IS NULL) = (began_at IS NULL)", name="page"),
    CheckConstraint("page >= 1", name="first_page"),
)
"""How far each line's block list is synchronised."""
