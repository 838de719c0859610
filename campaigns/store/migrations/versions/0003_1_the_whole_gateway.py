"""The tables of everything but sends: inbox lines, one-time passwords, callbacks, block lists, the ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003_1"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add their tables."""
    op.create_table(
        "blocked",
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("reason", sa.SmallInteger(), nullable=False),
        sa.Column("blocked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("line", "number", name=op.f("blocked_pkey")),
        schema="sms",
    )
    op.create_table(
        "blocklists",
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_owner", sa.Uuid(), nullable=True),
        sa.Column("page", sa.Integer(), nullable=True),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("complete_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("whole_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("synced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.CheckConstraint("(page IS NULL) = (began_at IS NULL)", name=op.f("blocklists_page_check")),
        sa.CheckConstraint("page >= 1", name=op.f("blocklists_first_page_check")),
        sa.PrimaryKeyConstraint("line", name=op.f("blocklists_pkey")),
        schema="sms",
    )
    op.create_table(
        "callbacks",
        sa.Column("gateway_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("gateway_id", "status", name=op.f("callbacks_pkey")),
        schema="sms",
    )
    op.create_index(
        "callbacks_ask_idx",
        "callbacks",
        ["due_at", "message_id"],
        unique=False,
        schema="sms",
        postgresql_where=sa.text("message_id IS NOT NULL"),
    )
    op.create_index(
        "callbacks_due_idx",
        "callbacks",
        ["due_at"],
        unique=False,
        schema="sms",
        postgresql_where=sa.text("message_id IS NULL"),
    )
    op.create_table(
        "days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("cost_rial", sa.BigInteger(), nullable=False),
        sa.Column("gateway_messages", sa.Integer(), nullable=True),
        sa.Column("gateway_parts", sa.Integer(), nullable=True),
        sa.Column("gateway_cost_rial", sa.BigInteger(), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("days_pkey")),
        schema="sms",
    )
    op.create_table(
        "inbound",
        sa.Column("gateway_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("opted_out", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=True),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("hand_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hands", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("via IN ('receive', 'inboxpaged', 'callback')", name=op.f("inbound_via_check")),
        sa.CheckConstraint("hand_at IS NULL OR taken_at IS NULL", name=op.f("inbound_handed_check")),
        sa.PrimaryKeyConstraint("gateway_id", name=op.f("inbound_pkey")),
        schema="sms",
    )
    op.create_index(
        "inbound_campaign_idx",
        "inbound",
        ["campaign_id"],
        unique=False,
        schema="sms",
        postgresql_where=sa.text("campaign_id IS NOT NULL"),
    )
    op.create_index(
        "inbound_hand_idx",
        "inbound",
        ["hand_at", "gateway_id"],
        unique=False,
        schema="sms",
        postgresql_where=sa.text("hand_at IS NOT NULL"),
    )
    op.create_index("inbound_line_idx", "inbound", ["line", "received_at"], unique=False, schema="sms")
    op.create_index("inbound_number_idx", "inbound", ["number"], unique=False, schema="sms")
    op.create_index("inbound_received_idx", "inbound", ["received_at", "gateway_id"], unique=False, schema="sms")
    op.create_table(
        "lines",
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("every", sa.Interval(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("from_settings", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_owner", sa.Uuid(), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("doubtful_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("complete_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reconcile_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("look_began", sa.DateTime(timezone=True), nullable=True),
        sa.Column("looked_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("thorough_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pulled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reconciled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.CheckConstraint("every >= interval '1 second'", name=op.f("lines_every_check")),
        sa.CheckConstraint("(lease_owner IS NULL) = (leased_until IS NULL)", name=op.f("lines_lease_check")),
        sa.CheckConstraint("(look_began IS NULL) = (looked_to IS NULL)", name=op.f("lines_look_check")),
        sa.PrimaryKeyConstraint("line", name=op.f("lines_pkey")),
        schema="sms",
    )
    op.create_table(
        "otps",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("client_key", sa.Text(), nullable=True),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("tokens", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("tag", sa.Text(), nullable=True),
        sa.Column("call_after_s", sa.Integer(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_owner", sa.Uuid(), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("gateway_id", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("cost_rial", sa.Integer(), nullable=True),
        sa.Column("code", sa.SmallInteger(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("poll_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(state = 'claimed') = (lease_owner IS NOT NULL)", name=op.f("otps_lease_check")),
        sa.CheckConstraint("(state = 'refused') = (code IS NOT NULL)", name=op.f("otps_refused_check")),
        sa.CheckConstraint("kind IN ('sms', 'call')", name=op.f("otps_kind_check")),
        sa.CheckConstraint(
            "state IN ('waiting', 'claimed', 'accepted', 'delivered', 'undelivered', 'failed', 'blocked', 'cancelled', 'refused', 'unknown', 'expired')",
            name=op.f("otps_state_check"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('delivered', 'refused', 'unknown', 'expired') OR tokens IS NULL",
            name=op.f("otps_erased_check"),
        ),
        sa.CheckConstraint("state NOT IN ('waiting', 'claimed') OR tokens IS NOT NULL", name=op.f("otps_tokens_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("otps_pkey")),
        sa.UniqueConstraint("client_key", name=op.f("otps_client_key_key")),
        sa.UniqueConstraint("parent_id", name=op.f("otps_parent_id_key")),
        schema="sms",
    )
    op.create_index(
        "otps_due_idx",
        "otps",
        ["due_at"],
        unique=False,
        schema="sms",
        postgresql_where=sa.text("state IN ('waiting', 'claimed')"),
    )
    op.create_index(
        "otps_gateway_id_idx",
        "otps",
        ["gateway_id"],
        unique=False,
        schema="sms",
        postgresql_where=sa.text("poll_at IS NOT NULL"),
    )
    op.create_index(
        "otps_poll_idx",
        "otps",
        ["poll_at"],
        unique=False,
        schema="sms",
        postgresql_where=sa.text("poll_at IS NOT NULL"),
    )
    op.create_table(
        "receipts",
        sa.Column("gateway_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("gateway_id", name=op.f("receipts_pkey")),
        schema="sms",
    )
    op.create_index("receipts_closes_at_idx", "receipts", ["closes_at"], unique=False, schema="sms")
