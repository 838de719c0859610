"""One-time passwords: one row for each message or call that carries one."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from campaigns.rules.states import OtpState
from campaigns.store.tables.base import metadata, one_of, time

otps = Table(
    "otps",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("client_key", Text, unique=True),  # the caller's own: the same key is the same password
    Column("parent_id", BigInteger, unique=True),  # of a call: the message it follows
    Column("kind", Text, nullable=False),  # sms | call
    Column("number", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("tokens", JSONB),  # erased as soon as nobody needs them any more
    Column("tag", Text),
    Column("call_after_s", Integer),  # without a verdict by then, or with a bad one, it is told by a call
    Column("state", Text, nullable=False),
    time("created_at", nullable=False, server_default=text("now()")),
    time("due_at", nullable=False),  # waiting: not before; claimed: end of the lease
    time("expires_at", nullable=False),  # worth nothing after that: it is not sent any more
    Column("lease_owner", Uuid),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("gateway_id", BigInteger),
    Column("status", Integer),
    Column("cost_rial", Integer),
    Column("code", SmallInteger),  # why the gateway refused it
    time("sent_at"),
    time("poll_at"),
    time("settled_at"),
    CheckConstraint(one_of("state", OtpState), name="state"),
    CheckConstraint("kind IN ('sms', 'call')", name="kind"),
    CheckConstraint("state NOT IN ('waiting', 'claimed') OR tokens IS NOT NULL", name="tokens"),
    CheckConstraint("state NOT IN ('delivered', 'refused', 'unknown', 'expired') OR tokens IS NULL", name="erased"),
    CheckConstraint("(state = 'claimed') = (lease_owner IS NOT NULL)", name="lease"),
    CheckConstraint("(state = 'refused') = (code IS NOT NULL)", name="refused"),
    Index("otps_due_idx", "due_at", postgresql_where=text("state IN ('waiting', 'claimed')")),
    Index("otps_gateway_id_idx", "gateway_id", postgresql_where=text("poll_at IS NOT NULL")),
    # Which of the messages that the gateway shows are passwords of ours?
    Index("otps_sent_idx", "gateway_id", postgresql_where=text("gateway_id IS NOT NULL")),
    Index("otps_poll_idx", "poll_at", postgresql_where=text("poll_at IS NOT NULL")),
)
