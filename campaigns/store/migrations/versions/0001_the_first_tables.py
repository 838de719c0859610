"""The first tables: campaigns, their messages in batches, and what was attempted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the schema's first tables."""
    op.execute(
        sa.schema.CreateSequence(sa.Sequence("message_id_blocks", start=1, minvalue=1, maxvalue=858992, schema="sms"))
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("asked", sa.SmallInteger(), nullable=False),
        sa.Column("code", sa.SmallInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('send', 'resolve', 'poll')", name=op.f("attempts_kind_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("attempts_pkey")),
        schema="sms",
    )
    op.create_index("attempts_batch_id_idx", "attempts", ["batch_id"], unique=False, schema="sms")
    op.create_table(
        "campaigns",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("client_key", sa.Text(), nullable=True),
        sa.Column("content_digest", sa.LargeBinary(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("personal", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("hold_code", sa.SmallInteger(), nullable=True),
        sa.Column("hold_reason", sa.Text(), nullable=True),
        sa.Column("message_ids", postgresql.INT8MULTIRANGE(), nullable=False),
        sa.Column("rows_read", sa.Integer(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("duplicates", sa.Integer(), nullable=False),
        sa.Column("rejects", sa.Integer(), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("at_gateway", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state IN ('finished')) <= (finished_at IS NOT NULL)", name=op.f("campaigns_finished_check")
        ),
        sa.CheckConstraint(
            "finished_at IS NULL OR state IN ('finished', 'cancelled')", name=op.f("campaigns_over_check")
        ),
        sa.CheckConstraint(
            "hold_reason IS NULL OR state IN ('paused', 'cancelled')", name=op.f("campaigns_hold_check")
        ),
        sa.CheckConstraint("state <> 'running' OR started_at IS NOT NULL", name=op.f("campaigns_started_check")),
        sa.CheckConstraint(
            "state IN ('draft', 'scheduled', 'running', 'paused', 'finished', 'cancelled')",
            name=op.f("campaigns_state_check"),
        ),
        sa.CheckConstraint("messages + duplicates + rejects = rows_read", name=op.f("campaigns_rows_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("campaigns_pkey")),
        sa.UniqueConstraint("client_key", name=op.f("campaigns_client_key_key")),
        schema="sms",
    )
    op.create_index(
        "campaigns_live_idx",
        "campaigns",
        ["state", "id"],
        unique=False,
        schema="sms",
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("hold_code", sa.SmallInteger(), nullable=True),
        sa.Column("hold_reason", sa.Text(), nullable=True),
        sa.Column("held_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("probe_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("let_go_credit_rial", sa.BigInteger(), nullable=True),
        sa.Column("let_go_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("credit_rial", sa.BigInteger(), nullable=True),
        sa.Column("credit_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ticked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(hold_code IS NULL) = (held_since IS NULL)", name=op.f("installation_hold_check")),
        sa.CheckConstraint("(hold_code IS NULL) = (probe_at IS NULL)", name=op.f("installation_probe_check")),
        sa.CheckConstraint("epoch BETWEEN 1 AND 1048575", name=op.f("installation_epoch_check")),
        sa.CheckConstraint("id = 1", name=op.f("installation_single_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("installation_pkey")),
        schema="sms",
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("gateway_id", sa.BigInteger(), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("row_no", sa.Integer(), nullable=False),
        sa.Column("cost_rial", sa.Integer(), nullable=True),
        sa.Column("parts", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("refused_code", sa.SmallInteger(), nullable=True),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.CheckConstraint("(state = 'refused') = (refused_code IS NOT NULL)", name=op.f("messages_refused_check")),
        sa.CheckConstraint(
            "gateway_id IS NOT NULL OR NOT (state IN ('accepted', 'blocked', 'delivered', 'expired', 'failed', 'undelivered'))",
            name=op.f("messages_known_to_gateway_check"),
        ),
        sa.CheckConstraint(
            "gateway_id IS NULL OR NOT (state IN ('pending', 'refused', 'suppressed', 'uncertain'))",
            name=op.f("messages_unknown_to_gateway_check"),
        ),
        sa.CheckConstraint("number ~ '^09[0-9]{9}$'", name=op.f("messages_number_check")),
        sa.CheckConstraint(
            "state IN ('pending', 'accepted', 'delivered', 'undelivered', 'failed', 'blocked', 'cancelled', 'expired', 'refused', 'suppressed', 'uncertain')",
            name=op.f("messages_state_check"),
        ),
        sa.CheckConstraint("id BETWEEN 1 AND 9007199254740991", name=op.f("messages_id_check")),
        sa.CheckConstraint("status <> 100", name=op.f("messages_status_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("messages_pkey")),
        schema="sms",
    )
    op.execute("ALTER TABLE sms.messages SET (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05)")
    op.create_table(
        "rejects",
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("row_no", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        schema="sms",
    )
    op.create_index("rejects_campaign_id_idx", "rejects", ["campaign_id", "row_no"], unique=False, schema="sms")
    op.create_table(
        "suppressions",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("suppressions_pkey")),
        schema="sms",
    )
    op.create_table(
        "batches",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("first_id", sa.BigInteger(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rung_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_owner", sa.Uuid(), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.Column("first_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("poll_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("poll_no", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("poll_from", sa.BigInteger(), nullable=True),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pending", sa.SmallInteger(), nullable=False),
        sa.Column("accepted", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("delivered", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("undelivered", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("failed", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("blocked", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("cancelled", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("expired", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("refused", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("suppressed", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("uncertain", sa.SmallInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("(state = 'claimed') <= (lease_owner IS NOT NULL)", name=op.f("batches_lease_check")),
        sa.CheckConstraint("state <> 'closed' OR accepted = 0", name=op.f("batches_closed_check")),
        sa.CheckConstraint("state = 'split' OR (poll_at IS NULL) = (accepted = 0)", name=op.f("batches_polled_check")),
        sa.CheckConstraint(
            "state = 'split' OR pending + accepted + delivered + undelivered + failed + blocked + cancelled + expired + refused + suppressed + uncertain = last_id - first_id + 1",
            name=op.f("batches_counts_check"),
        ),
        sa.CheckConstraint(
            "state IN ('ready', 'claimed', 'unknown', 'accepted', 'closed', 'refused', 'split', 'uncertain', 'cancelled')",
            name=op.f("batches_state_check"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('accepted', 'closed', 'refused', 'cancelled') OR pending = 0",
            name=op.f("batches_has_none_check"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('ready', 'claimed', 'unknown') OR pending > 0", name=op.f("batches_has_work_check")
        ),
        sa.CheckConstraint("(accepted_at IS NULL) = (closes_at IS NULL)", name=op.f("batches_window_check")),
        sa.CheckConstraint("last_id - first_id BETWEEN 0 AND 199", name=op.f("batches_size_check")),
        sa.CheckConstraint(
            "least(pending, accepted, delivered, undelivered, failed, blocked, cancelled, expired, refused, suppressed, uncertain) >= 0",
            name=op.f("batches_not_negative_check"),
        ),
        sa.CheckConstraint("poll_at IS NULL OR closes_at IS NOT NULL", name=op.f("batches_closes_check")),
        sa.ForeignKeyConstraint(["campaign_id"], ["sms.campaigns.id"], name=op.f("batches_campaign_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("batches_pkey")),
        schema="sms",
    )
    op.execute("ALTER TABLE sms.batches SET (fillfactor = 70)")
    op.create_index("batches_campaign_id_idx", "batches", ["campaign_id", "first_id"], unique=False, schema="sms")
    op.create_index(
        "batches_first_id_key",
        "batches",
        ["first_id"],
        unique=True,
        schema="sms",
        postgresql_where=sa.text("state <> 'split'"),
    )
    op.create_index(
        "batches_lease_idx",
        "batches",
        ["due_at"],
        unique=False,
        schema="sms",
        postgresql_where=sa.text("state = 'claimed'"),
    )
    op.create_index(
        "batches_open_idx",
        "batches",
        ["campaign_id"],
        unique=False,
        schema="sms",
        postgresql_where=sa.text("state IN ('ready', 'claimed', 'unknown', 'accepted')"),
    )
    op.create_index(
        "batches_poll_idx",
        "batches",
        ["poll_at", "id"],
        unique=False,
        schema="sms",
        postgresql_where=sa.text("poll_at IS NOT NULL"),
    )
    op.create_index(
        "batches_ready_idx",
        "batches",
        ["campaign_id", "due_at", "id"],
        unique=False,
        schema="sms",
        postgresql_where=sa.text("state = 'ready'"),
    )
    op.create_index(
        "batches_rung_idx",
        "batches",
        ["rung_at"],
        unique=False,
        schema="sms",
        postgresql_where=sa.text("state IN ('ready', 'unknown') AND rung_at IS NOT NULL"),
    )
    op.create_index(
        "batches_unknown_idx",
        "batches",
        ["due_at"],
        unique=False,
        schema="sms",
        postgresql_where=sa.text("state = 'unknown'"),
    )
    op.create_index(
        "batches_window_idx",
        "batches",
        ["closes_at"],
        unique=False,
        schema="sms",
        postgresql_where=sa.text("poll_at IS NOT NULL"),
    )
